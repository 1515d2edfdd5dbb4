"""The files that a daemon reads its configuration from, and who changes them while it runs."""

import asyncio
import dataclasses
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoscaler import configuration
from autoscaler.control.console import DaemonConsole
from autoscaler.core.policy import Policy
from autoscaler.core.target import Mode
from autoscaler.ports import ChangeRefusedError
from tests.simulation.life import Life
from tests.simulation.plans import Disturbance

if TYPE_CHECKING:
    from tests.simulation.history import History

SEEN_WITHIN = 120.0
"""Seconds in which a running daemon finds by itself that its files have changed."""

FOLLOWED_WITHIN = timedelta(minutes=3)
"""From the end of a job to that of its operation, where nothing else goes wrong."""

SPARE = """\
  spare:
    {instance_id: 0a1b2c3d4e5f60718293a4b5c6d7e8f9in09, flavor_id: any, mode: off, nodes: {min: 1, max: 2}, rules: []}
"""
"""So that there is a target where ours is removed."""


@dataclass(frozen=True)
class Written:
    """What the files say."""

    most: int
    mode: str = "enforce"
    ceiling: str = "enforce"
    there: bool = True  # whether the target is
    right: bool = True  # whether it can be read at all


class Files:
    """One folder of files, and the daemon that obeys it."""

    def __init__(self, history: "History", folder: Path) -> None:
        self._history = history
        self._folder = folder
        self._base = self._now = Written(history.plan.most, history.plan.mode)
        self._write(self._base)

    def read(self) -> tuple[configuration.Configuration, configuration.Origin]:
        """What a daemon that starts is given.

        Raises:
            BadConfig: just now they are wrong.
        """
        user = self._history.scenario.user
        told = {"USERNAME": user.name, "PASSWORD": user.password, "DOMAIN": user.domain}
        environ = {f"AUTOSCALER_CLOUD__{name}": value for name, value in told.items()}
        environ["AUTOSCALER_WEBHOOKS__AUDIT__SECRET"] = "key"
        found, origin = configuration.Files(
            self._folder / "autoscaler.yaml", environ, lambda: self._history.timeline.wall
        ).first()
        self._history.watch.standing.policies = (_ours(found),)
        return found, origin

    @property
    def right(self) -> bool:
        """Whether they can be read."""
        return self._now.right

    def change(self, one: Disturbance) -> None:
        """Somebody changes them, and changes them back later."""
        changes: Mapping[str, Mapping[str, Any]] = {
            "max": {"most": self._base.most + one.values["more"]},
            "observe": {"mode": "observe"},
            "ceiling": {"ceiling": "observe"},
            "removed": {"there": False},
            "wrong": {"right": False},
        }
        written = dataclasses.replace(self._base, **changes[one.values["what"]])
        self._change(written, one.values["how"])
        asyncio.get_running_loop().call_later(one.values["seconds"], self._back, written, one.values["how"])

    def _back(self, from_: Written, how: str) -> None:
        if self._now is from_:
            if not from_.there and self._history.plan.only("reload"):
                self._check_followed()
            self._change(self._base, how)

    def _change(self, written: Written, how: str) -> None:
        before, self._now = self._history.watch.standing.policies, written
        self._write(written)
        after = before if not written.right else (_ours(self.read_only()),)
        self._history.watch.standing.policies = (*before, *after)  # until somebody says which
        life = self._history.leader()
        if life is None or life.console is None or life._built is None:
            return
        if how == "request":
            life.begin(self._ask(life.console, written, after))
        elif how == "signal":
            life.within(life._built.reload_soon)
        asyncio.get_running_loop().call_later(SEEN_WITHIN, self._seen, life, written, after)

    async def _ask(self, console: DaemonConsole, written: Written, after: tuple[Policy | None, ...]) -> None:
        try:
            answer = await console.reload(who="somebody")
        except ChangeRefusedError as error:
            self._history.note(f"refused: {error}")
            return
        if self._now is written:
            self._history.watch.standing.policies = after
            if bool(answer.problems) is written.right:
                self._history.ledger.wrong(f"the answer to a reload of {written} was {answer}")

    def _seen(self, life: Life, written: Written, after: tuple[Policy | None, ...]) -> None:
        if self._now is written and life.alive and self._history.plan.only("reload"):
            self._history.watch.standing.policies = after

    def read_only(self) -> configuration.Configuration:
        """What they say, for us."""
        policies = self._history.watch.standing.policies
        found, _ = self.read()
        self._history.watch.standing.policies = policies
        return found

    def _write(self, written: Written) -> None:
        scenario, plan = self._history.scenario, self._history.plan
        hosts = {key: f"http://{host}" for key, host in self._history.hosts.items()}
        self._put(
            "autoscaler.yaml",
            f"cloud: {{region: {scenario.region}, dialect: {scenario.dialect}, ddm_api: {plan.api}, "
            f"project_id: {scenario.project.id}, credentials: password, endpoints: {hosts}}}\n"
            f"store: sqlite:///{self._history.file}\n"
            f"mode_ceiling: {written.ceiling}\n"
            "webhooks: [{name: audit, url: http://audit.sim/}]\n"
            "policy_files: [policies/*.yaml]\n",
        )
        ours = self._history.targets(most=written.most, mode=written.mode) if written.there else ""
        self._put("policies/all.yaml", f"targets:\n{ours}{SPARE}" if written.right else "targets: [\n")

    def _put(self, name: str, text: str) -> None:
        """Another file in its place: who reads sees the old or the new."""
        file = self._folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(text)
        new.replace(file)

    def _check_followed(self) -> None:
        """The operation of a target that was removed is followed to its end all the same."""
        with sqlite3.connect(f"file:{self._history.file}?mode=ro", uri=True) as file:
            query = "SELECT job_id FROM operations WHERE state IN ('submitted', 'unknown')"
            opened = {job for (job,) in file.execute(query)}
        for job in self._history.world.jobs:
            ended = job.ending.at
            if job.id in opened and ended is not None and self._history.timeline.now - ended > FOLLOWED_WITHIN:
                self._history.ledger.wrong(
                    f"{job.id} ended at {ended}, and its removed target's operation is still open"
                )


def _ours(found: configuration.Configuration) -> Policy | None:
    """The policy by which orders may be acted on; None: by none."""
    if found.settings.mode_ceiling.value == Mode.OBSERVE.value:
        return None
    return next((policy for policy in found.policies if policy.name == "orders"), None)
