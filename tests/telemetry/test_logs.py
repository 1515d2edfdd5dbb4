"""The log: one line an event, the same fields each time, never a secret, never a broken line."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest

from autoscaler.core.decision import Reason, Verdict
from autoscaler.core.operation import State
from autoscaler.errors import NotFound
from autoscaler.telemetry import logs
from autoscaler.telemetry.metrics import Metrics
from autoscaler.telemetry.monitor import Telemetry
from tests.telemetry.conftest import MINUTE, START, StandingClock, decision, planned, policy, snapshot, way

SECRET = 'hunter2"\n'


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes; what was configured is taken back."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield io.StringIO()
    root.handlers[:] = handlers


@pytest.fixture
def log(stream: io.StringIO) -> io.StringIO:
    logs.configure(level="info", style="json", secrets=[SECRET, "hunter2"], stream=stream)
    return stream


@pytest.fixture
def telemetry(log: io.StringIO) -> Telemetry:
    told = Telemetry(Metrics(StandingClock()))
    told.targets([policy()])
    log.truncate(0)
    log.seek(0)
    return told


def lines(log: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def messages(log: io.StringIO) -> list[str]:
    return [line["message"] for line in lines(log)]


def test_a_cycle_is_one_line_with_the_same_fields_each_time(telemetry, log):
    telemetry.decided(policy(), decision(), {})
    telemetry.decided(policy(), decision(Verdict.OUT, Reason.ABOVE_THRESHOLD), {})
    log.truncate(0)
    log.seek(0)
    telemetry.cycle(interval=MINUTE, seconds=0.25, lateness=0.0012, targets=3, errors=1)
    telemetry.cycle(interval=MINUTE, seconds=0.25, lateness=0, targets=0, errors=0)

    first, second = lines(log)
    assert {key: first[key] for key in list(first)[2:]} == {
        "message": "cycle",
        "interval": 60.0,
        "seconds": 0.25,
        "lateness": 0.001,
        "targets": 3,
        "out": 1,
        "in": 0,
        "hold": 1,
        "errors": 1,
    }
    assert list(first) == list(second)
    assert (second["out"], second["hold"]) == (0, 0)


def test_a_hold_is_said_when_its_reason_changes_and_every_move_each_time(telemetry, log):
    hold = decision()
    move = decision(Verdict.OUT, Reason.ABOVE_THRESHOLD)
    cooling = decision(Verdict.HOLD, Reason.COOLDOWN)
    for one in (hold, hold, move, move, cooling, cooling, hold):
        telemetry.decided(policy(), one, {})

    assert [(line["decision"], line["reason"]) for line in lines(log)] == [
        ("hold", "within_bounds"),
        ("out", "above_threshold"),
        ("out", "above_threshold"),
        ("hold", "cooldown"),
        ("hold", "within_bounds"),
    ]
    assert messages(log)[1] == "scaling out from 3 to 4 nodes: cpu was 81.2, above its threshold"


def test_every_step_of_an_operation_is_one_line(telemetry, log):
    for step in way(State.UNKNOWN, State.SUBMITTED, State.SUCCEEDED):
        telemetry.operation(step)
        telemetry.operation(step)

    assert [(line["level"], line["message"], line["state"]) for line in lines(log)] == [
        ("info", "operation planned", "planned"),
        ("warning", "operation unknown", "unknown"),
        ("info", "operation submitted", "submitted"),
        ("info", "operation succeeded", "succeeded"),
    ]


def test_an_overdue_operation_is_a_warning_once(telemetry, log):
    submitted = way(State.SUBMITTED)[-1]
    telemetry.operation(submitted)
    telemetry.operation(submitted, overdue=True)
    telemetry.operation(submitted, overdue=True)

    assert [(line["level"], line["message"]) for line in lines(log)] == [
        ("info", "operation submitted"),
        ("warning", "operation overdue, still submitted"),
    ]


def test_an_error_is_said_when_it_changes_and_an_unforeseen_one_with_its_traceback(telemetry, log):
    for error in (NotFound("no such group"), NotFound("no such group"), ZeroDivisionError("by zero")):
        telemetry.failed("orders", error)

    first, second = lines(log)
    assert (first["level"], first["message"], first["error"]) == (
        "warning",
        "not evaluated: no such group",
        "not_found",
    )
    assert "traceback" not in first
    assert second["error"] == "internal"
    assert "ZeroDivisionError" in second["traceback"]


def test_calls_are_said_at_debug_only_and_reach_the_metrics_always(telemetry, log, stream):
    telemetry.observed(policy(), snapshot(), START)
    telemetry.skew(2.0)
    telemetry.call("ddm", "enlarge", "200", 0.1)
    assert lines(log) == []

    logs.configure(level="debug", style="json", stream=stream)
    telemetry.call("ddm", "enlarge", "200", 0.1)
    assert [(line["message"], line["operation"]) for line in lines(log)] == [("cloud call", "enlarge")]

    body, _ = telemetry.metrics.exposition("")
    assert b'autoscaler_cloud_requests_total{code="200",operation="enlarge",service="ddm"} 2.0' in body
    assert b"autoscaler_cloud_clock_skew_seconds 2.0" in body


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_secret_is_masked_wherever_it_turns_up(stream, style):
    logs.configure(level="info", style=style, secrets=[SECRET, "hunter2"], stream=stream)
    error = ValueError(f"cannot sign in with {SECRET}")
    logs.write("error", f"with {SECRET}", {"password": SECRET, "list": [SECRET], "short": "hunter2"}, error=error)
    logging.getLogger("httpx").warning("GET https://u:%s@host", "hunter2")

    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count(logs.MASK) >= 5


def test_text_is_one_line_whatever_the_values_hold(stream):
    logs.configure(level="info", style="text", stream=stream)
    logs.write("warning", "bad\nname", {"target": 'or"ders\n\x1b[31m', "empty": "", "none": None, "n": 1})

    (line,) = stream.getvalue().splitlines()
    assert line.split(" ", 1)[1] == (r'WARNING bad\nname target="or\"ders\n\u001b[31m" empty="" none=- n=1')


def test_libraries_are_heard_from_warning_on_and_in_the_same_form(log):
    for library in logs.LIBRARIES:
        logging.getLogger(f"{library}.part").info("chatter")
        logging.getLogger(f"{library}.part").warning("trouble")

    assert [line["logger"] for line in lines(log)] == [f"{library}.part" for library in logs.LIBRARIES]


def test_the_level_holds(stream):
    logs.configure(level="warning", style="json", stream=stream)
    logs.write("info", "quiet", {})
    logs.write("warning", "loud", {})

    assert messages(stream) == ["loud"]


def test_configuring_twice_says_everything_once(stream):
    logs.configure(level="info", style="text", stream=stream)
    logs.configure(level="info", style="json", stream=stream)
    logs.write("info", "once", {})

    assert messages(stream) == ["once"]


def test_a_decision_says_target_time_and_numbers(telemetry, log):
    telemetry.decided(policy(), decision(), {})

    (line,) = lines(log)
    assert line["target"] == "orders"
    assert line["at"] == "2026-11-23T10:00:00Z"
    assert (line["current"], line["desired"], line["mode"]) == (3, 3, "enforce")


def test_somebody_elses_operation_is_said_as_such(telemetry, log):
    ended = planned(state=State.SUCCEEDED, foreign=True, ended_at=START + timedelta(minutes=1), detail="seen")
    telemetry.operation(ended)

    (line,) = lines(log)
    assert (line["message"], line["foreign"]) == ("operation succeeded: seen", True)
