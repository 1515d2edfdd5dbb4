"""The dashboard of real processes in a real browser: the demo and a small fleet; its pictures are those of the docs."""

import re
from collections.abc import Generator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from autoscaler.core import sentence
from tests.browser import LOOKS, SECONDS, Visit, chromium, visit
from tests.e2e.processes import FLAVOR, TOKEN, EmulatedCloud, Program, RunningDaemon, policy, until, write_config

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

SPEED = 900
"""A cycle of the demo's five minutes takes a third of a second; an hour of an override four."""

LOOKS_OF_PICTURES = {"desk-light": "light", "desk-dark": "dark", "phone-light": "phone", "phone-dark": "phone-dark"}


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with chromium() as started:
        yield started


class Demo(Program):
    """`autoscaler demo` until it is ended."""

    def __init__(self, folder) -> None:
        super().__init__(["demo", "--speed", str(SPEED), "--listen", "127.0.0.1:0"], folder, name="demo")

    def said_after(self, word: str) -> str:
        found = until(lambda: re.search(rf"^{word} +(\S+)", self.stderr.read_text(), re.MULTILINE), bool)
        assert found is not None
        return found[1]

    @property
    def url(self) -> str:
        return self.said_after("dashboard").rstrip("/")

    def asked(self, path: str = "") -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/api/v1/targets/orders{path}", timeout=10).raise_for_status().json())


def fine(seen: Visit, *, wide: bool = False) -> None:
    """Nobody is kept from using it, and its console is silent."""
    assert seen.findings() == []
    assert seen.wrong() == []
    assert wide or seen.wider_than_the_screen() <= 0


def in_every_look(seen: Visit, name: str, folder) -> None:
    begun = seen.shown_as
    for look, suffix in LOOKS_OF_PICTURES.items():
        seen.look(look)
        fine(seen)
        seen.picture(f"{name}-{suffix}", folder)
    seen.look(begun)


def confirm(seen: Visit, action: str) -> None:
    seen.page.get_by_role("button", name=f"{action} orders", exact=True).click()


@pytest.mark.parametrize("look", ["desk-light", "phone-dark"])
def test_an_operator_walks_from_the_fleet_to_the_end_of_an_override(browser, started, tmp_path, look):
    demo = started(Demo(tmp_path))
    token = demo.said_after("token")
    with visit(browser, demo.url, look) as seen:
        page = seen.page

        # The fleet, and to its target.
        page.locator("#find").fill("ord")
        expect(page.locator(".row .spark .line")).to_be_attached()
        in_every_look(seen, "found", tmp_path)
        page.get_by_role("link", name="orders", exact=True).first.click()
        expect(page.locator("#chart canvas")).to_have_count(2)

        # A decision to scale, in the words of explain.
        until(lambda: demo.asked("/operations")["operations"], lambda found: len(found) > 1, seconds=60)
        out = page.locator("#history tr.out a").first
        expect(out).to_be_visible()
        out.click()
        drawer = page.locator("#decision-dialog")
        expect(drawer.locator(".stages li")).to_have_count(6)
        at = drawer.locator("time").get_attribute("datetime")
        (record,) = [one for one in demo.asked("/decisions?limit=1000")["decisions"] if one["at"] == at]
        expect(drawer.locator("h2")).to_have_text(f"{sentence.sentence(record)}.")
        in_every_look(seen, "decision", tmp_path)
        page.keyboard.press("Escape")
        expect(drawer).to_be_hidden()

        # Pause, with the token; nothing is changed on its word.
        page.get_by_role("button", name="Pause…").click()
        expect(page.locator("dialog[open] .foretold")).to_contain_text("no node is added or removed")
        page.get_by_label("For how long").first.fill("30d")
        page.locator("dialog[open]").get_by_label("Your name").fill("ann")
        confirm(seen, "Pause")
        page.get_by_label("Token", exact=True).fill(token)
        page.get_by_role("button", name="Go on").click()
        expect(page.locator("#now")).to_contain_text("By hand: paused by ann")
        assert [one["who"][:3] for one in demo.asked()["pauses"]] == ["ann"]

        # Resume; the token is not asked for again.
        page.get_by_role("button", name="Resume…").click()
        expect(page.locator("dialog[open] .foretold")).to_contain_text("its pause ends now")
        confirm(seen, "Resume")
        expect(page.locator("#now")).not_to_contain_text("By hand: paused")
        assert demo.asked()["pauses"] == []

        # Override, to its end.
        page.get_by_role("button", name="Override…").click()
        page.locator("dialog[open]").get_by_label("Nodes").fill("12")
        page.locator("dialog[open]").get_by_label("For how long").fill("3h")
        expect(page.locator("dialog[open] .foretold")).to_contain_text("to 12 nodes: at the next look")
        in_every_look(seen, "override", tmp_path)
        confirm(seen, "Override")
        expect(page.locator("#now")).to_contain_text("By hand: 12 nodes set by hand by ann")
        expect(page.locator("#hand")).to_contain_text("set to 12 nodes")
        expect(page.locator("#now")).not_to_contain_text("set by hand", timeout=SECONDS * 1000)
        assert demo.asked()["override"] is None

        expect(page.locator("#told")).to_be_hidden()
        in_every_look(seen, "target", tmp_path)


INSTANCES = {"orders": 1.0, "carts": 0.55, "ledger": 1.6, "search": 0.4, "users": 0.8, "billing": 2.4}
"""And each one's share of the load."""

FLEET_SPEED = 600


def scenario() -> dict[str, Any]:
    instances = [
        {
            "id": f"{place:032x}in09",
            "name": name,
            "groups": [{"id": f"{place:032x}gr09", "flavor": FLAVOR, "nodes": 2, "load_share": share}],
        }
        for place, (name, share) in enumerate(INSTANCES.items(), 1)
    ]
    return {"instances": instances, "load": {"trace": "nasa_http_5min", "begin": "1995-07-11T07:30:00Z"}}


def targets() -> dict[str, Any]:
    special: dict[str, dict[str, Any]] = {
        "carts": {"mode": "observe"},
        "ledger": {"nodes": {"min": 2, "max": 4}},
        "users": {"mode": "out_only"},
        "search": {"interval": "2m"},
    }
    return {
        name: policy(instance_id=f"{place:032x}in09", group_id=f"{place:032x}gr09", **special.get(name, {}))
        for place, name in enumerate(INSTANCES, 1)
    }


def test_a_fleet_is_told_at_a_glance(browser, started, tmp_path):
    cloud = started(EmulatedCloud(tmp_path / "cloud", scenario(), speed=FLEET_SPEED))
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, cloud, targets=targets())))
    daemon.ready()
    with visit(browser, daemon.url) as seen:
        expect(seen.page.locator(".row")).to_have_count(len(INSTANCES))
        expect(seen.page.locator(".row.held-back")).to_contain_text("ledger", timeout=60_000)
        httpx.post(
            f"{daemon.url}/api/v1/targets/search/pause",
            json={"for": "30d", "reason": "we move the database", "who": "ann"},
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=10,
        ).raise_for_status()

        expect(seen.page.locator(".row.by-hand")).to_contain_text("search")
        assert set(LOOKS_OF_PICTURES) == set(LOOKS)
        in_every_look(seen, "fleet", tmp_path)
