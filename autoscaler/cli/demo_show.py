"""What the demo tells while it plays, on stderr, and its summary at the end."""

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from autoscaler.clock import Clock
from autoscaler.core import sentence
from autoscaler.core.figures import counted
from autoscaler.ports import Console

LOOK_EVERY = 0.2
"""Real seconds."""

ALL = 100_000
"""More records than a demo leaves."""


@dataclass
class Show:
    """Follows the daemon through its console, as any caller of the API could."""

    console: Console
    clock: Clock
    trace_begin: datetime  # what the trace's clock shows at the start
    begun: datetime
    target: str
    told: set[str] = field(default_factory=set)
    status_shown: bool = False

    async def follow(self) -> None:
        """Tell what is new, until cancelled; on a terminal also where things stand."""
        while True:
            self.tell()
            await asyncio.sleep(LOOK_EVERY)

    def tell(self) -> None:
        """Every step of an operation once, in the order in which they happened."""
        for operation in reversed(self.console.operations(self.target, limit=ALL)):
            self._once(operation)
        if sys.stderr.isatty():
            self._status()

    def _once(self, operation: dict[str, Any]) -> None:
        key = f"{operation['id']} {operation['state']}"
        if operation["state"] == "planned" or key in self.told:
            return
        self.told.add(key)
        moment = operation["ended_at"] or operation["submitted_at"] or operation["committed_at"]
        words = f"{operation['direction']} {operation['change']}: {operation['state']}"
        why = self._why(operation) if operation["state"] == "submitted" else operation["detail"]
        self._line(f"{self._trace_time(moment)}  {words:22} {why}".rstrip())

    def _why(self, operation: dict[str, Any]) -> str:
        for record in self.console.decisions(self.target, before=None, since=None, limit=20):
            if record["decision"] == operation["direction"]:
                return sentence.sentence(record)
        return ""

    def _status(self) -> None:
        shown = next(self.console.targets())
        nodes, decision = shown["nodes"], shown["decision"]
        if nodes is None:
            return
        value = next((rule["value"] for rule in decision["rules"] if rule["value"] is not None), None)
        load = "no data" if value is None else f"cpu {value:5.1f} %"
        bar = "█" * nodes["ready"] + "░" * (nodes["current"] - nodes["ready"])
        line = f"{self._trace_time(decision['at'])}  {load}  {bar:16} {nodes['current']:2} nodes  {decision['reason']}"
        sys.stderr.write(f"\r\033[K{line}")
        sys.stderr.flush()
        self.status_shown = True

    def _line(self, text: str) -> None:
        sys.stderr.write(f"\r\033[K{text}\n" if self.status_shown else f"{text}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the status line standing, so that what follows has a line of its own."""
        if self.status_shown:
            sys.stderr.write("\n")
            sys.stderr.flush()

    def _trace_time(self, moment: str) -> str:
        passed: timedelta = datetime.fromisoformat(moment) - self.begun
        return (self.trace_begin + passed).strftime("%a %H:%M")

    def summary(self, metrics_url: str) -> dict[str, Any]:
        """What happened, counted from the history; `enlarges` are the calls that the cloud accepted."""
        records = self.console.decisions(self.target, before=None, since=None, limit=ALL)
        operations = [one for one in self.console.operations(self.target, limit=ALL) if not one["foreign"]]
        accepted = Counter(one["direction"] for one in operations if one["job_id"] or one["order_id"])
        states = Counter(one["state"] for one in operations)
        sizes = [record["nodes"]["current"] for record in reversed(records)] or [0]
        return {
            "decisions": len(records),
            "enlarges": accepted["out"],
            "reduces": accepted["in"],
            "nodes_start": sizes[0],
            "nodes_max": max(sizes),
            "nodes_end": sizes[-1],
            "operations_succeeded": states["succeeded"],
            "operations_failed": states["failed"] + states["never_happened"],
            "metrics_url": metrics_url,
        }


def as_text(summary: dict[str, Any]) -> str:
    """The summary for people."""
    return (
        f"{counted(summary['decisions'], 'decision')}, {counted(summary['enlarges'], 'enlarge')} and "
        f"{counted(summary['reduces'], 'reduce')} accepted, {counted(summary['operations_succeeded'], 'operation')} "
        f"succeeded, {summary['operations_failed']} failed.\n"
        f"Nodes: {summary['nodes_start']} at the start, {summary['nodes_max']} at the most, "
        f"{summary['nodes_end']} at the end.\n"
    )
