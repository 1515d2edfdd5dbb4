"""One history: the real daemon on a real store, against the emulated cloud, while what is planned goes wrong.

Nothing in it waits and nothing comes from outside: the same plan is the same history, to the last call.
"""

import asyncio
import contextlib
import dataclasses
import logging
import random
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from autoscaler import daemon, errors
from autoscaler.control import scheduler
from autoscaler.core.announcement import Subscription
from autoscaler.core.target import Mode
from autoscaler.emulator import accounts, cloud, faults, gateway, records, scenario, server, world
from autoscaler.huaweicloud import connection
from autoscaler.policyfile import loading
from autoscaler.telemetry.metrics import Metrics
from autoscaler.web import app
from autoscaler.webhooks.endpoint import Endpoint
from tests.simulation import life as lives
from tests.simulation.letterbox import Letterbox
from tests.simulation.plans import START, Disturbance, Plan
from tests.simulation.virtual_time import CloudClock, JumpingLoop, Timeline
from tests.simulation.watch import Watch
from tests.simulation.wire import Network

HOSTS = {"iam": "iam.sim", "ddm": "ddm.sim", "cloud_eye": "ces.sim", "rds": "rds.sim"}
_DOWN = {"dns": httpx.ConnectError, "refused": httpx.ConnectError, "timeout": httpx.ConnectTimeout}
LONGEST_STOP = 15.0
"""Seconds in which a daemon that was told to stop is gone."""


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
    steps: int = 0
    commits: int = 0
    happened: list[str] = field(
        default_factory=list
    )  # every mutating call and disturbance, for a comparison of replays
    names: set[str] = field(default_factory=set)


def play(plan: Plan, folder: Path) -> Report:
    """The whole history of a plan; the store's files are kept in the folder."""
    return History(plan, folder).play()


class History:
    """A plan that happens."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.report = Report(plan)
        self.file = folder / "autoscaler.db"
        self.chance = random.Random(f"history {plan.seed}")  # noqa: S311
        self.life: lives.Life | None = None
        self._restart_after = 0.0
        self._before_restart: list[Callable[[], None]] = []
        self._folder = folder

    def play(self) -> Report:
        """Begin, and do not end before the plan does."""
        timeline = Timeline(START)
        loop = JumpingLoop(timeline)
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

    # The cloud, and the daemon's lives

    async def _play(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self._build()
        disturbing = asyncio.create_task(self._disturb())
        while timeline.elapsed < self.plan.length:
            await self._live()
            for mend in self._before_restart:
                mend()
            self._before_restart.clear()
            await asyncio.sleep(self._restart_after)
        disturbing.cancel()
        self.report.nodes = len(self._the_instance.groups[0].nodes)
        self.watch.at_the_end(self.file, self.report)
        self.letterbox.at_the_end(self.file)

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
        self.policies = _policies(plan, self._folder)
        self._group_id = self._the_instance.groups[0].id
        self.watch = Watch(plan, self.policies[0], self.world, self.cloud, self.timeline, self.file, self.report)
        self.letterbox = Letterbox(random.Random(f"letterbox {plan.seed}"), self.watch.wrong)  # noqa: S311
        self.network.written, self.network.arrived = self.watch.written, self.watch.arrived

    async def _live(self) -> None:
        self._restart_after = 1.0
        life = lives.Life(self._setup(), self.timeline, self.network, self.letterbox)
        self.life = life
        self.report.lives += 1
        ending = asyncio.get_running_loop().call_later(max(0.0, self.plan.length - self.timeline.elapsed), life.stop)
        try:
            await life.run()
        except errors.StoreError as error:
            self.report.happened.append(f"{self.timeline.elapsed:.3f} the store could not be used: {error}")
            self._restart_after = 20.0
        except Exception as error:  # noqa: BLE001  # a daemon that ends by itself is what this looks for
            self.report.problems.append(f"at {self.timeline.now}: the daemon ended with {error!r}")
            self._restart_after = 20.0
        finally:
            ending.cancel()
            self.report.steps += life.steps
            self.report.commits += life.commits
            self.life = None
        self.watch.store_is_sound(self.file)

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
            self.report.happened.append(f"{self.timeline.elapsed:.3f} {one.kind} {dict(one.values)}")
            self.report.names.add(one.values.get("name", one.kind))
            getattr(self, f"_{one.kind}")(one)

    def _later(self, one: Disturbance, what: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(one.values["seconds"], what)

    def _cloud(self, one: Disturbance) -> None:
        wanted = {key: value for key, value in one.values.items() if key != "name"}
        if wanted.get("operation") == "@mutation":
            wanted["operation"] = self.chance.choice(_MUTATIONS)
        self.world.advance(self.timeline.now)
        with contextlib.suppress(world.Refusal):  # somebody else cannot act while the instance is busy
            self.world.arm(faults.Request.model_validate(wanted), self.timeline.now)
        if wanted["kind"] == "job_never_ends":
            asyncio.get_running_loop().call_later(3 * 3600, self._end_endless)

    def _end_endless(self) -> None:
        """The cloud's people end what hangs; a fault that still waits is taken back."""
        self.world.box.armed = [one for one in self.world.box.armed if one.request.kind != "job_never_ends"]
        for job in self.world.jobs:
            if job.running and job.ending.at is None:
                status = self.chance.choice((records.JobStatus.COMPLETED, records.JobStatus.FAILED))
                arriving = len(job.nodes) if status is records.JobStatus.COMPLETED else 0
                job.ending = records.Ending(
                    self.timeline.now, status, arriving, "" if arriving else world._FAILED_PLAINLY
                )

    def _instance(self, one: Disturbance) -> None:
        instance = self._the_instance
        instance.base_status = one.values["status"]
        self._later(one, lambda: setattr(instance, "base_status", "RUNNING"))

    def _group(self, one: Disturbance) -> None:
        """Somebody deletes the group and makes another; later it is restored under its old id."""
        instance = self._the_instance
        if self.world.running_job(instance.id) is None and instance.groups[0].id == self._group_id:
            groups, instance.groups = instance.groups, [dataclasses.replace(instance.groups[0], id="othergr09")]
            self._later(one, lambda: self._restore(instance, groups))

    def _restore(self, instance: records.Instance, groups: list[records.Group]) -> None:
        if self.world.running_job(instance.id) is None:
            instance.groups = groups
        else:  # somebody else's, on the new group
            asyncio.get_running_loop().call_later(60, self._restore, instance, groups)

    def _vanish(self, _one: Disturbance) -> None:
        """A node is gone, and no job tells of it."""
        groups = self._the_instance.groups
        if len(groups[0].nodes) > 1 and self.world.running_job(self._the_instance.id) is None:
            node = groups[0].nodes.pop()
            node.deleted_at = self.timeline.now
            groups[0].gone.append(node)
            self.watch.changed_by_others()

    def _short(self, _one: Disturbance) -> None:
        """The job that runs will say Completed, and bring fewer nodes than it was asked for."""
        job = self.world.running_job(self._the_instance.id)
        if job is not None and job.name is records.JobName.ENLARGE and job.ending.at is not None:
            job.ending = records.Ending(job.ending.at, job.ending.status, max(0, len(job.nodes) - 1))

    def _network(self, one: Disturbance) -> None:
        self.network.down = _DOWN[one.values["how"]]
        self._later(one, lambda: setattr(self.network, "down", None))

    def _latency(self, one: Disturbance) -> None:
        self.network.latency = one.values["latency"]
        self._later(one, lambda: setattr(self.network, "latency", 0.02))

    def _clock(self, one: Disturbance) -> None:
        self.timeline.set_wall_off(one.values["off"])
        self._later(one, lambda: self.timeline.set_wall_off(0.0))

    def _kill(self, one: Disturbance) -> None:
        if self.life is not None:
            self.life.kill_at_step = self.life.steps + one.values["steps"]
            self._after_kill(one)

    def _kill_commit(self, one: Disturbance) -> None:
        if self.life is not None:
            self.life.kill_at_commit = self.life.commits + one.values["commits"]
            self._after_kill(one)

    def _after_kill(self, one: Disturbance) -> None:
        self.report.kills += 1
        self._before_restart.append(lambda: setattr(self, "_restart_after", one.values["after"]))

    def _term(self, one: Disturbance) -> None:
        if self.life is not None:
            life = self.life
            life.stop_at_step = life.steps + one.values["steps"]
            self._before_restart.append(lambda: setattr(self, "_restart_after", one.values["after"]))

    def _full(self, one: Disturbance) -> None:
        """SQLite's own limit on the pages of a file: the next page that is needed is refused with SQLITE_FULL."""
        self._on_files("PRAGMA max_page_count = 1")
        self._later(one, lambda: self._on_files("PRAGMA max_page_count = 1073741823"))

    def _locked(self, one: Disturbance) -> None:
        self._on_files("PRAGMA busy_timeout = 0")
        with contextlib.suppress(sqlite3.Error):
            other = sqlite3.connect(self.file, isolation_level=None, timeout=0)
            other.execute("BEGIN IMMEDIATE")

            def release() -> None:
                other.close()
                self._on_files("PRAGMA busy_timeout = 2000")

            self._later(one, release)

    def _volume(self, one: Disturbance) -> None:
        if self.life is not None:
            self.watch.volume_lost()
            self.life.kill()
            self._after_kill(one)
            self._before_restart.append(self._delete)

    def _delete(self) -> None:
        for file in self.file.parent.glob("autoscaler.db*"):
            file.unlink()

    def _on_files(self, statement: str) -> None:
        for file in self.life._files if self.life is not None and self.life.alive else ():
            with contextlib.suppress(sqlite3.Error):
                file.execute(statement)

    @property
    def _the_instance(self) -> records.Instance:
        return next(iter(self.world.instances.values()))


_MUTATIONS = ("enlarge", "enlarge", "reduce")


def _scenario(plan: Plan) -> scenario.Scenario:
    base = scenario.Scenario()
    (instance,) = base.instances
    (group,) = instance.groups
    return base.model_copy(
        update={
            "seed": plan.seed,
            "dialect": "huawei",
            "instances": (
                instance.model_copy(
                    update={"prepaid": plan.prepaid, "groups": (group.model_copy(update={"nodes": plan.nodes}),)}
                ),
            ),
            "load": _load(plan),
            "jobs": scenario.Jobs(
                enlarge=timedelta(seconds=plan.enlarge),
                reduce=timedelta(seconds=plan.enlarge),
                status_delay=timedelta(seconds=min(plan.status_delay, plan.enlarge)),
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


def _policy_file(plan: Plan, folder: Path) -> Path:
    (instance,) = _scenario(plan).instances
    (group,) = instance.groups
    file = folder / "orders.yaml"
    file.write_text(
        f"""\
targets:
  orders:
    instance_id: {instance.id}
    group_id: {group.id}
    flavor_id: {group.flavor}
    mode: {plan.mode}
    nodes: {{min: 2, max: {plan.most}}}
    cooldown: {{out: 10m, in: 20m, failed: 15m}}
    limits: {{add: 3}}
    rules:
{_TRACKING if plan.tracking else _THRESHOLDS}"""
    )
    return file


def _policies(plan: Plan, folder: Path) -> Any:
    return loading.load([_policy_file(plan, folder)])


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
