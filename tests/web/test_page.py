"""The page at `/`: what it shows in each state, and that nothing in it can come from outside."""

import re
from html.parser import HTMLParser

import pytest

from autoscaler.web import view
from tests.web.conftest import NOW, held, operation, record, target

VOID = {"meta", "link", "img", "rect", "br"}


class Document(HTMLParser):
    """Text, elements, and whether every element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text = f"{self.text} {data.strip()}".strip()

    def of(self, tag: str, klass: str = "") -> list[dict[str, str | None]]:
        return [
            found for name, found in self.elements if name == tag and klass in (found.get("class") or "").split(" ")
        ]


def page(served) -> Document:
    answer = served.http.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return Document(answer.text)


@pytest.mark.parametrize("count", [0, 1, 2, 200])
def test_it_shows_every_target(served, count):
    served.console.shown = [target(f"t{number}") for number in range(count)]

    shown = page(served)

    assert len(shown.of("article", "card")) == count
    assert shown.open == []
    assert ("No targets yet" in shown.text) == (count == 0)


def test_a_target_is_told_in_words_and_in_marks(served):
    served.console.shown = [
        target(cooldowns={"out": 540.0, "in": 0.0}, operation=operation(), instance_status="GROWING")
    ]

    shown = page(served)

    for words in (
        "orders",
        "enforce",
        "GROWING",
        "3 → 4 nodes, 2 ready min 2 – max 16",
        "cpu 81.2 % out above 75, 92; in below 30",
        "held at 3 nodes: no rule wants a change (cpu 81.2) 60 s ago",
        "operation out by 1 node: under way, since 10 min",
        "cooldown out 9 min",
    ):
        assert words in shown.text
    assert [len(shown.of("i", kind)) for kind in ("ready", "busy", "wanted", "free")] == [2, 1, 1, 12]


def test_a_target_without_a_reading_and_one_with_an_error_say_so(served):
    served.console.shown = [
        target("new", nodes=None, decision=None, instance_status=None),
        target("lost", error="no such group: f080"),
        target("idle", mode="off", nodes=None, decision=None),
        target("late", operation=operation("unknown"), overdue=True),
    ]

    shown = page(served).text

    for words in ("not looked at yet", "error no such group: f080", "left alone", "overdue: look at the instance"):
        assert words in shown


def test_decisions_of_all_targets_are_in_order_with_equal_holds_folded(served):
    served.console.shown = [target("a"), target("b")]
    served.console.records = {
        "a": [record(9, target="a"), record(8, target="a"), record(7, "out", "above_threshold", target="a")],
        "b": [record(8, "in", "below_threshold", target="b")],
    }

    shown = page(served).text.split(" Decisions ")[1]

    assert re.findall(r"09:\d\d:00 [ab] (?:held|scaling \w+)", shown) == [
        "09:09:00 a held",
        "09:08:00 b scaling in",
        "09:07:00 a scaling out",
    ]
    assert "× 2 since 09:08:00" in shown


def test_operations_show_their_outcome_and_whose_they_are(served):
    served.console.ended = [
        operation("succeeded", ended_at="2026-11-23T09:56:00Z", detail="accepted as job 7"),
        operation("succeeded", ended_at="2026-11-23T09:50:00Z", foreign=True),
        operation("rejected", shadow=True),
    ]

    shown = page(served).text

    assert "succeeded 6 min accepted as job 7" in shown
    assert "somebody else" in shown
    assert "shadow" in shown


@pytest.mark.parametrize(
    ("state", "badge", "notice"),
    [
        ({"readiness": (False, "not signed in yet")}, "not ready", "Starting. not signed in yet"),
        ({"health": (False, "the beat is old")}, "not healthy", "Not healthy. the beat is old"),
        ({"broken": "the disk is gone"}, "ready", "The store cannot be read. the disk is gone"),
    ],
    ids=["starting", "unhealthy", "no store"],
)
def test_a_bad_state_is_said_at_the_top(served, state, badge, notice):
    for name, value in state.items():
        setattr(served.console, name, value)

    shown = page(served).text

    assert badge in shown
    assert notice in shown


HOSTILE = "<script>alert(1)</script>\"'&{{ 7 * 7 }}</article>"


def test_hostile_names_and_words_are_text_and_nothing_else(served):
    rule = target()["rules"][0] | {"name": HOSTILE}
    served.console.shown = [
        target(
            HOSTILE, error=HOSTILE, mode=HOSTILE, instance_status=HOSTILE, rules=[rule], operation=operation(HOSTILE)
        )
    ]
    served.console.records = {HOSTILE: [record(target=HOSTILE)]}
    served.console.ended = [operation(HOSTILE, target=HOSTILE, detail=HOSTILE)]
    served.console.readiness = (False, HOSTILE)

    shown = page(served)

    assert [found.get("src") for found in shown.of("script")] == ["/static/refresh.js"]
    assert HOSTILE in shown.text
    assert shown.open == []


def test_nothing_comes_from_another_host_or_from_within_the_page(served):
    served.console.shown = [target()]
    shown = page(served)

    for name, attributes in shown.elements:
        assert not [key for key in attributes if key == "style" or key.startswith("on")], name
        for key in ("src", "href"):
            assert (attributes.get(key) or "/").startswith("/")
    assert shown.of("style") == []


def test_all_its_files_are_there(served):
    shown = page(served)
    files = {
        found[key] for _, found in shown.elements for key in ("src", "href") if "/static/" in (found.get(key) or "")
    }

    assert files == {"/static/icon.svg", "/static/style.css", "/static/refresh.js"}
    for file in files:
        assert served.http.get(file).status_code == 200


def test_it_refreshes_itself_without_javascript_too(served):
    assert {"http-equiv": "refresh", "content": "15"} in page(served).of("meta")


NODES = {
    "at rest": ((3, 3, 3, 4), "ready ready ready free"),
    "growing": ((3, 2, 4, 5), "ready ready busy wanted free"),
    "shrinking": ((3, 3, 2, 4), "ready ready leaving free"),
    "above max": ((4, 4, 4, 2), "ready ready ready ready"),
    "none": ((0, 0, 2, 2), "wanted wanted"),
    "all lost": ((2, 0, 1, 2), "busy busy"),
}


@pytest.mark.parametrize(("counts", "expected"), NODES.values(), ids=NODES)
def test_there_is_a_mark_for_every_node(counts, expected):
    nodes = dict(zip(("current", "ready", "desired", "max"), counts, strict=True)) | {"min": 1}

    assert " ".join(view.pips(nodes)) == expected


def test_no_more_marks_than_an_instance_has_nodes():
    assert len(view.pips({"current": 2, "ready": 2, "desired": 2, "min": 1, "max": 500})) == 32


LOADS = {
    "above": (80.0, {"above": [75.0], "below": [30.0]}, "%", ("high", 80.0, (75.0, 30.0))),
    "exactly at it": (75.0, {"above": [75.0], "below": [30.0]}, "%", ("calm", 75.0, (75.0, 30.0))),
    "below": (20.0, {"above": [75.0], "below": [30.0]}, "%", ("low", 20.0, (75.0, 30.0))),
    "without an in": (0.0, {"above": [75.0], "below": []}, "%", ("calm", 0.0, (75.0,))),
    "tracking": (500.0, {"target": 1000.0}, "", ("calm", 40.0, (80.0,))),
    "missing": (None, {"target": 60.0}, "%", ("missing", 0.0, (60.0,))),
    "far beyond": (300.0, {"above": [75.0]}, "%", ("high", 100.0, (25.0,))),
    "nothing to go by": (0.0, {}, "", ("calm", 0.0, ())),
}


@pytest.mark.parametrize(("value", "thresholds", "unit", "expected"), LOADS.values(), ids=LOADS)
def test_a_load_is_a_bar_with_a_mark_for_each_threshold(value, thresholds, unit, expected):
    decision = record()
    decision["rules"][0]["value"] = value
    rule = {"name": "cpu", "unit": unit, "thresholds": thresholds}

    (load,) = view.card(target(rules=[rule], decision=decision), NOW).loads

    assert (load.state, load.fill, load.marks) == expected


def test_what_was_set_by_hand_is_on_the_target_with_its_end_and_reason(served):
    served.console.shown = [
        target(
            pauses=[held(all=True, who="ann", reason="<b>a move</b>")],
            override=held(nodes=6, until="2026-11-23T11:05:00Z", who="bob", reason="a sale"),
        ),
        target("other"),
    ]

    shown = page(served)

    assert len(shown.of("p", "hand")) == 2
    assert "by hand all targets are paused by ann until it is resumed: <b>a move</b>" in shown.text
    assert "by hand 6 nodes set by hand by bob until 2026-11-23 11:05 UTC (1 h 5 min left): a sale" in shown.text
