"""A real Prometheus for the whole run, emulated ones for each test, and sources that ask them."""

from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from autoscaler import clock
from autoscaler.prometheus.connection import Connection, Retries, Timeouts
from autoscaler.prometheus.source import PrometheusSource
from tests.e2e import ports
from tests.fakes import RecordingMonitor
from tests.prometheus import servers

QUICK = Timeouts(connect=1.0, one_try=0.5, altogether=2.0)
EAGER = Retries(tries=3, first_wait=0.001, longest_retry_after=0.5)


class CountingMonitor(RecordingMonitor):
    """Also keeps how each call ended."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: list[str] = []

    def call(self, service: str, name: str, code: str, seconds: float) -> None:
        assert (service, name, seconds >= 0) == ("prometheus", "query_range", True)
        self.codes.append(code)


@pytest.fixture(scope="session")
def real_url(tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]) -> Generator[str]:
    folder: Path = tmp_path_factory.mktemp("prometheus")
    servers.load_data(require_tool("promtool"), folder)
    with servers.real(require_tool("prometheus"), folder, ports.consecutive_free_ports(1)) as url:
        yield url


@pytest.fixture
async def emulated() -> AsyncGenerator[servers.Emulated]:
    server = await servers.Emulated().start()
    yield server
    await server.stop()


@pytest.fixture
def monitor() -> CountingMonitor:
    return CountingMonitor()


@pytest.fixture
async def source_of(monitor: CountingMonitor) -> AsyncGenerator[Callable[..., PrometheusSource]]:
    """`source_of(url, token=…)` is a source that is impatient."""
    made: list[PrometheusSource] = []

    def make(url: str, **more: Any) -> PrometheusSource:
        given = {"timeouts": QUICK, "retries": EAGER, **more}
        made.append(PrometheusSource(Connection("prom", url, **given), time=clock.SystemClock(), monitor=monitor))
        return made[-1]

    yield make
    for source in made:
        await source.aclose()
