"""The fleet at `/`: what it shows in each state, and that nothing in it can come from outside."""

from html.parser import HTMLParser

import pytest

from tests.web.conftest import UNOBEYED, held, intervention, operation, record, refused, target, until

VOID = {"meta", "link", "img", "input"}


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


def page(served, path: str = "/") -> Document:
    answer = served.http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return Document(answer.text)


@pytest.mark.parametrize("count", [0, 1, 2, 200])
def test_it_shows_every_target(served, count):
    served.console.shown = [target(f"t{number}") for number in range(count)]

    shown = page(served)

    assert len(shown.of("li", "row")) == count
    assert shown.open == []
    assert ("No targets yet" in shown.text) == (count == 0)


def test_a_target_is_told_in_words(served):
    served.console.shown = [
        target(cooldowns={"out": 540.0, "in": 0.0}, operation=operation(), instance_status="GROWING")
    ]

    shown = page(served).text

    for words in (
        "orders changing enforce GROWING",
        "81.2 % cpu out above 75, 92 in below 30",
        "3 → wanted 4 2 ready · between 2–16",
        "operation out by 1 node: under way, since 10 min",
        "held at 3 nodes: no rule wants a change (cpu 81.2) 60 s ago",
        "cooldown out 9 min",
    ):
        assert words in shown


def test_a_target_without_a_reading_and_one_with_an_error_say_so(served):
    served.console.shown = [
        target("new", nodes=None, decision=None, instance_status=None),
        target("lost", error="no such group: f080"),
        target("idle", mode="off", nodes=None, decision=None),
        target("late", operation=operation("unknown"), overdue=True),
        target("night", rules=[]),
    ]

    shown = page(served).text

    for words in (
        "not evaluated yet",
        "error no such group: f080",
        "left alone",
        "overdue: look at the instance",
        "no metric rule",
    ):
        assert words in shown


def test_what_wants_attention_comes_first_and_is_counted(served):
    served.console.shown = [
        target("b-steady"),
        target("a-steady"),
        target("paused", pauses=[held(all=False)]),
        target("broken", error="no such group"),
        target("moving", operation=operation()),
    ]

    shown = page(served)

    assert [row["data-key"] for row in shown.of("li", "row")] == ["broken", "moving", "paused", "a-steady", "b-steady"]
    assert "5 targets 15 nodes of at most 80 1 changing 1 wants attention" in shown.text
    assert "all 5 needs you 1 changing 1 by hand 1 steady 2" in shown.text


def test_what_the_cloud_refuses_is_said_first_with_how_often_and_its_last_words(served):
    deciding = {"decision": record(59, "out", "above_threshold")}
    served.console.shown = [target("a-steady"), target("refused", refused=refused(45), **deciding)]

    shown = page(served)

    assert [row["data-key"] for row in shown.of("li", "row")] == ["refused", "a-steady"]
    said = "scaling out was refused 45 times in a row, for 45 min: 404 from DDM: no such flavor"
    assert said in shown.text
    assert said in page(served, "/targets/refused").text


def test_one_refusal_is_no_row(served):
    served.console.shown = [target(refused=refused(1, ""))]

    assert "refused scaling out was refused once " in page(served).text


def test_the_load_of_the_last_hour_is_drawn(served):
    served.console.lately = {"orders": [(60.0 * minute, {"cpu": 50.0 + minute}) for minute in range(60)]}

    (line,) = page(served).of("path", "line")

    assert (line["d"] or "").count("L") == 59


def test_operations_show_their_outcome_and_whose_they_are(served):
    served.console.ended = [
        operation("succeeded", ended_at="2026-11-23T09:56:00Z", detail="accepted as job 7"),
        operation("succeeded", ended_at="2026-11-23T09:50:00Z", foreign=True),
        operation("rejected", shadow=True),
    ]

    shown = page(served).text

    assert "succeeded 6 min accepted as job 7" in shown
    assert "somebody else" in shown
    assert "out 1 observe" in shown


@pytest.mark.parametrize(
    ("begun", "shown"),
    [
        ("2026-11-23T09:50:00Z", "09:50:00"),
        ("2026-11-22T23:59:59Z", "11-22 23:59:59"),
        ("2025-11-23T09:50:00Z", "2025-11-23 09:50"),
    ],
    ids=["today", "another day", "another year"],
)
def test_a_time_of_another_day_has_its_date(served, begun, shown):
    served.console.ended = [operation("succeeded", committed_at=begun, ended_at=begun)]

    assert f"{shown} orders out 1" in page(served).text


def test_what_operators_did_is_told_with_the_target(served):
    served.console.done = [
        intervention("reload", None, who="changed files", reason="refused: p.yaml:3:5: is wrong"),
        intervention(target="shop & co"),
    ]

    shown = page(served)

    assert "all read the configuration anew refused: p.yaml:3:5: is wrong changed files —" in shown.text
    assert "shop & co paused a move ann until resumed" in shown.text
    assert "/targets/shop%20%26%20co" in [link["href"] for link in shown.of("a")]


@pytest.mark.parametrize(
    ("state", "badge", "notice"),
    [
        ({"readiness": (False, "not signed in yet")}, "not ready", "Starting. not signed in yet"),
        ({"health": (False, "the beat is old")}, "not healthy", "Not healthy. the beat is old"),
        ({"broken": "the disk is gone"}, "ready", "The store cannot be read. the disk is gone"),
        ({"leader": "ddm-1 (17)"}, "standing by", "This daemon stands by: ddm-1 (17) leads. It watches"),
        (
            {"leader": "ddm-1 (17)"},
            "standing by",
            "what you would change here is refused: go to the page of ddm-1 (17).",
        ),
        ({"leader": ""}, "standing by", "which daemon leads is not known, if any does. It watches"),
        ({"leader": "", "readiness": (False, "not signed in")}, "not ready", "Starting. not signed in"),
    ],
    ids=["starting", "unhealthy", "no store", "standing by", "and whom to go to", "nobody knows who leads", "both"],
)
def test_a_bad_state_is_said_at_the_top(served, state, badge, notice):
    for name, value in state.items():
        setattr(served.console, name, value)

    for path in ("/", *(["/targets/orders"] if not served.console.broken else [])):
        shown = page(served, path).text
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
    served.console.ended = [operation(HOSTILE, target=HOSTILE, detail=HOSTILE)]
    served.console.readiness = (False, HOSTILE)

    shown = page(served)

    assert [found.get("src") for found in shown.of("script")] == ["/static/fleet.js"]
    assert HOSTILE in shown.text
    assert shown.open == []


def test_nothing_comes_from_another_host_or_from_within_the_page(served):
    shown = page(served)

    for name, attributes in shown.elements:
        assert not [key for key in attributes if key == "style" or key.startswith("on")], name
        for key in ("src", "href"):
            assert (attributes.get(key) or "/").startswith(("/", "#"))
    assert shown.of("style") == []


def test_all_its_files_are_there(served):
    shown = page(served)
    files = {
        found[key] for _, found in shown.elements for key in ("src", "href") if "/static/" in (found.get(key) or "")
    }

    assert files == {"/static/icon.svg", "/static/style.css", "/static/fleet.js"}
    for file in [*files, "/static/live.js", "/static/stream.js", "/static/morph.js"]:
        assert served.http.get(file).status_code == 200


def test_it_refreshes_itself_without_javascript_too(served):
    assert {"http-equiv": "refresh", "content": "15"} in page(served).of("meta")


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


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, br", "gzip"), ("identity", None), ("gzip;q=0", None), ("", None)],
    ids=["gzip", "only as it is", "gzip is refused", "nothing said"],
)
def test_a_page_is_compressed_for_who_takes_that(served, accepted, encoding):
    answer = served.http.get("/", headers={"Accept-Encoding": accepted})

    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.text.startswith("<!doctype html>")


@pytest.mark.parametrize(
    "path", ["/", "/targets/orders", "/targets/orders/decisions/2026-11-23T09:59:00Z", "/targets/x"]
)
def test_every_page_says_that_changed_files_are_not_obeyed(served, path):
    words = (
        "Not obeyed: what was changed in the configuration is not obeyed, the last good one goes on since "
        "2026-11-23 09:30:00 UTC: 2 problems, the first is p.yaml:3:5: targets.orders: is wrong"
    )
    assert "Not obeyed" not in Document(served.http.get(path).text).text
    served.console.refused = UNOBEYED
    until(lambda: words in Document(served.http.get(path).text).text)  # the fleet's page is kept for a moment
