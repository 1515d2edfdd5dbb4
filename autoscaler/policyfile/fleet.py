"""The fleet of some policy files: it stands in one of them only, and holds for the targets of all."""

from collections.abc import Iterator, Sequence

from autoscaler import errors
from autoscaler.core import policy as core
from autoscaler.policyfile.model import FleetKeys
from autoscaler.yamlfile.node import Node


def told_twice(trees: Sequence[Node]) -> Iterator[errors.Problem]:
    """Every fleet but the first."""
    written = _written(trees)
    for other in written[1:]:
        yield other.key.problem(f"a fleet stands at {written[0].key}; it holds for all targets, so keep one of them")


def of(trees: Sequence[Node]) -> core.Fleet | None:
    """The fleet of files without problems; None where none has one."""
    for node in _written(trees):
        keys = FleetKeys.model_validate(node.plain())
        budget = keys.budget
        return core.Fleet(
            limits=core.FleetLimits(nodes=keys.limits.nodes, added_per_hour=keys.limits.added_per_hour),
            budget=None if budget is None else core.Budget(budget.node_hours_per_day, budget.warn_at),
            place=f"{node.key.file}:{node.key.line}",
        )
    return None


def _written(trees: Sequence[Node]) -> list[Node]:
    return [node for node in (tree.child("fleet") for tree in trees) if node is not None]
