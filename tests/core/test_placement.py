"""Where nodes are added, and which ones are removed."""

import pytest

from autoscaler.core import placement
from autoscaler.core.target import Node


@pytest.mark.parametrize(
    ("now", "sellable", "count", "expected"),
    [
        pytest.param("a a b", "a b", 1, "b", id="the-zone-with-the-fewest"),
        pytest.param("a a b", "a b", 2, "b a", id="then-they-are-even-and-the-first-is-next"),
        pytest.param("a a a b", "a b", 3, "b b a", id="filled-up-one-by-one"),
        pytest.param("a b", "b a", 1, "b", id="ties-go-by-the-order-given"),
        pytest.param("a a", "a b c", 3, "b c b", id="an-empty-zone-is-the-emptiest"),
        pytest.param("a b b b", "b", 2, "b b", id="a-sold-out-zone-is-skipped"),
        pytest.param("x x", "a", 1, "a", id="none-of-the-zones-now-is-on-sale"),
        pytest.param("", "a b", 2, "a b", id="an-empty-group"),
        pytest.param("a", "", 2, "", id="nothing-on-sale"),
        pytest.param("a", "a", 0, "", id="none-wanted"),
    ],
)
def test_new_nodes_go_where_the_fewest_are(now, sellable, count, expected):
    assert " ".join(placement.zones_for_new_nodes(now.split(), sellable.split(), count)) == expected


@pytest.mark.parametrize(
    ("group", "count", "expected"),
    [
        pytest.param("1:a 2:a 3:b", 1, "1", id="from-the-fullest-zone"),
        pytest.param("3:a 1:b 2:a", 1, "2", id="ties-go-by-id"),
        pytest.param("1:a 2:b 3:b 4:b", 2, "2 3", id="always-from-the-fullest"),
        pytest.param("1:a 2:a 3:b 4:b", 2, "1 3", id="zones-stay-even"),
        pytest.param("1:a 2:a 3:b!", 1, "3", id="a-failed-one-first"),
        pytest.param("1:a! 2:b 3:b! 4:b", 2, "3 1", id="failed-ones-by-the-fullest-zone"),
        pytest.param("1:a! 2:b 3:b", 2, "1 2", id="then-the-others"),
        pytest.param("1:a 2:a", 2, "1", id="at-least-one-stays"),
        pytest.param("1:a! 2:a", 5, "1", id="the-one-that-stays-serves"),
        pytest.param("1:a", 1, "", id="the-last-one-is-never-removed"),
        pytest.param("", 1, "", id="an-empty-group"),
        pytest.param("1:a 2:a", 0, "", id="none-wanted"),
        pytest.param("2: 1: 3:", 1, "1", id="zones-not-told"),
        pytest.param("1:a 2: 3:", 1, "2", id="those-not-told-count-as-one-zone"),
    ],
)
def test_nodes_leave_failed_ones_first_then_from_the_fullest_zone(group, count, expected):
    """`2:b!` is node 2 in zone b, failed."""
    words = [word.split(":") for word in group.split()]
    nodes = [Node(name, "abnormal" if zone.endswith("!") else "normal") for name, zone in words]
    zones = {name: zone.rstrip("!") for name, zone in words}
    assert " ".join(placement.nodes_to_remove(nodes, zones, count)) == expected
