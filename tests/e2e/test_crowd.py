"""A thousand connections to a real daemon: they are bounded, and neither a probe nor a cycle waits for them."""

import resource
import socket
import time
from collections.abc import Callable, Generator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.processes import EmulatedCloud, Program, RunningDaemon, policy, until, write_config

pytestmark = pytest.mark.process

CROWD = 1000
SAYS = (
    b"",
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Never-Ends: ",
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
)
SPEED = 60


@pytest.fixture
def many_files() -> Generator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CROWD
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted if hard < 0 else min(wanted, hard)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def files(daemon: RunningDaemon) -> int:
    return len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


def megabytes(daemon: RunningDaemon) -> float:
    """Of memory that it holds now."""
    pages = int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


@pytest.mark.usefixtures("many_files")
def test_a_thousand_connections_delay_no_cycle_and_keep_no_probe_waiting(
    tmp_path: Path, started: Callable[[Program], Program]
) -> None:
    cloud = EmulatedCloud(tmp_path / "cloud", speed=SPEED)
    started(cloud)
    environment = write_config(tmp_path / "daemon", cloud, targets={"orders": policy()})
    daemon = RunningDaemon(tmp_path / "daemon", environment)
    started(daemon)
    daemon.ready()
    until(daemon.decisions, bool)
    before, small = files(daemon), megabytes(daemon)
    address = urlsplit(daemon.url)
    crowd: list[socket.socket] = []
    try:
        for number in range(CROWD):
            crowd.append(socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=10))
            crowd[-1].sendall(SAYS[number % len(SAYS)])
        for _ in range(5):
            asked = time.monotonic()
            assert httpx.get(f"{daemon.url}/-/healthy", timeout=5).status_code == 200
            assert httpx.get(f"{daemon.url}/metrics", timeout=5).status_code == 200
            assert time.monotonic() - asked < 5
            assert files(daemon) - before < 250
            known = {one["at"] for one in daemon.decisions()}
            until(lambda known=known: {one["at"] for one in daemon.decisions()} - known, bool, seconds=10)  # type: ignore[misc]
            until(lambda: daemon.count("cycle_lateness_seconds"), lambda late: late < 1, seconds=10)
        assert megabytes(daemon) - small < 60
    finally:
        for one in crowd:
            one.close()
    until(lambda: files(daemon), lambda count: count < before + 20, seconds=40)
    assert daemon.stop() == 0
