"""What is told outside: as CloudEvents, to whom, under which ids, and in which words."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autoscaler.core import announcement as announcements
from autoscaler.core import by_hand
from autoscaler.core.announcement import Announcement, Kind, Subscription
from autoscaler.core.by_hand import Intervention
from autoscaler.core.decision import Decision, NodeCounts, Reason, Verdict
from autoscaler.core.operation import Operation, State
from autoscaler.core.operation_json import operation_json
from autoscaler.core.policy import Direction
from autoscaler.core.target import InstanceKey

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=7)
PLANNED = Operation(
    id="op1",
    target="orders",
    instance=InstanceKey("eu-de", "p1", "i1"),
    group_id="g1",
    direction=Direction.OUT,
    change=2,
    reason=Reason.ABOVE_THRESHOLD,
    state=State.PLANNED,
    committed_at=NOW,
    send_before=NOW + timedelta(seconds=20),
)
DECISION = Decision("orders", NOW, Verdict.OUT, 2, 5, Reason.BELOW_MIN, NodeCounts(3, 3, 5, 16))


def told(**fields: Any) -> Announcement:
    values: dict[str, Any] = {"id": "x", "kind": Kind.DECISION, "target": "orders", "at": NOW}
    return Announcement(**{**values, "summary": "words", "data": {}, **fields})


def test_an_event_is_one_of_cloudevents_1_0():
    event = json.loads(told(data={"operation": {"id": "op1"}}).cloud_event("/ddm-autoscaler/eu-de"))
    assert event == {
        "specversion": "1.0",
        "id": "x",
        "source": "/ddm-autoscaler/eu-de",
        "type": "ddm-autoscaler.decision",
        "subject": "orders",
        "time": "2026-11-23T12:00:00Z",
        "datacontenttype": "application/json",
        "data": {"summary": "words", "operation": {"id": "op1"}},
    }


def test_an_event_of_no_target_has_no_subject():
    assert "subject" not in json.loads(told(target=None).cloud_event("/"))


@pytest.mark.parametrize("words", ["größer", "half \ud83d a character", "a\0b", 'a "quoted"\nline'])
def test_an_event_is_one_line_of_ascii_whatever_its_words(words):
    body = told(summary=words).cloud_event("/")
    assert body.isascii()
    assert body.isprintable()
    assert json.loads(body)["data"]["summary"] == words


@pytest.mark.parametrize(
    ("subscription", "announcement", "wanted"),
    [
        (Subscription("a"), told(), True),
        (Subscription("a", frozenset({Kind.BREAKER})), told(), False),
        (Subscription("a", targets=("orders",)), told(), True),
        (Subscription("a", targets=("order",)), told(), False),
        (Subscription("a", targets=("stock", "ord*")), told(), True),
        (Subscription("a", targets=("ORDERS",)), told(), False),
        (Subscription("a", targets=("stock",)), told(target=None), True),
        (Subscription("a", frozenset({Kind.BREAKER}), ("stock",)), told(target=None), False),
    ],
    ids=[
        "by itself everything",
        "another kind",
        "its target by name",
        "a part of a name is no name",
        "its target by a pattern",
        "capitals are other letters",
        "what is of no target concerns everybody",
        "but not of another kind",
    ],
)
def test_who_is_told(subscription, announcement, wanted):
    assert subscription.wants(announcement) is wanted


def test_each_subscriber_who_wants_it_gets_a_letter_with_the_same_body():
    subscriptions = [Subscription("a"), Subscription("b", frozenset({Kind.BREAKER})), Subscription("c")]
    first, second = announcements.letters([told()], subscriptions, "/")
    assert (first.webhook, second.webhook) == ("a", "c")
    assert first.body == second.body == told().cloud_event("/")
    assert (first.id, first.kind, first.target, first.at, first.due) == ("x", "decision", "orders", NOW, NOW)


def test_an_intent_is_told_with_its_decision_and_operation():
    one = announcements.of_intent(PLANNED, DECISION)
    assert (one.id, one.kind, one.target, one.at) == ("op1-decision", Kind.DECISION, "orders", NOW)
    assert one.summary.startswith("orders: ")
    assert "min" in one.summary
    assert one.data == {"decision": DECISION.as_json(), "operation": operation_json(PLANNED)}


@pytest.mark.parametrize(
    ("state", "fields", "kind", "identity", "summary"),
    [
        (
            State.UNKNOWN,
            {},
            Kind.OPERATION_UNKNOWN,
            "op1-unknown",
            "orders: scale-out of 2 nodes has no known outcome; it is looked into and never sent again",
        ),
        (
            State.SUCCEEDED,
            {"detail": "2 nodes more after 5 min 3 s, job 42"},
            Kind.OPERATION_ENDED,
            "op1-succeeded",
            "orders: scale-out of 2 nodes succeeded: 2 nodes more after 5 min 3 s, job 42",
        ),
        (State.FAILED, {}, Kind.OPERATION_ENDED, "op1-failed", "orders: scale-out of 2 nodes failed"),
        (State.REJECTED, {}, Kind.OPERATION_ENDED, "op1-rejected", "orders: scale-out of 2 nodes rejected"),
        (
            State.NEVER_HAPPENED,
            {"direction": Direction.IN, "change": 1},
            Kind.OPERATION_ENDED,
            "op1-never_happened",
            "orders: scale-in of 1 node never happened",
        ),
    ],
)
def test_the_steps_of_an_operation_that_are_told(state, fields, kind, identity, summary):
    operation = replace(PLANNED, state=state, **fields)
    one = announcements.of_step(operation, LATER)
    assert one is not None
    assert (one.kind, one.id, one.summary, one.at, one.target) == (kind, identity, summary, LATER, "orders")
    assert one.data == {"operation": operation_json(operation)}


@pytest.mark.parametrize(
    "fields",
    [
        {"state": State.PLANNED},
        {"state": State.SUBMITTED},
        {"state": State.SUCCEEDED, "foreign": True},
        {"state": State.SUCCEEDED, "shadow": True},
    ],
    ids=["planned: the decision is told", "submitted", "somebody else's", "a shadow"],
)
def test_the_steps_that_nobody_has_to_be_told_of(fields):
    assert announcements.of_step(replace(PLANNED, **fields), LATER) is None


def test_an_overdue_operation_has_an_id_of_its_own():
    one = announcements.of_overdue(PLANNED.step(State.UNKNOWN, at=NOW), LATER)
    assert (one.kind, one.id, one.at) == (Kind.OPERATION_OVERDUE, "op1-overdue", LATER)
    assert one.summary == "orders: scale-out of 2 nodes is overdue: still unknown since 2026-11-23 12:00:00 UTC"


def test_a_breaker_that_opens_again_or_closes_is_told_under_another_id():
    def breaker(until: datetime, *, opens: bool) -> Announcement:
        return announcements.of_breaker("orders", Direction.OUT, 3, until, opens=opens, at=NOW)

    opened, closed = breaker(LATER, opens=True), breaker(LATER, opens=False)
    ids = {opened.id, closed.id, breaker(LATER + timedelta(minutes=30), opens=True).id}
    assert len(ids) == 3
    assert opened.summary == (
        "orders: the breaker of scale-out is open until 2026-11-23 12:07:00 UTC, after 3 failures in a row"
    )
    assert closed.summary == "orders: the breaker of scale-out is closed again"
    assert opened.data == {
        "breaker": {"direction": "out", "open": True, "failures": 3, "open_until": "2026-11-23T12:07:00Z"}
    }


def intervention(kind: by_hand.Kind, **fields: Any) -> Intervention:
    return Intervention("h1", kind, fields.pop("target", "orders"), NOW, who="ann", **fields)


@pytest.mark.parametrize(
    ("one", "over", "kind", "identity", "summary"),
    [
        (
            intervention(by_hand.Kind.PAUSE, reason="a move"),
            False,
            Kind.PAUSE,
            "h1-begun",
            "orders: a pause was set by ann, until it is taken back: a move",
        ),
        (
            intervention(by_hand.Kind.PAUSE, target=None, until=LATER),
            False,
            Kind.PAUSE,
            "h1-begun",
            "all targets: a pause was set by ann, until 2026-11-23 12:07:00 UTC",
        ),
        (
            intervention(by_hand.Kind.OVERRIDE, nodes=6, until=LATER, reason="a sale"),
            False,
            Kind.OVERRIDE,
            "h1-begun",
            "orders: an override to 6 nodes was set by ann, until 2026-11-23 12:07:00 UTC: a sale",
        ),
        (
            intervention(by_hand.Kind.OVERRIDE, nodes=6, until=LATER).ended(LATER, "ben"),
            True,
            Kind.OVERRIDE,
            "h1-ended",
            "orders: an override to 6 nodes was ended by ben",
        ),
        (
            intervention(by_hand.Kind.PAUSE).ended(LATER, "ben", "it moved"),
            True,
            Kind.PAUSE,
            "h1-ended",
            "orders: a pause was ended by ben: it moved",
        ),
    ],
)
def test_what_an_operator_does_is_told(one, over, kind, identity, summary):
    (told,) = announcements.of_interventions([] if over else [one], [one] if over else [], LATER)
    assert (told.kind, told.id, told.summary, told.at) == (kind, identity, summary, LATER)
    assert told.target == one.target
    assert told.data == {"intervention": {**one.as_json(), "ended": over}}


def test_what_is_taken_back_is_told_before_what_takes_its_place():
    old = intervention(by_hand.Kind.OVERRIDE, nodes=6, until=LATER).ended(LATER, "ben")
    new = Intervention("h2", by_hand.Kind.OVERRIDE, "orders", LATER, LATER, 4, who="ben")
    assert [one.id for one in announcements.of_interventions([new], [old], LATER)] == ["h1-ended", "h2-begun"]


def test_a_breaker_closed_by_hand_is_told_by_how_it_stands_then():
    assert announcements.of_interventions([intervention(by_hand.Kind.BREAKER_RESET, until=NOW)], [], NOW) == ()


@pytest.mark.parametrize(
    ("problems", "words"),
    [
        (["p.yaml:1:1: a"], "p.yaml:1:1: a"),
        (["p.yaml:1:1: a", "b"], "p.yaml:1:1: a (and 1 more problem)"),
        (["p.yaml:1:1: a", "b", "c"], "p.yaml:1:1: a (and 2 more problems)"),
    ],
)
def test_a_refused_reload_is_told_with_its_first_problem(problems, words):
    one = announcements.of_failed_reload("r1", problems, {"obeyed": False}, NOW)
    assert (one.kind, one.id, one.target) == (Kind.RELOAD_FAILED, "reload-r1", None)
    assert one.summary == f"the changed configuration cannot be obeyed, the last good one goes on: {words}"
    assert one.data == {"reload": {"obeyed": False}}
