"""Where nodes are added and which are removed, for the API that asks for it (v3)."""

from collections import Counter
from collections.abc import Mapping, Sequence

from autoscaler.core.target import Node, NodeState


def zones_for_new_nodes(zones_now: Sequence[str], sellable: Sequence[str], count: int) -> tuple[str, ...]:
    """A zone for each new node: always the one with the fewest nodes, of those where the flavor is on sale.

    Empty where nothing is on sale. Ties go by the order of `sellable`.
    """
    filled = Counter(zones_now)
    chosen: list[str] = []
    for _ in range(count if sellable else 0):
        zone = min(sellable, key=lambda name: filled[name])
        filled[zone] += 1
        chosen.append(zone)
    return tuple(chosen)


def nodes_to_remove(nodes: Sequence[Node], zones: Mapping[str, str], count: int) -> tuple[str, ...]:
    """Ids of the nodes to remove: faulty ones first, then always one from the fullest zone; at least one stays.

    Ties go by id, so that the same group always gives the same answer.
    """
    left = sorted(nodes, key=lambda node: node.id)
    chosen: list[str] = []
    for _ in range(min(count, len(left) - 1)):
        filled = Counter(zones.get(node.id, "") for node in left)
        leaver = max(left, key=lambda node: (node.state is NodeState.FAULTY, filled[zones.get(node.id, "")]))
        left.remove(leaver)
        chosen.append(leaver.id)
    return tuple(chosen)
