"""What the log says of a reload."""

from autoscaler.errors import Problem
from autoscaler.ports import Cause, Change, Reload
from autoscaler.telemetry import reload_lines

CHANGE = Change("nodes.max", 16, 20)


def lines(**more) -> list[reload_lines.Line]:
    return list(reload_lines.of(Reload(cause=Cause.FILES, **more)))


def test_what_changed_is_a_line_for_each_key():
    told = lines(
        added=("new",),
        removed=("old",),
        changed={"orders": (CHANGE, Change("flavor_id", None, "f"))},
        fleet=(Change("limits.nodes", 5, None),),
        settings=(Change("log.level", "info", "debug"),),
    )
    assert told == [
        (
            "info",
            "the configuration was read anew",
            {"cause": "files", "added": "new", "removed": "old", "changed": "orders"},
        ),
        ("info", "orders: nodes.max was 16, is 20", {}),
        ("info", "orders: flavor_id was null, is f", {}),
        ("info", "fleet: limits.nodes was 5, is null", {}),
        ("info", "settings: log.level was info, is debug", {}),
    ]


def test_that_nothing_changed_is_said_with_what_somebody_should_look_at():
    assert lines(by="ann", needs_restart=("store", "server.listen"), warnings=("odd",)) == [
        ("info", "the configuration was read anew: nothing changed", {"cause": "files", "by": "ann"}),
        ("warning", "restart the daemon to have it obey what else was changed: store, server.listen", {}),
        ("warning", "odd", {}),
    ]


def test_everything_that_is_wrong_is_a_line():
    told = lines(problems=(Problem("p.yaml", 3, 5, "a.b", "is wrong"), Problem("p.yaml", 4, 1, "", "too")))
    words = "the configuration is not valid: nothing of it is obeyed, the last good one goes on"
    assert told == [
        ("error", words, {"cause": "files", "problems": 2}),
        ("error", "p.yaml:3:5: a.b: is wrong", {}),
        ("error", "p.yaml:4:1: too", {}),
    ]


def test_a_thousand_changes_do_not_fill_the_log():
    names = [f"t{number}" for number in range(1000)]
    told = lines(added=tuple(names), changed=dict.fromkeys(names, (CHANGE,)))
    assert len(told) == 2 + reload_lines.MOST_LINES
    assert told[-1] == ("info", "and 950 more", {})
    assert str(told[0][2]["added"]).endswith("t49 and 950 more")
