"""An emulated cloud on real sockets, a clock that the test sets, and a caller that signs in with a password."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from autoscaler.emulator import scenario, server

PROJECT = "0123456789abcdef0123456789abcdef"
INSTANCE = "28e8841d0b9c4f6a9a30742ee60e1068in09"
GROUP = "f080abf2010d45118068c28c8958f5fcgr09"
FLAVOR = "8f2e696c-a9c1-30bd-af90-25522bc67606"
DATA_NODE = "c6f68fed9e74478c8679479a07d7d568in01"


@dataclass
class SetClock:
    """A clock that stands still until a test moves it; real sleeps are noted, not slept."""

    # The SDK signs with the real time, so a test with it begins there.
    time: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    speed: float = 1.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return time.monotonic()

    def boottime(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def advance(self, **span: float) -> None:
        self.time += timedelta(**span)


@dataclass
class Caller:
    """Calls the emulator with a token, as plain HTTP."""

    emulator: server.Emulator
    http: httpx.AsyncClient
    token: str = ""

    async def sign_in(self, **changes: Any) -> httpx.Response:
        user = {"name": "emulator", "password": "emulator", "domain": {"name": "emulator"}} | changes
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": {"name": "cn-north-4"}}}}
        answer = await self.http.post(f"{self.emulator.addresses.iam}/v3/auth/tokens", json=body)
        self.token = answer.headers.get("X-Subject-Token", "")
        return answer

    async def call(self, service: str, method: str, path: str, **more: Any) -> httpx.Response:
        url = getattr(self.emulator.addresses, service) + path.replace("{p}", PROJECT).replace("{i}", INSTANCE)
        return await self.http.request(method, url, headers={"X-Auth-Token": self.token}, **more)

    async def ddm(self, path: str, **query: Any) -> Any:
        answer = await self.call("ddm", "GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def enlarge(self, count: int = 1, **more: Any) -> httpx.Response:
        body = {"flavor_id": FLAVOR, "node_number": count} | more
        return await self.call("ddm", "POST", "/v2/{p}/instances/{i}/action/enlarge", json=body)

    async def reduce(self, count: int = 1) -> httpx.Response:
        return await self.call("ddm", "POST", "/v2/{p}/instances/{i}/action/reduce", json={"node_number": count})

    async def jobs(self) -> list[dict[str, Any]]:
        now = self.emulator.clock.now().timestamp() * 1000
        found = await self.ddm("/v3/{p}/jobs", start_time=int(now - 86_400_000), end_time=int(now), limit=128)
        listed: list[dict[str, Any]] = found["jobs"]
        return listed

    async def statuses(self) -> list[str]:
        nodes = (await self.ddm("/v1/{p}/instances/{i}/nodes"))["nodes"]
        return [node["status"] for node in nodes]

    async def node_ids(self) -> list[str]:
        return [node["node_id"] for node in (await self.ddm("/v1/{p}/instances/{i}/nodes"))["nodes"]]

    async def points(
        self, node: str, *, minutes: int = 60, period: str = "1", name: str = "ddm_cpu_util", how: str = "average"
    ) -> list[dict[str, Any]]:
        now = int(self.emulator.clock.now().timestamp() * 1000)
        metric = {
            "namespace": "SYS.DDMS",
            "metric_name": name,
            "dimensions": [{"name": "node_id", "value": node}],
        }
        body = {"metrics": [metric], "from": now - minutes * 60_000, "to": now, "period": period, "filter": how}
        answer = await self.call("cloud_eye", "POST", "/V1.0/{p}/batch-query-metric-data", json=body)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["metrics"][0]["datapoints"]
        return found

    async def fault(self, kind: str, **more: Any) -> httpx.Response:
        url = self.emulator.addresses.iam + "/_emulator/faults"
        return await self.http.post(url, json={"kind": kind} | more)

    async def state(self) -> Any:
        return (await self.http.get(self.emulator.addresses.iam + "/_emulator/state")).json()


Start = Callable[..., Awaitable[Caller]]


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def start(clock: SetClock) -> AsyncIterator[Start]:
    """Start an emulated cloud of this scenario, and sign in."""
    async with contextlib.AsyncExitStack() as stack:

        async def begin(**wanted: Any) -> Caller:
            emulator = await stack.enter_async_context(server.Emulator(scenario.Scenario(**wanted), clock))
            http = await stack.enter_async_context(httpx.AsyncClient(timeout=10, trust_env=False))
            caller = Caller(emulator, http)
            await caller.sign_in()
            return caller

        yield begin


@pytest.fixture
async def caller(start: Start) -> Caller:
    """The default scenario, signed in."""
    return await start()
