"""Whether the windows of a target make sense: those of its schedules, and those of its blackouts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from autoscaler import errors
from autoscaler.core.target import MAX_NODES_PER_INSTANCE
from autoscaler.policyfile import model
from autoscaler.policyfile.draft import Draft
from autoscaler.yamlfile import quantities
from autoscaler.yamlfile.node import Node, Place

LONGEST_DURATION = timedelta(days=366)

Problems = Iterator[errors.Problem]


def schedule(draft: Draft, index: int, rule: model.ScheduleKeys) -> Problems:
    """All that makes no sense in one rule of type schedule."""
    found = _Window(draft, ("rules", index), rule)
    yield from found.problems()
    yield from _nodes(found, rule.nodes)


def blackout(draft: Draft, index: int, keys: model.BlackoutKeys) -> Problems:
    """All that makes no sense in one blackout."""
    found = _Window(draft, ("guards", "blackout", index), keys)
    yield from found.problems()
    if not keys.directions and found.is_whole("directions"):
        yield found.place("directions").problem("is empty, so it stops nothing; write out, in, or both")


def _nodes(rule: "_Window", nodes: model.ScheduleNodesKeys) -> Problems:
    if nodes.min is None and nodes.max is None and rule.is_whole("nodes"):
        yield rule.place("nodes").problem(
            "has neither min nor max; say how few nodes while it is open, how many, or both"
        )
    if nodes.min is not None and nodes.max is not None and nodes.min > nodes.max:
        yield rule.place("nodes", "min").problem(
            f"the floor {nodes.min} is above the cap {nodes.max}; lower min or raise max"
        )
    if nodes.min is not None and nodes.min > MAX_NODES_PER_INSTANCE:
        yield rule.place("nodes", "min").problem(
            f"min {nodes.min} can never be; an instance has at most {MAX_NODES_PER_INSTANCE} nodes"
        )


@dataclass(frozen=True)
class _Window:
    """One window of a draft, with its place."""

    draft: Draft
    location: tuple[str | int, ...]
    keys: model.WindowKeys

    def place(self, *below: str | int) -> Place:
        """Where a part of the window stands."""
        return self.draft.place(*self.location, *below)

    @property
    def node(self) -> Node:
        """The mapping that holds the window."""
        found = self.draft.tree.at(*self.location)
        return found if found is not None else self.draft.tree

    def is_whole(self, key: str) -> bool:
        """Whether nothing was cut out of the value of a key."""
        return self.draft.is_whole(key, of=self.node)

    def is_written(self, key: str) -> bool:
        """Whether the key stands there; `null` is as good as left out."""
        child = self.node.child(key)
        return child is not None and child.value is not None

    def problems(self) -> Problems:
        """All that makes no sense in this window."""
        recurring = [key for key in ("cron", "duration") if self.is_written(key)]
        once = [key for key in ("from", "to") if self.is_written(key)]
        if recurring and once:
            yield self.place(once[0]).problem(
                "a window has cron and duration, or from and to, not both; take one pair out"
            )
        elif once:
            yield from self._once(once)
        else:
            yield from self._recurring(recurring)

    def _recurring(self, written: list[str]) -> Problems:
        if not written:
            yield self.node.place.problem(
                "has no time; give it cron and duration, such as '0 8 * * mon-fri' and 10h, or from and to"
            )
        elif written == ["cron"]:
            yield self.place("duration").problem("is missing; say how long the window stays open, such as 10h")
        elif written == ["duration"]:
            yield self.place("cron").problem("is missing; say when the window opens, such as '0 8 * * mon-fri'")
        span = self.keys.duration
        if span is not None and not timedelta(0) < span <= LONGEST_DURATION:
            yield self.place("duration").problem(
                f"{quantities.write_duration(span)} is not allowed; a window stays open for 1s to 366d"
            )

    def _once(self, written: list[str]) -> Problems:
        if written == ["from"]:
            yield self.place("to").problem("is missing; say when the window closes, such as 2026-12-24T18:00:00Z")
        elif written == ["to"]:
            yield self.place("from").problem("is missing; say when the window opens, such as 2026-12-24T08:00:00Z")
        if self.is_written("timezone"):
            yield self.place("timezone").problem("belongs to cron; from and to have their own offset, so take it out")
        start, end = self.keys.from_, self.keys.to
        if start is not None and end is not None and start >= end:
            yield self.place("to").problem("is not after from, so the window never opens; write a later instant")
