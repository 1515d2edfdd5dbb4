"""The operator: pauses, resumes, sets the number of nodes and closes operations, now or in the middle of a pre-flight.

He never lies: an operation is closed as what truly became of its call, and only once that is sure.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from autoscaler.control.console import DaemonConsole
from autoscaler.emulator import faults, records
from autoscaler.errors import StoreError
from autoscaler.ports import ChangeInvalidError, ChangeRefusedError
from tests.simulation.ledger import Call, outcomes
from tests.simulation.plans import Disturbance
from tests.simulation.standing import Given, Paused

if TYPE_CHECKING:
    from tests.simulation.history import History

WHO = "somebody"
LOOKS_EVERY = 60.0
LOOKS = 90


class Hand:
    """Does to a running daemon what its API would."""

    def __init__(self, history: "History") -> None:
        self._history = history

    def act(self, one: Disturbance) -> None:
        """Whatever it is, at once."""
        self._begin(one)

    def resolve(self, one: Disturbance) -> None:
        """The answer of the next change is lost, and its job in no list: so somebody has to tell what became of it."""
        for kind, more in (
            (one.values["lost"], {"operation": one.values["operation"], "service": "ddm"}),
            ("job_list_forgets", {"count": 60}),
        ):
            wanted = faults.Request.model_validate({"kind": kind, **more})
            self._history.world.arm(wanted, self._history.timeline.now)
        looks = asyncio.get_running_loop().create_task(self._tell(len(self._history.ledger.calls)))
        self._history.beside.add(looks)
        looks.add_done_callback(self._history.beside.discard)

    def _begin(self, one: Disturbance) -> None:
        life = self._history.leader()
        if life is not None and life.console is not None and life.alive:
            life.begin(self._do(one, life.console))

    async def _do(self, one: Disturbance, console: DaemonConsole) -> None:
        does: dict[str, Callable[[DaemonConsole, Any], Awaitable[None]]] = {
            "pause": self._pause,
            "resume": self._resume,
            "override": self._override,
            "resolve": self._too_early,
        }
        if "orders" not in console.names():
            return  # the API would not know whom he means
        try:
            await does[one.values["does"]](console, one.values)
        except (ChangeRefusedError, ChangeInvalidError, StoreError) as error:
            self._history.note(f"refused: {error}")

    async def _pause(self, console: DaemonConsole, values: Any) -> None:
        lasts = None if values["lasts"] is None else timedelta(seconds=values["lasts"])
        if lasts is None:  # somebody comes back for it
            again = Disturbance(0.0, "hand", {**values, "does": "resume", "when": "now"})
            asyncio.get_running_loop().call_later(values["back_after"], self._begin_again, again)
        answer = await console.pause(None if values["all"] else "orders", lasts=lasts, reason="", who=WHO)
        (changed,) = answer["changed"]
        until = None if changed["until"] is None else datetime.fromisoformat(changed["until"])
        self._standing.pauses.append(Paused(until, values["all"]))

    def _begin_again(self, one: Disturbance) -> None:
        """Until somebody is there to answer; outside of the process that was asked first."""
        self._begin(one)
        if any(pause.until is None and not pause.resumed for pause in self._standing.pauses):
            asyncio.get_running_loop().call_later(LOOKS_EVERY, self._begin_again, one)

    async def _resume(self, console: DaemonConsole, values: Any) -> None:
        overrides = list(self._standing.overrides)
        self._may_be_resumed(values)
        await console.resume(
            None if values["all"] else "orders", breaker=values["breaker"], override=values["override"], who=WHO
        )
        self._may_be_resumed(values)  # those, too, that were set meanwhile
        if values["override"]:
            for one in overrides:
                one.over = True

    def _may_be_resumed(self, values: Any) -> None:
        for pause in self._standing.pauses:
            pause.resumed = pause.resumed or values["all"] or not pause.of_all

    async def _override(self, console: DaemonConsole, values: Any) -> None:
        earlier, given = list(self._standing.overrides), Given(values["nodes"])
        self._standing.overrides.append(given)
        bounds = console.policies["orders"].bounds
        try:
            await console.override(
                "orders", nodes=values["nodes"], lasts=timedelta(seconds=values["lasts"] or 3600), reason="", who=WHO
            )
        except (ChangeRefusedError, ChangeInvalidError):
            self._standing.overrides.remove(given)
            raise
        for one in earlier:
            one.over = True
        if not bounds.min <= values["nodes"] <= bounds.max:
            self._history.ledger.wrong(f"{values['nodes']} nodes were accepted, of {bounds}")

    async def _too_early(self, console: DaemonConsole, _values: Any) -> None:
        """Whoever would close an operation whose job runs is refused; he is not an honest one, so he is alone here."""
        if not self._history.plan.only("hand"):
            return
        world, instance = self._history.world, self._history.the_instance.id
        before = world.running_job(instance)
        if before is None or before.shows_at > self._history.timeline.now:
            return
        await console.resolve("orders", outcome="succeeded", reason="", who=WHO)
        if world.running_job(instance) is before:
            self._history.ledger.wrong(f"an operation was closed by hand while {before.id} ran")

    # What became of a call

    async def _tell(self, before: int) -> None:
        """Look again and again for the call that comes next, until it could be closed or was found without us."""
        for _ in range(LOOKS):
            await asyncio.sleep(LOOKS_EVERY)
            calls = self._history.ledger.calls
            life = self._history.leader()
            if len(calls) > before and life is not None and life.console is not None:
                became = self._became(calls[before])
                if became is not None:
                    await asyncio.wait([life.begin(self._close(life.console, calls[before], became))])
                    return

    def _became(self, call: Call) -> str | None:
        """What is sure by now, as the cloud's own people would tell it."""
        if call.mutation is None:
            return None
        if not call.mutation.accepted:
            return "never_happened"
        job = next((one for one in self._history.world.jobs if one.id == call.mutation.job_id), None)
        if job is None or job.running or job.status is records.JobStatus.RUNNING:
            return None
        return outcomes(job)[0]

    async def _close(self, console: DaemonConsole, call: Call, became: str) -> None:
        shown = (console.target("orders") or {}).get("operation")
        if shown is None or shown["id"] != call.intent:
            return  # it was found without him
        try:
            shown = await console.resolve("orders", outcome=became, reason="the cloud's page says so", who=WHO)
        except (ChangeRefusedError, StoreError) as error:
            self._history.note(f"refused: {error}")
        else:
            self._history.note(f"closed as {became}")
            self._history.report.resolved += 1
            if shown["id"] != call.intent:
                self._history.ledger.wrong(f"operation {shown['id']} was closed in the place of {call.intent}")

    @property
    def _standing(self) -> Any:
        return self._history.watch.standing
