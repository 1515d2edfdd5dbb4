"""The pages in a real browser over a console of fakes: a thousand targets, every state, and a daemon that goes away."""

import math
import statistics
import time
from collections.abc import Callable, Generator, Sequence
from functools import partial

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from autoscaler.ports import EventKind
from tests.browser import LOOKS, SECONDS, Visit, chromium, visit
from tests.web.conftest import NOW, TOKEN, FakeConsole, Served, held, operation, record, target

MANY = 1000


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with chromium() as started:
        yield started


def waving(place: int) -> list[tuple[float, dict[str, float | None]]]:
    """An hour of load."""
    return [
        (NOW.timestamp() - 60 * (59 - minute), {"cpu": 50 + 30 * math.sin(minute / 9 + place)}) for minute in range(60)
    ]


def fleet_of(count: int) -> FakeConsole:
    shown = [target(f"{'orders' if place % 2 else 'carts'}-{place:04}") for place in range(count)]
    for place, one in enumerate(shown):
        if place % 100 == 7:
            one["error"] = "DDM answered 500 for this instance"
        elif place % 50 == 3:
            one["operation"] = operation(target=one["name"])
        elif place % 40 == 9:
            one["pauses"] = [held(all=False, who="ann", reason="a move")]
    return FakeConsole(shown=shown, lately={one["name"]: waving(place) for place, one in enumerate(shown)})


@pytest.fixture(scope="module")
def many() -> Generator[Served]:
    running = Served(fleet_of(MANY), TOKEN)
    yield running
    running.close()


# From the key to the frame that shows it; a person takes a tenth of a second for at once.
TYPED = """async (words) => {
  const find = document.getElementById("find"), took = [];
  for (const one of words) {
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const begun = performance.now();
    find.value = one;
    find.dispatchEvent(new Event("input"));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    took.push(performance.now() - begun);
  }
  return took;
}"""


def test_a_thousand_targets_are_found_as_one_types(browser, many):
    with visit(browser, many.url) as seen:
        rows = seen.page.locator(".row")
        expect(rows).to_have_count(MANY)

        words = ["o", "or", "orders-01", "orders-0107", "", "carts"]
        medians = [statistics.median(seen.page.evaluate(TYPED, words)) for _ in range(3)]
        seen.page.fill("#find", "orders-0107")

        expect(seen.page.locator(".row:visible")).to_have_count(1)
        expect(seen.page.locator("#found")).to_have_text("1 target matches")
        assert min(medians) < 250, medians  # on two cores that others use, too


def test_what_wants_attention_is_first_and_can_be_shown_alone(browser, many):
    with visit(browser, many.url) as seen:
        expect(seen.page.locator(".row").first).to_have_attribute("data-show", "alarm")

        seen.page.get_by_role("button", name="changing").click()

        expect(seen.page.locator(".row:visible")).to_have_count(20)
        assert seen.page.url.endswith("#show=changing")
        seen.page.reload()
        expect(seen.page.locator(".row:visible")).to_have_count(20)
        expect(seen.page.get_by_role("button", name="changing")).to_have_attribute("aria-pressed", "true")


def test_nothing_found_says_so_and_shows_all_again(browser, many):
    with visit(browser, many.url) as seen:
        seen.page.keyboard.press("/")
        seen.page.keyboard.type("no such thing")
        expect(seen.page.get_by_text("No target matches.")).to_be_visible()

        seen.page.get_by_role("button", name="Show all").click()

        expect(seen.page.locator(".row:not([hidden])")).to_have_count(MANY)
        expect(seen.page.locator("#find")).to_be_focused()


def fresh(served: Served) -> None:
    """Let those who watch know that there is something new."""
    served.call(served.console.feed.publish, EventKind.CYCLE, None, dict)


def test_a_row_is_made_like_the_daemon_is_and_focus_stays(browser, served):
    served.console.shown = [target("a"), target("b"), target("c")]
    with visit(browser, served.url) as seen:
        expect(seen.page.locator("#link")).to_have_text("live")
        seen.page.get_by_role("link", name="b", exact=True).focus()

        served.console.shown = [target("a"), target("b", error="no such group"), target("d")]
        fresh(served)

        expect(seen.page.locator(".row").first).to_contain_text("no such group")
        expect(seen.page.get_by_role("link", name="b", exact=True)).to_be_focused()
        assert seen.page.locator(".row").evaluate_all("all => all.map((one) => one.dataset.key)") == ["b", "a", "d"]


def test_steering_goes_and_comes_with_the_lead(browser, served):
    with visit(browser, f"{served.url}/targets/orders", expected=["status of 409"]) as seen:
        expect(seen.page.locator("#link")).to_have_text("live")
        seen.page.get_by_role("button", name="Pause…").click()

        served.console.leader = "ddm-1 (17)"
        fresh(served)
        expect(seen.page.get_by_text("This daemon stands by: ddm-1 (17) leads.")).to_be_visible()
        seen.page.get_by_label("For how long").first.fill("3h")
        expect(seen.page.locator("dialog[open] .foretold")).to_have_text(
            "This daemon stands by and would refuse it: ddm-1 (17) leads."
        )
        seen.page.keyboard.press("Escape")
        expect(seen.page.get_by_role("button", name="Pause…")).to_have_count(0)

        served.console.leader = None
        fresh(served)
        seen.page.get_by_role("button", name="Pause…").click()
        expect(seen.page.locator("dialog[open] .foretold")).to_contain_text("is left at")


def test_a_page_whose_daemon_is_gone_says_so(browser, console):
    served = Served(console, TOKEN)
    with visit(browser, served.url, expected=["net::ERR_"]) as seen:
        expect(seen.page.locator("#link")).to_have_text("live")

        served.close()

        expect(seen.page.get_by_role("alert")).to_contain_text("Not up to date: the daemon has not answered since")
        expect(seen.page.locator("#link")).to_have_text("reconnecting…")
        assert seen.findings() == []


def test_a_page_that_is_read_but_not_followed_is_up_to_date(browser, served):
    """Where too many follow already."""
    others = [served.call(served.console.feed.follow, None) for _ in range(3)]
    with visit(browser, served.url, clock=True, expected=["status of 503"]) as seen:
        expect(seen.page.locator("#link")).to_have_text("reconnecting…")
        seen.page.evaluate(WATCHED)

        reading = [0]

        def counted(step: int) -> Callable[[Request], None]:
            def count(one: Request) -> None:
                reading[0] += step * (one.url == f"{served.url}/")

            return count

        seen.page.on("request", counted(1))
        seen.page.on("requestfinished", counted(-1))
        for minute in (1, 2):
            served.console.shown = [target(error=f"it failed in minute {minute}")]
            for _ in range(60):
                seen.page.clock.run_for(1000)
                wait_for(seen.page, lambda: not reading[0])
            expect(seen.page.locator(".row")).to_contain_text(f"it failed in minute {minute}")

        assert seen.page.evaluate("staleShown") == 0
        served.call(others[0].close)
        seen.page.clock.run_for(30_000)
        expect(seen.page.locator("#link")).to_have_text("live")


# How often the words that the page is not up to date were shown from then on.
WATCHED = """() => {
  window.staleShown = 0;
  const stale = document.getElementById("stale");
  new MutationObserver(() => { if (!stale.hidden) window.staleShown += 1; }).observe(stale, { attributes: true });
}"""


def test_the_first_target_appears_by_itself(browser, served):
    served.console.shown = []
    with visit(browser, served.url) as seen:
        expect(seen.page.get_by_role("heading", name="No targets yet")).to_be_visible()
        assert seen.findings() == []

        served.console.shown = [target()]
        fresh(served)

        expect(seen.page.locator(".row")).to_have_count(1)


def test_the_judge_finds_what_is_wrong(browser, served):
    with visit(browser, served.url) as seen:
        seen.page.evaluate("document.querySelector('.find .sr').remove(); document.documentElement.lang = ''")
        seen.page.evaluate("document.getElementById('find').placeholder = ''")

        assert {one["id"] for one in seen.findings()} == {"html-has-lang", "label"}


def provoke(browser: Browser, url: str, script: str, expected: Sequence[str] = ()) -> None:
    with visit(browser, url, expected=expected) as seen:
        seen.page.evaluate(script)
        wait_for(seen.page, lambda: seen.said)


@pytest.mark.parametrize(
    ("script", "heard"),
    [
        ("console.error('a mistake')", "error: a mistake"),
        ("console.warn('odd')", "warning: odd"),
        ("setTimeout(() => { throw new Error('lost') })", "thrown: lost"),
    ],
    ids=["error", "warning", "thrown"],
)
def test_what_the_console_says_is_heard(browser, served, script, heard):
    with pytest.raises(AssertionError, match=heard):
        provoke(browser, served.url, script)
    provoke(browser, served.url, script, expected=[heard])


STATES = {
    "fleet": ("/", {}),
    "target": ("/targets/orders", {}),
    "no data yet": ("/targets/orders", {"shown": [target(decision=None, nodes=None)]}),
    "everything at once": (
        "/targets/orders",
        {
            "shown": [
                target(operation=operation("unknown"), overdue=True, error="no such group", instance_status="GROWING")
                | {"pauses": [held(all=True, who="ann")], "override": held(nodes=6, until="2026-11-23T11:05:00Z")}
            ],
            "records": {
                "orders": [record(59), record(50, "out", "above_threshold"), record(40, "in", "below_threshold")]
            },
        },
    ),
    "standing by": ("/", {"leader": "ddm-autoscaler-0.example.com (17)"}),
    "a target, standing by": ("/targets/orders", {"leader": "ddm-autoscaler-0.example.com (17)"}),
    "unknown target": ("/targets/nobody", {}),
    "no store": ("/", {"broken": "the disk is gone", "readiness": (False, "not signed in"), "health": (False, "late")}),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(("path", "state"), STATES.values(), ids=STATES)
def test_every_state_can_be_used_by_everybody(browser, served, path, state, look):
    for name, value in state.items():
        setattr(served.console, name, value)

    with visit(
        browser, served.url + path, look, expected=["status of 404"] if path == "/targets/nobody" else []
    ) as seen:
        assert seen.findings() == []
        assert seen.wider_than_the_screen() <= 0


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("action", ["Pause", "Override", "Resume", "Resolve"])
def test_every_dialog_says_what_will_happen_and_can_be_used_by_everybody(browser, served, action, look):
    served.console.shown = [target(operation=operation(), pauses=[held(all=False)])]
    with visit(browser, f"{served.url}/targets/orders", look) as seen:
        seen.page.get_by_role("button", name=f"{action}…").click()

        expect(seen.page.locator("dialog[open] .foretold")).not_to_be_empty()
        assert seen.findings() == []
        assert seen.wider_than_the_screen() <= 0
        seen.page.keyboard.press("Escape")
        expect(seen.page.get_by_role("button", name=f"{action}…")).to_be_focused()


def test_nothing_is_sent_before_what_it_does_was_said(browser, served):
    with visit(browser, f"{served.url}/targets/orders") as seen:
        page = seen.page
        page.get_by_role("button", name="Override…").click()
        told, send = page.locator("dialog[open] .foretold"), page.get_by_role("button", name="Override orders")
        expect(told).to_contain_text("stays at 3 nodes")
        expect(send).to_be_enabled()

        held_up: list[Route] = []

        def hold_up(route: Route) -> None:
            held_up.append(route)

        page.route("**/foretold?**", hold_up)
        page.locator("dialog[open]").get_by_label("Nodes").fill("6")
        expect(send).to_be_disabled()
        page.keyboard.press("Enter")
        wait_for(page, lambda: held_up)
        held_up[-1].continue_()

        expect(told).to_contain_text("goes from 3 to 6 nodes")
        assert not page.locator("#token-dialog").is_visible()
        page.keyboard.press("Enter")
        give(seen, TOKEN)
        expect(page.locator("#told")).to_have_text("The number of nodes is set.")
    assert [one[:3] for one in served.console.asked if one[0] == "override"] == [("override", "orders", 6)]


def test_what_cannot_be_done_cannot_be_sent_and_what_is_not_said_is_asked_again(browser, served):
    with visit(browser, f"{served.url}/targets/orders", expected=["status of 422", "net::ERR_FAILED"]) as seen:
        page = seen.page
        page.get_by_role("button", name="Override…").click()
        told, send = page.locator("dialog[open] .foretold"), page.get_by_role("button", name="Override orders")
        expect(send).to_be_enabled()

        page.locator("dialog[open]").get_by_label("For how long").fill("90d")
        expect(told).to_have_text("For: at most 30d; what is to stay belongs into the policy's min and max.")
        expect(send).to_be_disabled()

        page.route("**/foretold?**", lambda route: route.abort())
        page.locator("dialog[open]").get_by_label("For how long").fill("1d")
        expect(told).to_have_text("The daemon does not answer.")
        expect(send).to_be_disabled()
        page.unroute("**/foretold?**")
        expect(send).to_be_enabled()
        expect(told).to_contain_text("stays at 3 nodes")

        served.console.shown = [target(nodes=target()["nodes"] | {"current": 5})]
        fresh(served)
        expect(told).to_contain_text("goes from 5 to 3 nodes")


def wait_for(page: Page, true: Callable[[], object]) -> None:
    """Until it is so, while the page goes on."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        page.wait_for_timeout(10)


def pause(seen: Visit, token: str) -> None:
    seen.page.get_by_role("button", name="Pause…").click()
    seen.page.get_by_role("button", name="Pause orders").click()
    give(seen, token)


def give(seen: Visit, token: str) -> None:
    seen.page.get_by_label("Token", exact=True).fill(token)
    seen.page.get_by_role("button", name="Go on").click()


def test_a_wrong_token_is_refused_and_asked_for_again(browser, served):
    with visit(browser, f"{served.url}/targets/orders", expected=["status of 401"]) as seen:
        pause(seen, "wrong")
        expect(seen.page.locator("dialog[open] .refusal")).to_contain_text("is not the daemon's")

        seen.page.get_by_role("button", name="Pause orders").click()
        give(seen, TOKEN)

        expect(seen.page.locator("#told")).to_have_text("Paused.")
        assert [one[:2] for one in served.console.asked if one[0] == "pause"] == [("pause", "orders")]
        assert seen.page.evaluate("[localStorage.length, document.cookie]") == [0, ""]


def test_a_change_that_is_refused_says_why(browser, served):
    served.console.refusal = "all targets are paused, so orders alone cannot be resumed"
    with visit(browser, f"{served.url}/targets/orders", expected=["status of 409"]) as seen:
        pause(seen, TOKEN)

        expect(seen.page.locator("dialog[open] .refusal")).to_contain_text("all targets are paused")


def test_a_token_that_is_not_given_changes_nothing(browser, served):
    with visit(browser, f"{served.url}/targets/orders") as seen:
        seen.page.get_by_role("button", name="Pause…").click()
        seen.page.get_by_role("button", name="Pause orders").click()
        seen.page.keyboard.press("Escape")

        expect(seen.page.get_by_role("button", name="Pause orders")).to_be_enabled()
        assert not [one for one in served.console.asked if one[0] == "pause"]


def test_charts_span_what_is_asked_for_and_a_click_opens_a_decision(browser, served):
    served.console.records = {"orders": [record(59), record(58)]}
    with visit(browser, f"{served.url}/targets/orders#range=24h") as seen:
        expect(seen.page.locator("#chart canvas")).to_have_count(2)
        assert ("orders", "2026-11-22T10:00:00+00:00") in [
            (one[0], str(one[1]).replace(" ", "T")) for one in served.console.asked if len(one) == 4
        ]
        of_a_day = seen.page.locator(".u-over").first.element_handle()
        seen.page.get_by_label("7d").check()
        of_a_day.wait_for_element_state("hidden")  # else what is clicked may be replaced under the mouse
        expect(seen.page.locator("#chart canvas")).to_have_count(2)
        over = seen.page.locator(".u-over").first
        over.click(position={"x": over.evaluate("one => one.clientWidth") - 3, "y": 40})

        expect(seen.page.locator("#decision-dialog")).to_contain_text("held at 3 nodes")
        assert seen.findings() == []


def test_a_decision_that_cannot_be_read_says_why(browser, served):
    served.console.records = {"orders": [record(59), record(50, "out", "above_threshold")]}
    with visit(browser, f"{served.url}/targets/orders", expected=["status of 503", "status of 500"]) as seen:
        drawer = seen.page.locator("#decision-dialog")
        served.console.no_history = "others wait for its answer"
        seen.page.locator("#history tr.out a").click()
        expect(drawer).to_contain_text("The daemon cannot read its store: others wait for its answer")
        seen.page.keyboard.press("Escape")

        served.console.bug = RuntimeError("a mistake")
        seen.page.locator("#history tr.out a").click()
        expect(drawer).to_contain_text("The daemon failed at this; its log says at what.")


def test_a_part_of_a_chart_can_be_looked_at_closely(browser, served):
    with visit(browser, f"{served.url}/targets/orders") as seen:
        expect(seen.page.locator("#chart canvas")).to_have_count(2)
        box = seen.page.locator(".u-over").first.bounding_box()
        assert box is not None
        seen.page.mouse.move(box["x"] + 200, box["y"] + 40)
        seen.page.mouse.down()
        seen.page.mouse.move(box["x"] + 500, box["y"] + 50, steps=4)
        seen.page.mouse.up()

        expect(seen.page.locator("#zoomed")).to_be_visible()
        seen.page.get_by_role("button", name="back to live").click()
        expect(seen.page.locator("#zoomed")).to_be_hidden()


def shows(served: Served) -> tuple[str, str]:
    """From when to when the chart was last asked for; the fake's now is 10:00."""
    _, since, until, _ = [one for one in served.console.asked if len(one) == 4][-1]
    return f"{since:%d %H:%M}", "now" if until is None else f"{until:%d %H:%M}"


def is_shown(served: Served, span: tuple[str, str]) -> bool:
    return shows(served) == span


def test_time_can_be_moved_through_and_zoomed_by_keys_and_by_buttons(browser, served):
    with visit(browser, f"{served.url}/targets/orders", "phone-light") as seen:
        page, chart = seen.page, seen.page.locator("#chart")
        expect(chart.locator("canvas")).to_have_count(2)
        page.get_by_label("7d").focus()
        page.keyboard.press("Tab")
        expect(chart).to_be_focused()
        for key, span in {
            "+": ("23 05:30", "23 08:30"),
            "ArrowLeft": ("23 04:45", "23 07:45"),
            "-": ("23 03:15", "23 09:15"),
            "ArrowRight": ("23 04:00", "23 10:00"),  # not beyond now
        }.items():
            page.keyboard.press(key)
            wait_for(page, partial(is_shown, served, span))
            expect(page.locator("#zoomed")).to_contain_text(f"{span[0][3:]} to")
        expect(chart).to_be_focused()
        page.keyboard.press("0")
        expect(page.locator("#zoomed")).to_be_hidden()
        wait_for(page, lambda: shows(served) == ("23 04:00", "now"))

        for name, span in {
            "Zoom in": ("23 05:30", "23 08:30"),
            "Earlier": ("23 04:00", "23 07:00"),
            "Later": ("23 05:30", "23 08:30"),
            "Zoom out": ("23 04:00", "23 10:00"),
        }.items():
            page.get_by_role("button", name=name, exact=True).click()
            wait_for(page, partial(is_shown, served, span))
        assert seen.findings() == []
        assert seen.wider_than_the_screen() <= 0


def test_fingers_move_through_time_and_zoom(browser, served):
    with visit(browser, f"{served.url}/targets/orders", "phone-light", touch=True) as seen:
        page = seen.page
        expect(page.locator("#chart canvas")).to_have_count(2)
        page.locator("#chart").scroll_into_view_if_needed()
        box = page.locator(".u-over").first.bounding_box()
        assert box is not None
        left, width, y = box["x"], box["width"], box["y"] + 40
        hand = page.context.new_cdp_session(page)

        def touch(kind: str, *places: float) -> None:
            points = [{"x": left + share * width, "y": y, "id": finger} for finger, share in enumerate(places)]
            hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touch("touchStart", 0.25)
        for share in (0.35, 0.5, 0.75):
            touch("touchMove", share)
        touch("touchEnd")
        wait_for(page, lambda: shows(served) == ("23 01:00", "23 07:00"))
        expect(page.locator("#zoomed")).to_be_visible()
        wait_for(page, lambda: not page.locator("#chart canvas").first.evaluate("one => one.style.transform"))

        touch("touchStart", 0.25, 0.75)
        for spread in (0.3, 0.4, 0.5):
            touch("touchMove", 0.5 - spread, 0.5 + spread)
        touch("touchEnd")
        wait_for(page, lambda: shows(served) == ("23 02:30", "23 05:30"))
