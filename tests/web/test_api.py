"""The API and the probes over real HTTP: shapes, bounds, the token, and errors that are always one sentence."""

import re
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from autoscaler.errors import Problem
from autoscaler.ports import Cause, Change, Reload
from autoscaler.web import armour
from tests.web.conftest import (
    NOTHING_YET,
    POLICY,
    TOKEN,
    UNOBEYED,
    chart,
    intervention,
    operation,
    record,
    target,
    unarmoured,
)

DOCS = Path(__file__).parents[2] / "docs/api.md"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
RESOLUTION = {"as": "succeeded", "reason": "three nodes are in the console"}


# Probes.


@pytest.mark.parametrize("path", ["/-/healthy", "/healthz"])
@pytest.mark.parametrize(("good", "status"), [(True, 200), (False, 503)], ids=["good", "bad"])
def test_health_is_the_schedulers(served, path, good, status):
    served.console.health = (good, "the beat is 61 s old")

    answer = served.http.get(path)

    assert (answer.status_code, answer.text) == (status, "the beat is 61 s old\n")


@pytest.mark.parametrize("path", ["/-/ready", "/readyz"])
@pytest.mark.parametrize(("good", "status"), [(True, 200), (False, 503)], ids=["good", "bad"])
def test_readiness_says_what_is_missing(served, path, good, status):
    served.console.readiness = (good, "not signed in yet")

    answer = served.http.get(path)

    assert (answer.status_code, answer.text) == (status, "not signed in yet\n")


@pytest.mark.parametrize(
    ("leader", "status", "words"),
    [
        (None, 200, "leads"),
        ("ddm-1 (17)", 503, "stands by: ddm-1 (17) leads"),
        ("", 503, "stands by: which daemon leads is not known, if any does"),
    ],
    ids=["it leads", "another leads", "nobody knows"],
)
def test_a_proxy_is_told_which_daemon_leads(served, leader, status, words):
    served.console.leader = leader

    answer = served.http.get("/-/leader")

    assert (answer.status_code, answer.text) == (status, f"{words}\n")


def test_metrics_are_what_telemetry_gives_for_the_accept_header(served):
    answer = served.http.get("/metrics", headers={"Accept": "application/openmetrics-text"})

    assert answer.text == "# application/openmetrics-text\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


# Reloading.

CHANGED = Reload(
    cause=Cause.REQUEST,
    added=("stock",),
    removed=("old",),
    changed={"orders": (Change("nodes.max", 16, 20),)},
    needs_restart=("server.listen",),
)
WRONG = Reload(cause=Cause.REQUEST, problems=(Problem("p.yaml", 3, 5, "targets.orders", "is wrong"),))


def test_a_reload_says_what_it_changed(served):
    served.console.reloaded = CHANGED

    answer = served.http.post("/-/reload", headers=BEARER)

    assert (answer.status_code, answer.json()) == (200, CHANGED.as_json())
    assert answer.json()["changed"] == [{"target": "orders", "changes": [{"key": "nodes.max", "was": 16, "now": 20}]}]
    assert served.console.asked == [("reload", "token, from 127.0.0.1", "")]


def test_a_reload_is_told_who_wants_it_and_why(served):
    answer = served.http.post("/-/reload", headers=BEARER, json={"who": " ann ", "reason": " the sale is over "})

    assert answer.status_code == 200
    assert served.console.asked == [("reload", "ann (token, from 127.0.0.1)", "the sale is over")]
    assert served.http.post("/-/reload", headers=BEARER, json={"because": "x"}).status_code == 422


def test_a_reload_of_what_is_wrong_says_all_that_is_and_where(served):
    served.console.reloaded = WRONG

    answer = served.http.post("/-/reload", headers=BEARER)

    assert answer.status_code == 422
    assert answer.json()["problems"] == [
        {
            "file": "p.yaml",
            "line": 3,
            "column": 5,
            "path": "targets.orders",
            "message": "is wrong",
            "text": "p.yaml:3:5: targets.orders: is wrong",
        }
    ]
    assert answer.json()["error"].endswith("1 problem, of which the first is p.yaml:3:5: targets.orders: is wrong")


def test_a_reload_is_refused_without_the_token_and_where_there_are_no_files(served):
    assert served.http.post("/-/reload").status_code == 401
    served.console.refusal = "this daemon was started without files"
    assert served.http.post("/-/reload", headers=BEARER).status_code == 409
    assert served.console.asked == []


# Reading.


def test_targets_come_with_the_daemons_time(served):
    event = served.call(served.console.feed.last)
    answer = served.http.get("/api/v1/targets").json()
    head = {"now": "2026-11-23T10:00:00Z", "led_by": None, "unobeyed": None, "event": event}
    assert answer == head | {"targets": [target()]}


def test_files_that_are_not_obeyed_are_told_with_the_targets_and_with_what_holds(served):
    assert served.http.get("/api/v1/config").json()["unobeyed"] is None
    served.console.refused = UNOBEYED

    assert served.http.get("/api/v1/targets").json()["unobeyed"] == UNOBEYED
    assert served.http.get("/api/v1/config").json()["unobeyed"] == UNOBEYED


def test_targets_of_a_daemon_that_stands_by_say_who_leads_at_once(served):
    assert served.http.get("/api/v1/targets").json()["led_by"] is None
    served.console.leader = "ddm-1 (17)"
    assert served.http.get("/api/v1/targets").json()["led_by"] == "ddm-1 (17)"


def test_who_changed_something_sees_it_in_the_next_answer(served):
    made = []

    def slowly() -> tuple:
        made.append(1)
        time.sleep(0.2)
        return ()

    served.console.targets = slowly

    for _ in range(3):
        served.http.get("/api/v1/targets")
    assert len(made) == 1
    served.http.post("/api/v1/pause", headers=BEARER)
    served.http.get("/api/v1/targets")
    assert len(made) == 2


def test_one_target_comes_with_its_policy(served):
    told = {"policy": POLICY, "last_day": NOTHING_YET}
    assert served.http.get("/api/v1/targets/orders").json() == target() | told


def test_decisions_are_asked_for_by_before_since_and_limit(served):
    served.console.records["orders"] = [record(minute) for minute in (30, 20, 10, 0)]

    answer = served.http.get(
        "/api/v1/targets/orders/decisions",
        params={"before": "2026-11-23T09:30:00Z", "since": "2026-11-23T10:10:00+01:00", "limit": "1"},
    )

    assert answer.json()["decisions"] == [record(20)]
    assert served.console.asked == [
        ("orders", datetime.fromisoformat("2026-11-23T09:30:00Z"), datetime.fromisoformat("2026-11-23T09:10:00Z"))
    ]


def test_a_chart_is_asked_for_by_since_until_and_points(served):
    path = "/api/v1/targets/orders/samples"
    hour = {"since": "2026-11-23T09:00:00Z", "until": "2026-11-23T11:00:00+01:00", "points": "100"}

    assert served.http.get(path, params=hour).json() == chart()
    assert served.http.get(path).status_code == 200
    nine, ten = (datetime.fromisoformat(f"2026-11-23T{hour}:00:00Z") for hour in ("09", "10"))
    assert served.console.asked == [("orders", nine, ten, 100), ("orders", None, None, 500)]


def test_a_chart_that_cannot_be_made_is_422_with_the_reason(served):
    served.console.unanswerable = "since: it must be before until"

    answer = served.http.get("/api/v1/targets/orders/samples")

    assert (answer.status_code, answer.json()) == (422, {"error": "since: it must be before until"})


def test_operations_of_one_target_or_of_all(served):
    served.console.shown.append(target("other"))
    served.console.ended = [operation(), operation(target="other")]

    assert len(served.http.get("/api/v1/operations").json()["operations"]) == 2
    assert served.http.get("/api/v1/targets/other/operations").json() == {
        "target": "other",
        "operations": [operation(target="other")],
        "next": None,
    }
    assert served.http.get("/api/v1/operations?target=other").json() == {
        "operations": [operation(target="other")],
        "next": None,
    }


def test_the_configuration_is_what_the_console_shows(served):
    assert served.http.get("/api/v1/config").json() == {"server": {"token": "**********"}, "unobeyed": None}


@pytest.mark.parametrize("rest", ["", "/decisions", "/operations", "/samples"])
def test_an_unknown_target_is_404_and_names_those_there_are(served, rest):
    answer = served.http.get(f"/api/v1/targets/nope{rest}")

    assert (answer.status_code, answer.json()) == (404, {"error": "There is no target 'nope'; there are: orders."})


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("before=yesterday", "before"),
        ("since=2026-11-23T09:00:00", "since"),  # without its offset
        ("until=2026-11-23T09:00:00", "until"),
        ("points=0", "points"),
        ("points=2001", "points"),
    ],
)
def test_a_query_out_of_bounds_is_422_and_names_the_parameter(served, query, words):
    of = "samples" if words in ("until", "points") else "decisions"
    answer = served.http.get(f"/api/v1/targets/orders/{of}?{query}")

    assert answer.status_code == 422
    assert answer.json()["error"].startswith(f"{words}: ")


@pytest.mark.parametrize("path", ["/api/v1/targets", "/api/v1/operations", "/api/v1/targets/orders/decisions"])
def test_a_store_that_cannot_be_read_is_503(served, path):
    served.console.broken = "state/autoscaler.db: the disk is gone"

    answer = served.http.get(path)

    assert (answer.status_code, answer.json()) == (503, {"error": "state/autoscaler.db: the disk is gone"})


def test_an_unknown_path_and_method_are_sentences(served):
    assert served.http.get("/nope").json() == {"error": "There is no GET /nope."}
    assert served.http.delete("/api/v1/targets").json() == {"error": "There is no DELETE /api/v1/targets."}


# Changing.


def test_with_the_token_an_operation_is_resolved_and_the_caller_is_named(served):
    answer = served.http.post("/api/v1/targets/orders/resolve", json=RESOLUTION, headers=BEARER)

    assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")
    assert served.console.asked == [
        ("resolve", "orders", "succeeded", "three nodes are in the console", "token, from 127.0.0.1")
    ]


@pytest.mark.parametrize(
    "sent",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é".encode("latin-1")],
    ids=["none", "empty", "no token", "wrong", "another scheme", "too long", "not ascii"],
)
def test_a_wrong_token_is_401_and_changes_nothing(served, sent):
    headers = {} if sent is None else {"Authorization": sent}
    answer = served.http.post("/api/v1/targets/orders/resolve", json=RESOLUTION, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text
    assert served.console.asked == []


def test_a_wrong_token_is_told_from_none(served):
    path = "/api/v1/targets/orders/pause"
    wrong = served.http.post(path, headers={"Authorization": "Bearer wrong"}).json()["error"]
    assert wrong == "The token that was sent is not the daemon's (AUTOSCALER_SERVER__TOKEN)."
    assert served.http.post(path).json()["error"].endswith("none was sent.")


@pytest.mark.parametrize("headers", [{}, BEARER, {"Authorization": "Bearer"}])
def test_without_a_configured_token_every_change_is_403(locked, headers):
    answer = locked.http.post("/api/v1/targets/orders/resolve", json=RESOLUTION, headers=headers)

    assert answer.status_code == 403
    assert "AUTOSCALER_SERVER__TOKEN" in answer.json()["error"]
    assert locked.console.asked == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"as": "succeeded"},
        {"reason": "seen"},
        {"as": "done", "reason": "seen"},
        {"as": "unknown", "reason": "seen"},
        {"as": "failed", "reason": " "},
        {"as": "failed", "reason": "x" * 1001},
        {"as": "failed", "reason": "seen", "force": True},
        ["as"],
    ],
)
def test_a_body_that_is_not_as_described_is_422(served, body):
    answer = served.http.post("/api/v1/targets/orders/resolve", json=body, headers=BEARER)

    assert answer.status_code == 422
    assert answer.json()["error"]
    assert served.console.asked == []


def test_the_token_is_asked_for_before_the_body_is_looked_at(served):
    assert served.http.post("/api/v1/targets/orders/resolve", content=b"{").status_code == 401


def test_a_refused_resolve_is_409_with_its_reason(served):
    served.console.refusal = "job 1 (EnlargeNode) of the instance is running"

    answer = served.http.post("/api/v1/targets/orders/resolve", json=RESOLUTION, headers=BEARER)

    assert (answer.status_code, answer.json()) == (409, {"error": "job 1 (EnlargeNode) of the instance is running"})


def test_resolving_an_unknown_target_is_404(served):
    assert served.http.post("/api/v1/targets/nope/resolve", json=RESOLUTION, headers=BEARER).status_code == 404


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_that_is_too_large_is_413(served, chunked):
    body = b" " * (armour.MAX_BODY + 1)
    content = iter([body[:1000], body[1000:]]) if chunked else body

    answer = served.http.post("/api/v1/targets/orders/resolve", content=content, headers=BEARER)

    assert answer.status_code == 413
    assert "65536" in answer.json()["error"]


# The operator's hand.

TWO_HOURS = timedelta(hours=2)
HERE = "token, from 127.0.0.1"
CHANGES = {
    "a pause without a body": ("targets/orders/pause", None, ("pause", "orders", None, "", HERE)),
    "a pause": (
        "targets/orders/pause",
        {"for": "2h", "reason": " a move ", "who": "ann"},
        ("pause", "orders", TWO_HOURS, "a move", f"ann ({HERE})"),
    ),
    "a pause of all": ("pause", {"for": "1h60m"}, ("pause", None, TWO_HOURS, "", HERE)),
    "a resume without a body": ("targets/orders/resume", None, ("resume", "orders", False, False, "", HERE)),
    "a resume": (
        "targets/orders/resume",
        {"breaker": True, "reason": " it moved "},
        ("resume", "orders", True, False, "it moved", HERE),
    ),
    "a resume of all": ("resume", {"override": True}, ("resume", None, False, True, "", HERE)),
    "an override": (
        "targets/orders/override",
        {"nodes": 6, "for": "2h"},
        ("override", "orders", 6, TWO_HOURS, "", HERE),
    ),
}


@pytest.mark.parametrize(("path", "body", "asked"), CHANGES.values(), ids=CHANGES)
def test_an_operator_changes_something_with_the_token_alone(served, path, body, asked):
    assert served.http.post(f"/api/v1/{path}", json=body).status_code == 401
    assert served.console.asked == []

    answer = served.http.post(f"/api/v1/{path}", json=body, headers=BEARER)

    assert (answer.status_code, answer.json()["target"]) == (200, asked[1])
    assert served.console.asked == [asked]


BAD_BODIES = {
    "no duration": ("targets/orders/pause", {"for": "long"}, "for: 'long' is no duration"),
    "a number is no duration": ("targets/orders/pause", {"for": 60}, "for: 60 is no duration"),
    "a negative duration": ("pause", {"for": "-2h"}, "for: '-2h' is no duration"),
    "an unknown key": ("targets/orders/pause", {"until": "noon"}, "until: "),
    "a long reason": ("pause", {"reason": "x" * 1001}, "reason: "),
    "a long name": ("pause", {"who": "x" * 101}, "who: "),
    "a word for a flag": ("resume", {"breaker": "yes"}, "breaker: "),
    "an override without an end": ("targets/orders/override", {"nodes": 6}, "for: "),
    "an override without nodes": ("targets/orders/override", {"for": "2h"}, "nodes: "),
    "an override of a half": ("targets/orders/override", {"for": "2h", "nodes": 2.5}, "nodes: "),
    "an override of true": ("targets/orders/override", {"for": "2h", "nodes": True}, "nodes: "),
}


NASTY, SHOWN = "\x1b[31ma\0 sale\r\n\u202e", "[31ma  sale"


def test_who_and_why_are_kept_without_what_a_terminal_would_obey(served):
    said = {"reason": NASTY, "who": NASTY}
    changes: dict[str, dict[str, object]] = {
        "/api/v1/targets/orders/pause": {},
        "/api/v1/targets/orders/resume": {},
        "/api/v1/targets/orders/override": {"nodes": 6, "for": "2h"},
        "/api/v1/targets/orders/resolve": {"as": "failed"},
        "/-/reload": {},
    }
    for path, more in changes.items():
        assert served.http.post(path, json={**said, **more}, headers=BEARER).status_code == 200

    asked = [[word for word in one if isinstance(word, str)] for one in served.console.asked]
    assert len(asked) == 5
    for words in asked:
        assert {SHOWN, f"{SHOWN} ({HERE})"} <= set(words)


def test_a_reason_that_is_needed_is_more_than_what_nobody_sees(served):
    body = {"as": "failed", "reason": "\x1b \0"}
    assert served.http.post("/api/v1/targets/orders/resolve", json=body, headers=BEARER).status_code == 422
    assert served.console.asked == []


@pytest.mark.parametrize(("path", "body", "words"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_what_an_operator_cannot_mean_is_422(served, path, body, words):
    answer = served.http.post(f"/api/v1/{path}", json=body, headers=BEARER)

    assert answer.status_code == 422
    assert answer.json()["error"].startswith(words)
    assert served.console.asked == []


@pytest.mark.parametrize("path", ["pause", "targets/orders/resume"])
def test_what_the_daemon_refuses_is_409_and_what_it_never_does_422(served, path):
    served.console.refusal = "all targets are paused"
    refused = served.http.post(f"/api/v1/{path}", headers=BEARER)
    served.console.refusal, served.console.invalid = "", "it allows 2 to 16"
    invalid = served.http.post(f"/api/v1/{path}", headers=BEARER)

    assert (refused.status_code, refused.json()["error"]) == (409, "all targets are paused")
    assert (invalid.status_code, invalid.json()["error"]) == (422, "it allows 2 to 16")


UNKNOWN = {"pause": {}, "resume": {}, "override": {"nodes": 6, "for": "2h"}}


@pytest.mark.parametrize(("change", "body"), UNKNOWN.items(), ids=UNKNOWN)
def test_a_target_that_is_not_there_is_404_and_names_the_nearest(served, change, body):
    answer = served.http.post(f"/api/v1/targets/ordrs/{change}", json=body, headers=BEARER)

    assert answer.status_code == 404
    assert answer.json()["error"] == "There is no target 'ordrs'; there are: orders. Did you mean orders?"


def test_what_was_done_by_hand_is_listed(served):
    served.console.done = [intervention(), intervention("override")]

    assert served.http.get("/api/v1/interventions?limit=1").json() == {"interventions": [intervention()]}
    assert len(served.http.get("/api/v1/interventions?target=orders").json()["interventions"]) == 2
    assert served.http.get("/api/v1/interventions?target=other").json() == {"interventions": []}


def test_openapi_tells_how_a_duration_is_written(served):
    schemas = served.http.get("/api/v1/openapi.json").json()["components"]["schemas"]

    assert schemas["Overriding"]["required"] == ["nodes", "for"]
    assert schemas["Overriding"]["properties"]["for"]["examples"] == ["2h", "1h30m"]


# Every answer.


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/targets/orders", 200),
        ("/metrics", 200),
        ("/-/healthy", 200),
        ("/-/ready", 200),
        ("/api/v1/targets", 200),
        ("/api/v1/openapi.json", 200),
        ("/static/style.css", 200),
        ("/nothing", 404),
        ("/api/v1/pause", 405),
        ("/api/v1/events", 405),
    ],
)
def test_head_is_get_without_its_body(served, path, status):
    with served.http.stream("GET", path) as whole:
        wanted = whole.headers if status != 405 else {}
        head = served.http.head(path)

    assert (head.status_code, head.content) == (status, b"")
    for name in ("content-type", "content-length", "content-security-policy"):
        assert name not in wanted or head.headers[name] == wanted[name]
    assert served.http.get("/-/ready").text == "ready\n", "the connection is none that is out of step"


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/targets", "/nope", "/static/style.css", "/static/nope"])
def test_every_answer_is_armoured_and_tells_nothing_of_the_server(served, path):
    answer = served.http.get(path)

    assert unarmoured(answer) == set()
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/targets/orders", "/api/v1/targets/orders/decisions"])
def test_a_mistake_of_ours_is_told_in_the_log_and_not_to_the_world(served, path, caplog):
    served.console.bug = RuntimeError("only our log may know")

    answer = served.http.get(path)

    assert (answer.status_code, answer.json()) == (500, {"error": "The daemon failed at this; its log says at what."})
    assert unarmoured(answer) == set()
    (told,) = caplog.records
    assert told.getMessage() == f"GET {path} could not be answered"
    assert "only our log may know" in caplog.text


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/static/../app.py", "/static/%2e%2e/app.py"])
def test_nothing_else_is_served(served, path):
    assert served.http.get(path).status_code == 404


# docs/api.md


def test_the_reference_names_every_path(served):
    described = {
        f"{method.upper()} {path}"
        for path, methods in served.http.get("/api/v1/openapi.json").json()["paths"].items()
        for method in methods
    }
    listed = [line for line in DOCS.read_text().splitlines() if re.match(r"\| `(GET|POST) ", line)]
    documented = {path for line in listed for path in re.findall(r"`((?:GET|POST) [^`]+)`", line.split(" | ")[0])}

    pages = {"GET /", "GET /targets/{name}", "GET /targets/{name}/decisions/{at}", "GET /targets/{name}/foretold"}
    assert documented == described | pages


SHAPES = {
    "A target": target(),
    "A chart": chart(),
    "A chart's series": chart()["series"][0],
    "An operation": operation(),
    "An intervention": intervention(),
}


@pytest.mark.parametrize(("title", "shape"), SHAPES.items(), ids=SHAPES)
def test_the_reference_names_every_key(title, shape):
    section = DOCS.read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    keys = {key for line in section.splitlines() for key in re.findall(r"`(\w+)`", line.split(" | ")[0])}

    assert keys == set(shape)
