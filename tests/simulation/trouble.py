"""What goes wrong with the cloud, the network, the clocks, the processes and the file of the store."""

import asyncio
import contextlib
import dataclasses
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx

from autoscaler.emulator import faults, records, world
from tests.simulation.life import Life
from tests.simulation.machine import Machine
from tests.simulation.plans import HOUR, Disturbance

if TYPE_CHECKING:
    from tests.simulation.history import History

_DOWN = {"dns": httpx.ConnectError, "refused": httpx.ConnectError, "timeout": httpx.ConnectTimeout}
_MUTATIONS = ("enlarge", "enlarge", "reduce")


class Trouble:
    """Each method does one kind of disturbance, and takes it back when its time is over."""

    def __init__(self, history: "History") -> None:
        self._history = history
        self._unpaid = 0  # spells without money that are under way

    def _later(self, one: Disturbance, what: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(one.values["seconds"], what)

    def unpaid(self, one: Disturbance) -> None:
        """Orders do not pay themselves, for want of money; at last somebody pays all that wait."""
        world = self._history.world
        take_on = type(world).enlarge
        self._unpaid += 1
        world.enlarge = lambda *args, **more: take_on(world, *args, **{**more, "auto_pay": False})  # type: ignore[method-assign]  # the account is empty

        def pay() -> None:
            self._unpaid -= 1
            if not self._unpaid:
                del world.enlarge  # as it was
                world.arm(faults.Request(kind=faults.Kind.ORDERS_PAID), self._history.timeline.now)

        self._later(one, pay)

    def cloud(self, one: Disturbance) -> None:
        if one.values.get("when") == "pre-flight":  # in the midst of it, or between it and the call
            asyncio.get_running_loop().call_later(self._history.chance.uniform(0.0, 0.4), self._cloud, one)
        else:
            self._cloud(one)

    def _cloud(self, one: Disturbance) -> None:
        wanted = {key: value for key, value in one.values.items() if key not in ("name", "when")}
        if wanted.get("operation") == "@mutation":
            wanted["operation"] = self._history.chance.choice(_MUTATIONS)
        self._history.world.advance(self._history.timeline.now)
        with contextlib.suppress(world.Refusal):  # somebody else cannot act while the instance is busy
            self._history.world.arm(faults.Request.model_validate(wanted), self._history.timeline.now)
        if wanted["kind"] == "job_never_ends":
            asyncio.get_running_loop().call_later(3 * 3600, self._end_endless)

    def _end_endless(self) -> None:
        """The cloud's people end what hangs; a fault that still waits is taken back."""
        self._history.world.box.armed = [
            one for one in self._history.world.box.armed if one.request.kind != "job_never_ends"
        ]
        for job in self._history.world.jobs:
            if job.running and job.ending.at is None:
                status = self._history.chance.choice((records.JobStatus.COMPLETED, records.JobStatus.FAILED))
                arriving = len(job.nodes) if status is records.JobStatus.COMPLETED else 0
                job.ending = records.Ending(
                    self._history.timeline.now, status, arriving, "" if arriving else world._FAILED_PLAINLY
                )

    def instance(self, one: Disturbance) -> None:
        instance = self._history.the_instance
        instance.base_status = one.values["status"]
        self._later(one, lambda: setattr(instance, "base_status", "RUNNING"))

    def group(self, one: Disturbance) -> None:
        """Somebody deletes the group and makes another; later it is restored under its old id."""
        instance = self._history.the_instance
        if self._at_rest() and instance.groups[0].id == self._history.group_id:
            groups, instance.groups = instance.groups, [dataclasses.replace(instance.groups[0], id="othergr09")]
            self._later(one, lambda: self._restore(instance, groups))

    def _restore(self, instance: records.Instance, groups: list[records.Group]) -> None:
        if self._at_rest():
            instance.groups = groups
        else:  # somebody else's, on the new group
            self._history.ledger.lasts_longer(60.0)
            asyncio.get_running_loop().call_later(60.0, self._restore, instance, groups)

    def _at_rest(self) -> bool:
        """Whether no job runs, nor moves nodes after its end."""
        return all(job.settled and not job.running for job in self._history.world.jobs)

    def vanish(self, _one: Disturbance) -> None:
        """A node is gone, and no job tells of it."""
        groups = self._history.the_instance.groups
        if len(groups[0].nodes) > 1 and self._history.world.running_job(self._history.the_instance.id) is None:
            node = groups[0].nodes.pop()
            node.deleted_at = self._history.timeline.now
            groups[0].gone.append(node)
            self._history.ledger.changed_by_others()

    def short(self, one: Disturbance) -> None:
        """The job that runs will say Completed, and bring fewer nodes than it was asked for."""
        job = self._history.world.running_job(self._history.the_instance.id)
        if job is None or job.name is not records.JobName.ENLARGE or job.ending.at is None or job.settled:
            if self._history.timeline.elapsed < one.at + 2 * HOUR:  # it waits for one that brings nodes
                asyncio.get_running_loop().call_later(20.0, self.short, one)
            return
        job.ending = dataclasses.replace(job.ending, arriving=max(0, len(job.nodes) - 1))

    def network(self, one: Disturbance) -> None:
        self._history.network.down = _DOWN[one.values["how"]]
        self._later(one, lambda: setattr(self._history.network, "down", None))

    def latency(self, one: Disturbance) -> None:
        self._history.network.latency = one.values["latency"]
        self._later(one, lambda: setattr(self._history.network, "latency", 0.02))

    def held(self, one: Disturbance) -> None:
        """The next call that changes something is on its way for so long."""
        self._history.network.held = one.values["seconds"]

    def clock(self, one: Disturbance) -> None:
        self._history.timeline.set_wall_off(one.values["off"])
        self._later(one, lambda: self._history.timeline.set_wall_off(0.0))

    def dates(self, one: Disturbance) -> None:
        """The clock of what answers for the cloud is set, and set back."""
        self._history.network.date_off = timedelta(seconds=one.values["off"])
        self._later(one, lambda: setattr(self._history.network, "date_off", timedelta(0)))

    def kill(self, one: Disturbance) -> None:
        life = self._history.some_life()
        if life is not None:
            life.kill_at_step = life.steps + one.values["steps"]
            self._after_kill(life, one)

    def kill_commit(self, one: Disturbance) -> None:
        life = self._history.some_life()
        if life is not None:
            life.kill_at_commit = life.commits + one.values["commits"]
            self._after_kill(life, one)

    def kill_leader(self, one: Disturbance) -> None:
        life = self._history.leader()
        if life is not None:
            life.kill_at_step = life.steps + one.values["steps"]
            self._after_kill(life, one)

    def still(self, one: Disturbance) -> None:
        """The leader is stopped at one of its steps, and goes on later as if nothing had been."""
        life = self._history.leader() or self._history.machines[0].life
        if life is not None:
            machine = self._history.machine_of(life)
            machine.breaks(self._history.timeline.elapsed)
            life.still_at_step = life.steps + one.values["steps"]
            self._later(one, lambda: self._go_on(life, machine))

    def _go_on(self, life: Life, machine: Machine) -> None:
        life.still_at_step = None
        life.go_on()
        if machine.life is life:
            machine.begins(self._history.timeline.elapsed)

    def _after_kill(self, life: Life, one: Disturbance) -> None:
        self._history.report.kills += 1
        self._history.machine_of(life).restarts_after(one.values["after"])

    def term(self, one: Disturbance) -> None:
        life = self._history.some_life()
        if life is not None:
            life.stop_at_step = life.steps + one.values["steps"]
            self._history.machine_of(life).restarts_after(one.values["after"])

    def gone(self, one: Disturbance) -> None:
        server = self._history.server
        server.gone = True
        self._later(one, lambda: setattr(server, "gone", False))

    def full(self, one: Disturbance) -> None:
        """SQLite's own limit on the pages of a file: the next page that is needed is refused with SQLITE_FULL."""
        self._on_files("PRAGMA max_page_count = 1")
        self._later(one, lambda: self._on_files("PRAGMA max_page_count = 1073741823"))

    def locked(self, one: Disturbance) -> None:
        self._on_files("PRAGMA busy_timeout = 0")
        with contextlib.suppress(sqlite3.Error):
            other = sqlite3.connect(self._history.file, isolation_level=None, timeout=0)
            other.execute("BEGIN IMMEDIATE")

            def release() -> None:
                other.close()
                self._on_files("PRAGMA busy_timeout = 2000")

            self._later(one, release)

    def volume(self, one: Disturbance) -> None:
        life = self._history.some_life()
        if life is not None:
            self._history.watch.volume_lost()
            life.kill()
            self._after_kill(life, one)
            self._history.machine_of(life).before_restart.append(self._delete)

    def _delete(self) -> None:
        for file in self._history.file.parent.glob("autoscaler.db*"):
            file.unlink()

    def _on_files(self, statement: str) -> None:
        life = self._history.some_life()
        for file in life._files if life is not None and life.alive else ():
            with contextlib.suppress(sqlite3.Error):
                file.execute(statement)
