"""Debian's Chromium for tests: pages whose console is listened to, and axe-core, which says who could not use them."""

import os
import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
AXE = ROOT / "tests" / "vendor" / "axe-core" / "axe.min.js"
IMAGES = ROOT / "docs" / "images"

DESK, PHONE = (1440, 900), (390, 844)
LOOKS = {
    "desk-light": (DESK, "light"),
    "desk-dark": (DESK, "dark"),
    "phone-light": (PHONE, "light"),
    "phone-dark": (PHONE, "dark"),
}

SECONDS = 20
"""For whatever is waited for; a busy machine takes its time."""

GRAVE = ("serious", "critical")

# What is asked for by name in a page, without a policy of it that forbids the test's own script.
FINDINGS = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.map((one) => ({ id: one.id, impact: one.impact, nodes: one.nodes.map((node) => node.html) }));
}"""


@dataclass
class Visit:
    """One page as somebody sees it, and what its console has said."""

    page: Page
    said: list[str] = field(default_factory=list)
    shown_as: str = "desk-light"
    expected: list[str] = field(default_factory=list)  # parts of what it says because the test provokes it

    def wrong(self) -> list[str]:
        """What nobody provoked."""
        return [one for one in self.said if not any(part in one for part in self.expected)]

    def findings(self) -> list[dict[str, Any]]:
        """What axe-core finds serious or critical, in the page as it is now."""
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        return [one for one in self.page.evaluate(FINDINGS) if one["impact"] in GRAVE]

    def look(self, name: str) -> None:
        """As it is."""
        self.shown_as = name
        (width, height), scheme = LOOKS[name]
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")

    def wider_than_the_screen(self) -> int:
        """By how many pixels one would have to scroll sideways."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def picture(self, name: str, folder: Path, *, whole: bool = False) -> None:
        """A screenshot: for the docs where `make pictures` asks for it and they have one of that name."""
        kept = IMAGES if os.environ.get("UPDATE_IMAGES") == "1" and (IMAGES / f"{name}.png").exists() else folder
        self.page.screenshot(path=kept / f"{name}.png", full_page=whole)


@contextmanager
def chromium() -> Generator[Browser]:
    """A browser; without one the test is skipped."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    expect.set_options(timeout=SECONDS * 1000)
    with sync_playwright() as playwright:
        # Tests run as root, where Chromium's sandbox cannot be.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(
    browser: Browser,
    url: str,
    look: str = "desk-light",
    *,
    clock: bool = False,
    touch: bool = False,
    expected: Sequence[str] = (),
) -> Generator[Visit]:
    """A tab of its own; at its end its console must have said nothing wrong but what is expected.

    With `clock` its time passes as `page.clock` lets it.
    """
    (width, height), scheme = LOOKS[look]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        locale="en-GB",
        has_touch=touch,
        reduced_motion="reduce",  # axe would judge the colours of half a transition,
    )
    page = context.new_page()
    page.set_default_timeout(SECONDS * 1000)
    made = Visit(page, shown_as=look, expected=list(expected))
    page.on(
        "console", lambda one: made.said.append(f"{one.type}: {one.text}") if one.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: made.said.append(f"thrown: {error}"))
    if clock:
        page.clock.install()
    page.goto(url)
    try:
        yield made
        assert not made.wrong(), made.wrong()
    finally:
        context.close()
