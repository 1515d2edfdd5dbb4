"""Two Prometheus servers with the same data: the real one, and an emulated one that knows a few queries by heart.

For 20 minutes from BASE two nodes are scraped every 15 s: `load` of n1 is its minute, of n2 a hundred more; `odd` has
numbers that are none; `gone` ends after 5 minutes.
"""

import asyncio
import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx

BASE = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
SCRAPES = 80
ODD = ["NaN", "+Inf", "-Inf", "1e+30", "1e-40", "7"]
"""One a minute, again and again."""


def at(minutes: float) -> datetime:
    return BASE + timedelta(minutes=minutes)


def _minute(instant: float) -> int:
    return int(instant - BASE.timestamp()) // 60


def _load(instant: float) -> list[tuple[dict[str, str], str]]:
    if not 0 <= instant - BASE.timestamp() <= 15 * SCRAPES:  # the last scrape counts for a while
        return []
    names, minute = {"__name__": "load", "zone": "z"}, _minute(instant)
    return [({**names, "node_id": "n1"}, f"{minute}"), ({**names, "node_id": "n2"}, f"{minute + 100}")]


def openmetrics() -> str:
    """The data as promtool reads it."""
    instants = [BASE.timestamp() + 15 * number for number in range(SCRAPES)]
    lines = ["# TYPE load gauge"]
    for place in (0, 1):
        for instant in instants:
            labels, value = _load(instant)[place]
            lines.append(f'load{{zone="z",node_id="{labels["node_id"]}"}} {value} {instant:.0f}')
    lines.append("# TYPE odd gauge")
    lines += [f"odd {ODD[_minute(instant) % len(ODD)]} {instant:.0f}" for instant in instants]
    lines.append("# TYPE gone gauge")
    lines += [f"gone 1 {instant:.0f}" for instant in instants[:20]]
    return "\n".join([*lines, "# EOF", ""])


Evaluated = list[tuple[dict[str, str], str]]
KNOWN: dict[str, Callable[[float], Evaluated]] = {
    "load": _load,
    "sum(load)": lambda instant: [({}, str(sum(int(value) for _, value in _load(instant))))] if _load(instant) else [],
    "odd": lambda instant: [({"__name__": "odd"}, ODD[_minute(instant) % len(ODD)])],
    "gone": lambda instant: [({"__name__": "gone"}, "1")] if instant <= BASE.timestamp() + 300 else [],
    "never": lambda _: [],
    "7": lambda _: [({}, "7")],
}
"""What the emulated server can evaluate."""


def evaluate(form: dict[str, str]) -> tuple[int, Any]:
    """What it answers to a form: status and JSON."""
    query, start, end, step = form["query"], float(form["start"]), float(form["end"]), float(form["step"])
    if query not in KNOWN:
        error = 'invalid parameter "query": 1:9: parse error: unclosed left parenthesis'
        return 400, {"status": "error", "errorType": "bad_data", "error": error}
    if (end - start) / step > 11_000:
        error = "exceeded maximum resolution of 11,000 points per timeseries"
        return 400, {"status": "error", "errorType": "bad_data", "error": error}
    found: dict[str, tuple[dict[str, str], list[list[object]]]] = {}
    for number in range(int((end - start) / step) + 1):
        instant = start + number * step
        for labels, value in KNOWN[query](instant):
            found.setdefault(str(labels), (labels, []))[1].append([instant, value])
    result = [{"metric": labels, "values": values} for labels, values in found.values()]
    return 200, {"status": "success", "data": {"resultType": "matrix", "result": result}}


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    form: dict[str, str]


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: object = b""  # bytes, or what becomes JSON
    headers: dict[str, str] = field(default_factory=dict)

    def wire(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        lines = [f"HTTP/1.1 {self.status} Status", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


Behaviour = Callable[[dict[str, str]], Answer | None]
"""What is answered to a form; None: nothing, ever."""


@dataclass
class Emulated:
    """A server on a loopback socket, and everything that it was asked."""

    behave: Behaviour = field(default=lambda form: Answer(*evaluate(form)))
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    at_once: int = 0
    most_at_once: int = 0
    delay: float = 0.0
    _server: asyncio.Server | None = None

    async def start(self, tls: ssl.SSLContext | None = None) -> "Emulated":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *rest = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
            form = dict(parse_qsl((await reader.readexactly(int(headers["content-length"]))).decode()))
            self.requests.append(Request(line.split(" ")[1], headers, form))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await asyncio.sleep(self.delay)
            self.at_once -= 1
            answer = self.behave(form)
            if answer is None:
                await reader.read()  # until the client goes away
            else:
                writer.write(answer.wire())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()


def load_data(promtool: str, folder: Path) -> None:
    """Make the data of a real server."""
    (folder / "data.om").write_text(openmetrics())
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "data.om", "data"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


@contextmanager
def real(prometheus: str, folder: Path, port: int, config: str = "{}") -> Iterator[str]:
    """A Prometheus with the data in `folder`, until the end of the block: its address."""
    (folder / "prometheus.yml").write_text(config)
    command = [
        prometheus,
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        "--storage.tsdb.retention.time=100y",
        "--query.lookback-delta=30s",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    url = f"http://127.0.0.1:{port}"
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _until_ready(url, process, folder / "prometheus.log")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/-/ready", timeout=2, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # it is not listening yet
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def numbers(*values: object) -> list[Decimal]:
    return [Decimal(str(value)) for value in values]
