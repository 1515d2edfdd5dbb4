"""What holds for every test: a clean environment, and no silent skip where all tools are said to be there."""

import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

# A developer's shell must not decide what a test sees: our own settings, and what turns colours on or off in the CLI.
FOREIGN = ("FORCE_COLOR", "NO_COLOR", "PY_COLORS", "GITHUB_ACTIONS")


def pytest_configure() -> None:
    """Take out of the environment what would change the product's behaviour, for this process and its children."""
    for name in list(os.environ):
        if name.startswith("AUTOSCALER_") or name in FOREIGN:
            del os.environ[name]


SIMULATION = Path(__file__).parent / "simulation"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of real processes first, which mostly wait, then simulated days, which only compute, then all others."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    if item.get_closest_marker("container") or item.get_closest_marker("process"):
        return 0
    return 1 if SIMULATION in item.path.parents else 2


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """`require_tool("buildah")` is the program's path; without the program the test is skipped (see below)."""

    def require(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return require


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """With REQUIRE_TOOLS=1 a skipped test is a failed one; an expected failure (xfail) is neither."""
    if os.environ.get("REQUIRE_TOOLS") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_TOOLS=1 lets no test be skipped. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skips of tests and fixtures."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skips of whole files."""
    report = yield
    _refuse_skip(report)
    return report
