"""A target's page and that of a decision: what they show in each state."""

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.web import of_target, progress
from tests.web.conftest import NOW, held, intervention, operation, record, target
from tests.web.test_page import HOSTILE, Document, page

PATH = "/targets/orders"
OUT = record(50, "out", "above_threshold")


def test_it_tells_what_the_target_is_at(served):
    served.console.shown = [
        target(cooldowns={"out": 540.0, "in": 0.0}, instance_status="GROWING", error="no such group")
    ]
    served.console.records = {"orders": [record(59), record(58), OUT]}

    shown = page(served, PATH).text

    for words in (
        "needs you enforce GROWING",
        "The last look failed. no such group",
        "held at 3 nodes: no rule wants a change (cpu 81.2) 60 s ago",
        "3 → wanted 4 2 ready · min 2, max 16",
        "cpu 81.2 % out above 75, 92; in below 30",
        "Cooldown out 9 min left",
        "09:59:00 held at 3 nodes: no rule wants a change (cpu 81.2) 2 since 09:58:00",
        "09:50:00 scaling out from 3 to 4 nodes: cpu was 81.2, above its threshold 1",
    ):
        assert words in shown


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"decision": None, "nodes": None}, "Not evaluated yet"),
        ({"decision": None, "nodes": None, "mode": "off"}, "Left alone: its mode is off."),
    ],
    ids=["new", "off"],
)
def test_without_a_decision_it_says_so(served, state, words):
    served.console.shown = [target(**state)]

    shown = page(served, PATH)

    for said in (words, "No decision yet.", "No operation yet", "Nobody has paused", "— min 2, max 16"):
        assert said in shown.text
    assert shown.open == []


def test_the_policy_is_shown_with_where_each_value_was_written(served):
    shown = page(served, PATH).text

    for words in (
        "policies/orders.yaml:4",
        "mode enforce defaults",
        "nodes.min 2 target",
        "limits.add not set built in",
        "rules name: cpu, metric: {name: ddm_cpu_util, period: 1m}, out: [{above: 75, for: 5m}], in: [] target",
    ):
        assert words in shown


def test_what_operators_did_is_told(served):
    served.console.shown = [target(pauses=[held(all=False, who="ann", reason="a move")])]
    served.console.done = [
        intervention(),
        intervention("override", nodes=6, until="2026-11-23T11:00:00Z"),
        intervention("pause", None, ended_at="2026-11-23T09:30:00Z", ended_by="ben", ended_reason="it moved"),
        intervention("breaker_reset", who="cem", reason=""),
        intervention("reload", None, who="SIGHUP", reason="orders: nodes.max was 16, is 20"),
    ]

    shown = page(served, PATH).text

    for words in (
        "By hand: paused by ann until it is resumed: a move",
        "09:00:00 paused a move ann until resumed",
        "set to 6 nodes a move ann until 2026-11-23 11:00:00",
        "paused all targets a move ann taken back 2026-11-23 09:30:00 by ben: it moved",
        "closed the breaker — cem —",
        "read the configuration anew orders: nodes.max was 16, is 20 SIGHUP —",
    ):
        assert words in shown


def test_older_decisions_are_a_link_away(served):
    many = [
        record(minute % 60) | {"at": f"2026-11-{day:02}T09:{minute:02}:00Z"}
        for day in (23, 22, 21, 20, 19)
        for minute in range(59, -1, -1)
    ]
    served.console.records = {"orders": many}

    shown = page(served, PATH)
    (older,) = [link["href"] for link in shown.of("a") if (link["href"] or "").startswith("?before=")]

    assert "the newest" not in shown.text
    assert "before 2026-11-20T09:00:00Z · the newest" in page(served, f"{PATH}{older}").text


def test_an_unknown_target_is_404_with_what_there_is(served):
    answer = served.http.get("/targets/order")

    assert answer.status_code == 404
    text = Document(answer.text).text
    assert "No target “order” There is none of that name; did you mean orders?" in text


@pytest.mark.parametrize(
    ("count", "words"), [(0, "There are no targets yet."), (40, "and 10 more")], ids=["none", "many"]
)
def test_404_names_so_many_and_no_more(served, count, words):
    served.console.shown = [target(f"t{number}") for number in range(count)]

    assert words in Document(served.http.get("/targets/unlike").text).text


def test_a_store_that_cannot_be_read_is_no_missing_target(served):
    served.console.broken = "the disk is gone"
    answer = served.http.get(PATH)

    assert answer.status_code == 503
    assert "The store cannot be read. the disk is gone This cannot be shown now" in Document(answer.text).text


@pytest.mark.parametrize("path", [PATH, f"{PATH}/decisions/{OUT['at']}", "/"])
def test_where_only_the_history_cannot_be_read_the_page_says_so(served, path):
    served.console.no_history = "others wait for its answer"

    answer = served.http.get(path)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.status_code == (503 if "decisions" in path else 200)
    assert "The store cannot be read. others wait for its answer" in Document(answer.text).text


def test_a_decision_is_explained_stage_by_stage(served):
    served.console.records = {"orders": [record(59), OUT]}

    shown = page(served, f"{PATH}/decisions/{OUT['at']}").text

    for words in (
        "2026-11-23 09:50:00 UTC",
        "scaling out from 3 to 4 nodes: cpu was 81.2, above its threshold.",
        "Stages now 3 nodes combine 4 cpu",
        "rule cpu wants 4 above threshold, 81.2 as of 08:59 UTC, 5 samples",
        "nodes 3, 2 ready; min 2, max 16",
        "policy policies/orders.yaml:4",
    ):
        assert words in shown
    assert "cooldown none" not in shown
    assert "cooldown none" in page(served, f"{PATH}/decisions/{record(59)['at']}").text


def test_the_last_decision_is_explained_though_nobody_has_written_it_down(served):
    """As of a daemon that stands by."""
    served.console.records = {}

    shown = page(served, f"{PATH}/decisions/{target()['decision']['at']}").text

    assert "held at 3 nodes: no rule wants a change (cpu 81.2)." in shown


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"{PATH}/decisions/2026-11-23T09:51:00Z", 404, "there is no decision of 2026-11-23T09:51:00Z"),
        ("/targets/none/decisions/2026-11-23T09:51:00Z", 404, "No target “none”"),
        (f"{PATH}/decisions/yesterday", 422, "at: "),
    ],
    ids=["another time", "another target", "no time"],
)
def test_what_is_not_there_is_said(served, path, status, words):
    answer = served.http.get(path)

    assert answer.status_code == status
    assert words in Document(answer.text).text.replace("  ", " ").replace("Of orders there", "there")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00%2B14:00", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z"])
def test_at_the_ends_of_time_there_is_no_decision(served, at):
    answer = served.http.get(f"{PATH}/decisions/{at}")

    assert answer.status_code == 404
    assert "No such decision" in Document(answer.text).text


@pytest.mark.parametrize("before", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59.999999-14:00"])
def test_older_decisions_may_be_asked_for_at_the_ends_of_time(served, before):
    assert page(served, f"{PATH}?before={before}").open == []


def test_hostile_words_are_text_and_nothing_else(served):
    hostile = operation(HOSTILE, detail=HOSTILE, job_id=HOSTILE)
    served.console.shown = [target(mode=HOSTILE, instance_status=HOSTILE, operation=hostile, error=HOSTILE)]
    served.console.records = {"orders": [record(59, reason=HOSTILE)]}
    served.console.ended = [hostile]
    served.console.done = [intervention(reason=HOSTILE, who=HOSTILE)]

    for path in (PATH, f"{PATH}/decisions/{record(59)['at']}", f"/targets/{HOSTILE.replace('/', '')}"):
        shown = Document(served.http.get(path).text)
        assert "<script>alert" in shown.text
        assert {found["src"] for found in shown.of("script")} <= {
            "/static/target.js",
            "/static/vendor/uplot/uPlot.iife.min.js",
        }
        assert shown.open == []


def test_all_its_files_are_there(served):
    shown = page(served, PATH)
    files = {
        found[key] for _, found in shown.elements for key in ("src", "href") if "/static/" in (found.get(key) or "")
    }

    assert len(files) == 5
    for file in [*files, "/static/charts.js", "/static/gestures.js", "/static/steer.js"]:
        assert served.http.get(file).status_code == 200


STEPS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "planned": ({}, ["done", "now", "next", "next", "next"]),
    "submitted": ({"submitted_at": "2026-11-23T09:51:00Z"}, ["done", "done", "done", "now", "next"]),
    "unknown": ({}, ["done", "done", "now", "next", "next"]),
}


@pytest.mark.parametrize(("state", "more", "states"), [(state, *rest) for state, rest in STEPS.items()], ids=STEPS)
def test_an_operation_shows_how_far_it_has_come(state, more, states):
    found = progress.of(target(operation=operation(state, **more)), [], NOW)

    assert found is not None
    assert [step.state for step in found.steps] == states
    assert (found.seconds, found.usual, found.lasting) == (600, 0, "10 min")


def test_it_is_seen_beside_those_that_ended():
    ended = [operation("succeeded", ended_at=f"2026-11-23T09:{minute}:00Z") for minute in (52, 54, 58)]
    others = [
        operation("failed", ended_at="2026-11-23T09:51:00Z"),
        ended[0] | {"direction": "in"},
        ended[0] | {"foreign": True},
    ]

    found = progress.of(target(operation=operation()), [*ended, *others], NOW)

    assert found is not None
    assert found.lasting == f"10 min of usually {4} min"
    assert timedelta(seconds=found.usual) == timedelta(minutes=4)


def test_an_operation_is_on_the_page_with_its_steps(served):
    served.console.shown = [
        target(operation=operation("submitted", direction="in", submitted_at="2026-11-23T09:51:00Z", job_id="job-7"))
    ]

    shown = page(served, PATH)

    assert "Scaling in by 1 node 10 min" in shown.text
    assert "accepted 09:51:00 nodes leave 2 of 3 nodes ready" in shown.text
    assert [found.get("aria-current") for found in shown.of("li", "now")] == ["step"]


def test_what_observe_would_do_is_told(served):
    served.console.shown = [target(shadow_operation=operation())]

    assert "operation out by 1 node would be under way (observe), since 10 min" in page(served, PATH).text


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (None, ("not set",)),
        (True, ("true",)),
        ([], ("none",)),
        ([1, "b"], ("1", "b")),
        ({"a": [1, {"b": "2m"}]}, ("{a: [1, {b: 2m}]}",)),
    ],
    ids=["nothing", "a flag", "an empty list", "a list", "a mapping"],
)
def test_a_setting_is_written_as_a_policy_file_has_it(value, lines):
    assert of_target.setting({"key": "k", "value": value, "from": "target"}).lines == lines
