"""One history: the real daemon on a real store, against the emulated cloud, while what is planned goes wrong.

Nothing in it waits and nothing comes from outside: the same plan is the same history, to the last call.
"""

import asyncio
import contextlib
import contextvars
import logging
import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from autoscaler import daemon, errors
from autoscaler.control import deliverer, leader, scheduler, watching
from autoscaler.core.announcement import Subscription
from autoscaler.core.target import Mode
from autoscaler.emulator import accounts, cloud, gateway, records, scenario, server, world
from autoscaler.huaweicloud import connection
from autoscaler.policyfile import loading
from autoscaler.storage import opening
from autoscaler.telemetry import logs
from autoscaler.telemetry.metrics import Metrics
from autoscaler.web import app
from autoscaler.webhooks.endpoint import Endpoint
from tests.simulation import life as lives
from tests.simulation import reloads, shared_store, spoil, windows
from tests.simulation.hand import Hand
from tests.simulation.ledger import Ledger
from tests.simulation.letterbox import Letterbox
from tests.simulation.machine import AFTER_AN_ERROR, RESTART_AFTER, Machine
from tests.simulation.plans import Disturbance, Plan
from tests.simulation.trouble import Trouble
from tests.simulation.verdict import Verdict
from tests.simulation.virtual_time import CloudClock, JumpingLoop, StoppingLoop, Timeline
from tests.simulation.watch import Watch
from tests.simulation.wire import Network

OF_THE_STORE = frozenset({"full", "locked", "row", "gone"})
"""Kinds of disturbances after which a store may not be usable for a while."""

HOSTS = {"iam": "iam.sim", "ddm": "ddm.sim", "cloud_eye": "ces.sim", "rds": "rds.sim"}


@dataclass
class Report:
    """What a history came to."""

    plan: Plan
    problems: list[str] = field(default_factory=list)
    lives: int = 0
    kills: int = 0
    decisions: int = 0
    calls: int = 0
    accepted: int = 0
    nodes: int = 0  # at the end
    intents: list[int] = field(default_factory=list)  # at which step of its life each was committed
    resolved: int = 0  # operations that an operator closed
    steps: int = 0
    commits: int = 0
    happened: list[str] = field(
        default_factory=list
    )  # every mutating call and disturbance, for a comparison of replays
    names: set[str] = field(default_factory=set)
    struck: set[str] = field(default_factory=set)  # operations of the cloud that a fault struck


def play(plan: Plan, folder: Path) -> Report:
    """The whole history of a plan; the store's files are kept in the folder."""
    return History(plan, folder).play()


class History:
    """A plan that happens."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.report = Report(plan)
        self.file = folder / "autoscaler.db"
        self.hosts = HOSTS
        self.chance = random.Random(f"history {plan.seed}")  # noqa: S311
        self.machines = [Machine(name) for name in ("first", "second")[: plan.daemons]]
        self._lists = 0
        self._at_preflight: list[Disturbance] = []
        self.beside: set[asyncio.Task[None]] = set()  # people who look at things for a while
        self._folder = folder

    def play(self) -> Report:
        """Begin, and do not end before the plan does."""
        timeline = Timeline(self.plan.start)
        loop = (StoppingLoop if self.plan.daemons > 1 else JumpingLoop)(timeline)
        loop.set_task_factory(lives.task_factory)
        loop.set_exception_handler(self._unexpected)
        try:
            with _seeded(self.plan.seed), lives.watched_files(), _silent():
                asyncio.set_event_loop(None)
                loop.run_until_complete(self._play(timeline))
        finally:
            loop.close()
            timeline.close()
        return self.report

    def _unexpected(self, _loop: object, context: Mapping[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, lives.Killed):
            self.report.problems.append(f"{context.get('message')}: {error!r}")

    # The cloud, and the daemons' lives

    async def _play(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self._outside = contextvars.copy_context()
        self._build()
        disturbing = asyncio.create_task(self._disturb())
        await asyncio.gather(*(self._run(machine) for machine in self.machines))
        if disturbing.done():
            disturbing.result()  # an error in here would leave the rest of the plan out
        for task in (disturbing, *self.beside):
            task.cancel()
        self.report.nodes = len(self.the_instance.groups[0].nodes)
        self.report.accepted = sum(mutation.accepted for mutation in self.cloud.mutations)
        Verdict(self.ledger).give(self.machines)
        self.letterbox.at_the_end(self.file, self.timeline.now)

    async def _run(self, machine: Machine) -> None:
        while self.timeline.elapsed < self.plan.length:
            await self._live(machine)
            ended = self.timeline.elapsed
            await machine.wait()
            machine.down.append((ended, self.timeline.elapsed))

    def _build(self) -> None:
        plan = self.plan
        self.scenario = _scenario(plan)
        self.world = world.World(self.scenario, self.timeline.now)
        self.cloud = cloud.Cloud(self.world, accounts.Accounts(self.scenario))
        self.network = Network(random.Random(f"network {plan.seed}"))  # noqa: S311
        clock = CloudClock(self.timeline)
        for service, operations in server._SERVICES.items():
            self.network.gateways[HOSTS[service]] = gateway.Gateway(
                service, operations, self.cloud, clock, self.network.break_off
            )
        self.server = shared_store.Server(self.file, self.timeline, random.Random(f"database {plan.seed}"))  # noqa: S311
        self.policies = _policies(self.targets(most=plan.most, mode=plan.mode), self._folder)
        self.group_id = self.the_instance.groups[0].id
        self.ledger = Ledger(plan, self.policies[0], self.world, self.cloud, self.timeline, self.file, self.report)
        self.watch = Watch(self.ledger)
        self.letterbox = Letterbox(random.Random(f"letterbox {plan.seed}"), self.ledger.wrong)  # noqa: S311
        self.files = reloads.Files(self, self._folder / "config") if plan.files else None
        hand, trouble, rows = Hand(self), Trouble(self), spoil.Rows(self)
        self._kinds: dict[str, Callable[[Disturbance], None]] = {
            "hand": hand.act,
            "resolve": hand.resolve,
            "row": rows.spoil,
        }
        if self.files is not None:
            self._kinds["reload"] = self.files.change
        self._kinds |= {name: getattr(trouble, name) for name in vars(Trouble) if not name.startswith("_")}

        self.network.written, self.network.arrived = self._written, self.watch.arrived

    async def _live(self, machine: Machine) -> None:
        machine.restart_after = RESTART_AFTER
        try:
            life = self._life(machine)
        except errors.BadConfig as error:
            self.note(f"its files are wrong: {error}")
            if self.files is None or self.files.right:
                raise
            machine.restart_after = AFTER_AN_ERROR
            return
        machine.life = life
        machine.begins(self.timeline.elapsed)
        self.report.lives += 1
        ending = asyncio.get_running_loop().call_later(max(0.0, self.plan.length - self.timeline.elapsed), life.stop)
        try:
            await life.run()
        except errors.StoreError as error:
            self.note(f"the store could not be used: {error}")
            machine.restart_after = AFTER_AN_ERROR
            if all(one.kind not in OF_THE_STORE for one in self.plan.disturbances):
                self.report.problems.append(f"at {self.timeline.now}: the daemon ended with {error!r}")
        except errors.AccessRefused as error:
            self.note(f"the first sign-in was refused: {error}")
            machine.restart_after = AFTER_AN_ERROR
            if all(one.values.get("kind") != "http_error" for one in self.plan.disturbances):
                self.report.problems.append(f"at {self.timeline.now}: the daemon ended with {error!r}")
        except Exception as error:  # noqa: BLE001  # a daemon that ends by itself is what this looks for
            self.report.problems.append(f"at {self.timeline.now}: the daemon ended with {error!r}")
            machine.restart_after = AFTER_AN_ERROR
        finally:
            ending.cancel()
            machine.breaks(self.timeline.elapsed)
            self.report.steps += life.steps
            self.report.commits += life.commits
            machine.life = None
        self.watch.store_is_sound()

    def _life(self, machine: Machine) -> lives.Life:
        setup, origin = self._setup(), None
        if self.files is not None:
            found, origin = self.files.read()
            setup = daemon.setup_of(found)
        return lives.Life(
            setup,
            self.timeline,
            self.network,
            self.letterbox,
            name=machine.name,
            origin=origin,
            store=self.server.open_store if self.plan.daemons > 1 else opening.open_store,
            committing=self.watch.committing,
        )

    def _setup(self) -> daemon.Setup:
        user = self.scenario.user
        return daemon.Setup(
            connection=connection.Connection(
                region=self.scenario.region,
                credentials=connection.Password(user.name, user.password, user.domain),
                dialect=connection.Dialect(self.scenario.dialect),
                ddm_api=connection.DdmApi(self.plan.api),
                project_id=self.scenario.project.id,
                endpoints=connection.Endpoints(**{key: f"http://{host}" for key, host in HOSTS.items()}),
            ),
            endpoints=(Endpoint("audit", "http://audit.sim/", b"key"),),
            subscriptions=(Subscription("audit"),),
            policies=self.policies,
            store=f"sqlite:///{self.file}",
            host="127.0.0.1",
            port=0,
            ceiling=Mode.ENFORCE,
        )

    # What goes wrong

    async def _disturb(self) -> None:
        for one in self.plan.disturbances:
            await asyncio.sleep(max(0.0, one.at - self.timeline.elapsed))
            self.note(f"{one.kind} {dict(one.values)}")
            self.report.names.add(one.values.get("name", one.kind))
            if one.values.get("when") == "pre-flight":
                self._at_preflight.append(one)
            else:
                self._kinds[one.kind](one)

    def _written(self, request: httpx.Request) -> Any:
        """A request leaves. Each pre-flight lists the jobs: what waits for one is done while the answer travels."""
        lists_jobs = request.method == "GET" and request.url.path.endswith("/jobs")
        self._lists += lists_jobs
        if self._at_preflight and lists_jobs and self._lists > 1:  # the first list is for the empty store
            waiting, self._at_preflight = self._at_preflight, []
            for one in waiting:
                self.ledger.comes_late(one)
                self._outside.copy().run(self._kinds[one.kind], one)  # what it begins must not end with this process
        return self.watch.written(request)

    def note(self, what: str) -> None:
        """Something that a replay must come to as well."""
        self.report.happened.append(f"{self.timeline.elapsed:.3f} {what}")

    def some_life(self) -> lives.Life | None:
        """A daemon that runs; of several, any."""
        running = [machine.life for machine in self.machines if machine.life is not None]
        return self.chance.choice(running) if len(running) > 1 else next(iter(running), None)

    def leader(self) -> lives.Life | None:
        """The daemon that would act, if there is one that runs."""
        running = [machine.life for machine in self.machines if machine.life is not None]
        return next((life for life in running if life.leads and life.alive), None)

    def machine_of(self, life: lives.Life) -> Machine:
        """Where it runs."""
        return next(machine for machine in self.machines if machine.name == life.name)

    def targets(self, *, most: int, mode: str) -> str:
        """What the policy file says under `targets`."""
        told = [
            ("orders", self.scenario.instances[0], mode),
            *(("billing", one, "observe") for one in self.scenario.instances[1:]),
        ]
        return "".join(
            f"""\
  {name}:
    instance_id: {instance.id}
    group_id: {instance.groups[0].id}
    flavor_id: {instance.groups[0].flavor}
    auto_pay: {"true" if self.plan.prepaid else "false"}
    mode: {mode}
    nodes: {{min: 2, max: {most}}}
    cooldown: {{out: 10m, in: 20m, failed: 15m}}
    limits: {{add: 3}}
    rules:
{_TRACKING if self.plan.tracking else _THRESHOLDS}\
{windows.SCHEDULE + windows.BLACKOUT if self.plan.windows else ""}"""
            for name, instance, mode in told
        )

    @property
    def the_instance(self) -> records.Instance:
        return next(iter(self.world.instances.values()))


def _scenario(plan: Plan) -> scenario.Scenario:
    base = scenario.Scenario()
    (instance,) = base.instances
    (group,) = instance.groups
    ours = instance.model_copy(
        update={"prepaid": plan.prepaid, "groups": (group.model_copy(update={"nodes": plan.nodes}),)}
    )
    other = ours.model_copy(
        update={"id": _BESIDE, "groups": (group.model_copy(update={"id": "billinggr09", "nodes": plan.nodes}),)}
    )
    return base.model_copy(
        update={
            "seed": plan.seed,
            "dialect": "huawei",
            "instances": (ours, other) if plan.beside else (ours,),
            "load": _load(plan),
            "jobs": scenario.Jobs(
                enlarge=timedelta(seconds=plan.enlarge),
                reduce=timedelta(seconds=plan.enlarge),
                status_delay=timedelta(
                    seconds=plan.enlarge if plan.late_status else min(plan.status_delay, plan.enlarge)
                ),
                completion_delay=timedelta(seconds=max(0.0, min(plan.completion_delay, plan.enlarge))),
                serving_delay=timedelta(seconds=max(0.0, -plan.completion_delay)),
            ),
            "metrics": scenario.Metrics(lag=timedelta(seconds=plan.lag)),
        }
    )


def _load(plan: Plan) -> scenario.Load:
    if plan.steady is not None:
        return scenario.Load(constant=plan.steady, capacity_per_node=1.0)
    return scenario.Load(trace=plan.trace, peak_nodes=plan.peak_nodes, utilisation_at_peak=70)


_THRESHOLDS = """\
      - name: cpu
        type: threshold
        metric: ddm_cpu_util
        out:
          - {above: 70, for: 5m, add: 1}
          - {above: 90, datapoints: 2/3, add: 50%, cooldown: 5m}
        in:
          - {below: 40, for: 15m, remove: 1}
"""
_TRACKING = """\
      - {name: cpu, type: target_tracking, metric: ddm_cpu_util, target: 60, over: 3m}
"""


_BESIDE = "0c8e4bafe4d84f6d9a8d9ab8e4fc2b7ein09"


def _policies(targets: str, folder: Path) -> Any:
    file = folder / "orders.yaml"
    file.write_text(f"targets:\n{targets}")
    return loading.load([file])


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Whatever asks for chance gets the seed's."""
    chance = random.Random(f"ids {seed}")  # noqa: S311
    state = random.getstate()
    random.seed(f"global {seed}")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=chance.getrandbits(128), version=4))
            patch.setattr(Metrics, "render", lambda _: None)  # three quarters of the time, and nobody scrapes
            patch.setattr(app, "create_app", lambda *_: None)  # half of what a start takes, and nobody calls it
            patch.setattr(leader, "name_of_this_process", lambda: lives.current().name)
            patch.setattr(logs, "configure", lambda **_: None)  # a reload's; the log is the whole test run's
            patch.setattr(deliverer, "BEAT", 20.0)  # letters are in no hurry here
            patch.setattr(watching, "EVERY", 30.0)  # the files are read each time
            patch.setattr(leader, "EVERY", 5.0)  # two claims in vain, and the lease still lasts
            shared_store.speaking_sqlite(patch)
            patch.setattr(scheduler, "HEARTBEAT_SECONDS", 30.0)  # a sign of life that nobody looks for
            yield
    finally:
        random.setstate(state)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
