"""I12, on real processes: a secret that is planted shows in no log, error, metric, page, answer or file."""

import base64
import http.client
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from tests.e2e.processes import EmulatedCloud, RunningDaemon, finished, policy, until, write_config
from tests.storage import postgres

pytestmark = pytest.mark.process

USER_PASSWORD = "planted-Password-7c1e"  # made up, as all of these
SECRET_KEY = "planted-SecretKey-9d02"
SECURITY_TOKEN = "planted-SecurityToken-44af"
API_TOKEN = "planted-ApiToken-5b6d"
PROXY_PASSWORD = "planted@Proxy/1f3a"
WRONG = "planted-Mistyped-aa19"

HOT = {
    "user": {"name": "emulator", "password": USER_PASSWORD, "domain": "emulator"},
    "access_key": {"access": "EMULATORACCESSKEY", "secret": SECRET_KEY},
    "load": {"constant": 5000, "capacity_per_node": 1},
    "jobs": {"enlarge": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
}
EAGER = policy(
    cooldown={"out": "1m", "failed": "1m"},
    warm_up="0s",
    rules=[{"name": "cpu", "type": "threshold", "metric": "ddm_cpu_util", "out": [{"above": 75, "add": 1}]}],
)
PAGES = (
    "/",
    "/targets/orders",
    "/targets/nobody",
    "/targets/orders/foretold?action=pause&for=2h",
    "/targets/orders/foretold?action=override&nodes=3&for=2h",
    "/targets/orders/foretold?action=resolve&as=failed",
    "/static/target.js",
    "/metrics",
    "/-/ready",
    "/-/healthy",
    "/api/v1/config",
    "/api/v1/targets",
    "/api/v1/targets/orders",
    "/api/v1/targets/orders/decisions",
    "/api/v1/targets/orders/operations",
    "/api/v1/targets/orders/samples",
    "/api/v1/operations",
    "/api/v1/interventions",
    "/api/v1/openapi.json",
    "/api/v1/nothing",
)


class Proxy(ThreadingHTTPServer):
    """A forward proxy on loopback that wants a password, and remembers the tokens that pass."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Forward)
        self.tokens: set[str] = set()
        self.allowed = 0


class Forward(BaseHTTPRequestHandler):
    """One request, sent on to where its absolute address says."""

    server: Proxy

    def do_GET(self) -> None:
        self._forward()

    def do_POST(self) -> None:
        self._forward()

    def log_message(self, *_: object) -> None:
        """Nothing: the test looks at what the daemon says."""

    def _forward(self) -> None:
        wanted = "Basic " + base64.b64encode(f"proxy:{PROXY_PASSWORD}".encode()).decode()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Proxy-Authorization") != wanted:
            self.send_error(407)
            return
        self.server.allowed += 1
        address = urlsplit(self.path)
        there = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        there.request(self.command, f"{address.path}?{address.query}", body, dict(self.headers))
        answer = there.getresponse()
        content = answer.read()
        self.server.tokens |= {value for name, value in answer.getheaders() if name.lower() == "x-subject-token"}
        self.send_response_only(answer.status)  # the Date is the cloud's
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "server"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        there.close()


@pytest.fixture
def proxy() -> Generator[Proxy]:
    with Proxy() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@dataclass
class Seen:
    """Everything that came out: what commands and pages said, by its name."""

    texts: dict[str, bytes] = field(default_factory=dict)

    def command(self, *arguments: str, environment: Mapping[str, str]) -> int:
        done = finished(*arguments, environment=environment)
        self.texts[" ".join(arguments)] = done.said.encode()
        return done.code

    def pages(self, daemon: RunningDaemon) -> None:
        bearer = {"Authorization": f"Bearer {API_TOKEN}"}
        decided = [f"/targets/orders/decisions/{quote(one['at'], safe='')}" for one in daemon.decisions(limit=3)]
        for path in (*PAGES, *decided):
            answer = httpx.get(daemon.url + path, headers=bearer, timeout=20)
            self.texts[path] = answer.content + repr(answer.headers.raw).encode()
        openmetrics = {"Accept": "application/openmetrics-text; version=1.0.0"}
        answer = httpx.get(f"{daemon.url}/metrics", headers=bearer | openmetrics, timeout=20)
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        self.texts["OpenMetrics"] = answer.content

    def refusals(self, daemon: RunningDaemon) -> None:
        """What is said to those who may not, or send what cannot be taken."""
        path, right = "/api/v1/targets/orders/pause", {"Authorization": f"Bearer {API_TOKEN}"}
        for name, sent in {
            "a wrong token": {"headers": {"Authorization": f"Bearer {WRONG}"}},
            "the token in another way": {"headers": {"Authorization": f"Basic {API_TOKEN}"}},
            "another site": {"headers": right | {"Sec-Fetch-Site": "cross-site"}},
            "no JSON": {"headers": right, "content": b"{"},
            "no duration": {"headers": right, "json": {"for": "long"}},
            "too much": {"headers": right, "content": b" " * 100_000},
        }.items():
            answer = httpx.post(daemon.url + path, **sent)  # type: ignore[arg-type]  # as its own parameters
            assert answer.status_code in (401, 403, 413, 415, 422)
            self.texts[name] = answer.content + repr(answer.headers.raw).encode()

    def events(self, daemon: RunningDaemon, after: int) -> None:
        """What was told since, up to an operation of which nobody knows what became of it."""
        told = []
        with httpx.stream("GET", f"{daemon.url}/api/v1/events?after={after}", timeout=20) as stream:
            for line in stream.iter_lines():
                told.append(line)
                if '"state":"unknown"' in line:
                    break
        self.texts["events"] = "\n".join(told).encode()

    def files(self, folder: Path) -> None:
        self.texts |= {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    def leaks(self, secrets: Mapping[str, str]) -> list[tuple[str, str]]:
        """Which secret stands where, as it is or as it is sent."""
        return [
            (name, where)
            for name, secret in secrets.items()
            for form in forms(secret)
            for where, text in self.texts.items()
            if form.encode() in text
        ]


def forms(secret: str) -> set[str]:
    """As it is, in a URL, and in a header."""
    return {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")}


def more_decisions(daemon: RunningDaemon, known: int) -> bool:
    return len(daemon.decisions()) > known


def lively(daemon: RunningDaemon, cloud: EmulatedCloud, seen: Seen, echo: Mapping[str, Any]) -> None:
    """A session with everything that goes well and wrong, everybody who asks, and a service that repeats a secret."""
    after = daemon.get("/api/v1/targets").json()["event"]
    for fault in (
        {"kind": "expired_token", "service": "ddm"},
        echo,
        {"kind": "token_revoked"},
        {"kind": "garbage", "service": "ddm", "operation": "list_jobs"},
        {"kind": "503", "service": "cloud_eye", "count": 4},
        {"kind": "http_409", "service": "ddm", "operation": "enlarge"},
    ):
        known = len(daemon.decisions())
        cloud.fault(**fault)
        until(partial(more_decisions, daemon, known), bool)
    until(daemon.operations, lambda found: {"rejected", "succeeded"} <= {one["state"] for one in found})
    cloud.fault(kind="503", service="ddm", operation="enlarge")
    until(daemon.operations, lambda found: "unknown" in {one["state"] for one in found})
    seen.pages(daemon)
    seen.refusals(daemon)
    seen.events(daemon, after)
    here = ("--url", daemon.url)
    assert seen.command("status", *here, environment={}) == 0
    assert seen.command("history", "orders", "--limit", "1000", *here, environment={}) == 0
    assert seen.command("explain", "orders", "--format", "json", *here, environment={}) == 0
    closes = ("resolve", "orders", "--as", "never_happened", "--reason", "looked", *here)
    assert seen.command(*closes, "--yes", environment={"AUTOSCALER_SERVER__TOKEN": WRONG}) == 1
    assert seen.command(*closes, "--yes", environment={"AUTOSCALER_SERVER__TOKEN": API_TOKEN}) == 0


def test_i12_password_tokens_and_proxy_password_show_nowhere(tmp_path, started, proxy):
    cloud = started(EmulatedCloud(tmp_path / "cloud", HOT, speed=200))
    folder, seen = tmp_path / "daemon", Seen()
    told = write_config(folder, cloud, targets={"orders": EAGER}, log={"level": "debug"})
    through = f"http://proxy:{quote(PROXY_PASSWORD, safe='')}@127.0.0.1:{proxy.server_port}"
    environment = told | {
        "AUTOSCALER_CLOUD__PASSWORD": USER_PASSWORD,
        "AUTOSCALER_CLOUD__PROXY": through,
        "AUTOSCALER_SERVER__TOKEN": API_TOKEN,
    }
    daemon = started(RunningDaemon(folder, environment)).ready()
    echo = {"kind": "http_400", "service": "iam", "operation": "sign_in", "message": f"no, {USER_PASSWORD}!"}
    lively(daemon, cloud, seen, echo)
    assert b"no, ***!" in daemon.stderr.read_bytes(), "the service repeated it"
    config = ("--config", str(folder / "autoscaler.yaml"))
    assert seen.command("check", "--live", "--format", "json", *config, environment=environment) in (0, 1)
    assert daemon.stop() == 0

    refused = environment | {"AUTOSCALER_CLOUD__PROXY": through.replace(quote(PROXY_PASSWORD, safe=""), WRONG)}
    wrong = environment | {"AUTOSCALER_CLOUD__PASSWORD": WRONG}
    for bad in (refused, wrong):
        assert seen.command("check", "--live", *config, environment=bad) == 1
        seen.texts[f"check --live {len(seen.texts)}"] = seen.texts.pop(" ".join(("check", "--live", *config)))
    assert seen.command("run", *config, environment=wrong) == 1

    seen.files(folder)
    assert any(name.endswith(".db") for name in seen.texts)
    assert proxy.allowed > len(PAGES)
    assert proxy.tokens, "signing in went through the proxy"
    secrets: dict[str, Any] = {f"token {at}": token for at, token in enumerate(sorted(proxy.tokens))}
    secrets |= {"password": USER_PASSWORD, "API token": API_TOKEN, "proxy": PROXY_PASSWORD, "mistyped": WRONG}
    secrets |= {"proxy's header": f"proxy:{PROXY_PASSWORD}"}
    assert seen.leaks(secrets) == []


def test_i12_secret_key_and_security_token_show_nowhere(tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud", HOT, speed=200))
    folder, seen = tmp_path / "daemon", Seen()
    told = write_config(
        folder, cloud, targets={"orders": EAGER}, log={"level": "debug"}, in_cloud={"credentials": "access_key"}
    )
    environment = {name: value for name, value in told.items() if not name.startswith("AUTOSCALER_CLOUD__")} | {
        "AUTOSCALER_CLOUD__ACCESS_KEY": "EMULATORACCESSKEY",
        "AUTOSCALER_CLOUD__SECRET_KEY": SECRET_KEY,
        "AUTOSCALER_CLOUD__SECURITY_TOKEN": SECURITY_TOKEN,
        "AUTOSCALER_SERVER__TOKEN": API_TOKEN,
    }
    daemon = started(RunningDaemon(folder, environment)).ready()
    echo = {"kind": "http_403", "service": "ddm", "operation": "enlarge", "message": f"no, {SECURITY_TOKEN}!"}
    lively(daemon, cloud, seen, echo)
    assert b"no, ***!" in seen.texts["/api/v1/operations"], "the service repeated it"
    assert daemon.stop() == 0
    config = ("--config", str(folder / "autoscaler.yaml"))
    assert seen.command("check", "--live", *config, environment=environment) in (0, 1)
    assert seen.command("run", *config, environment=environment | {"AUTOSCALER_CLOUD__SECRET_KEY": WRONG}) == 1
    seen.files(folder)
    secrets = {"secret key": SECRET_KEY, "security token": SECURITY_TOKEN, "API token": API_TOKEN, "mistyped": WRONG}
    assert seen.leaks(secrets) == []


def test_i12_the_password_of_the_database_shows_nowhere_also_where_that_is_away(tmp_path, started, postgresql):
    cloud = started(EmulatedCloud(tmp_path / "cloud", HOT, speed=200))
    folder, seen = tmp_path / "daemon", Seen()
    told = write_config(folder, cloud, targets={"orders": EAGER}, log={"level": "debug"})
    store = postgresql.url(postgresql.new_database())
    environment = told | {
        "AUTOSCALER_STORE": store,
        "AUTOSCALER_SERVER__TOKEN": API_TOKEN,
        "AUTOSCALER_CLOUD__PASSWORD": USER_PASSWORD,
    }
    daemon = started(RunningDaemon(folder, environment)).ready()
    until(daemon.decisions, bool)
    seen.pages(daemon)
    seen.refusals(daemon)
    here, config = ("--url", daemon.url), ("--config", str(folder / "autoscaler.yaml"))
    assert seen.command("status", *here, environment={}) == 0
    assert seen.command("check", "--format", "json", *config, environment=environment) == 0

    pages = ("/", "/targets/orders", "/api/v1/targets", "/api/v1/operations", "/-/ready")
    postgresql.stop()
    try:
        answers = until(
            lambda: {path: httpx.get(daemon.url + path, timeout=60) for path in pages},
            lambda found: found["/api/v1/operations"].status_code == 503,
        )
        seen.texts |= {f"{path} without it": answer.content for path, answer in answers.items()}
        pause, bearer = f"{daemon.url}/api/v1/targets/orders/pause", {"Authorization": f"Bearer {API_TOKEN}"}
        refused = httpx.post(pause, headers=bearer, timeout=60)
        assert refused.status_code == 503
        seen.texts["a pause without it"] = refused.content
    finally:
        postgresql.start()
    assert daemon.stop() == 0
    mistyped = environment | {"AUTOSCALER_STORE": store.replace(quote(postgres.PASSWORD, safe=""), WRONG)}
    assert seen.command("run", *config, environment=mistyped) == 1

    seen.files(folder)
    assert "127.0.0.1" in seen.texts["/api/v1/operations without it"].decode(), "it says which database it is"
    secrets = {"the database's": postgres.PASSWORD, "mistyped": WRONG, "API token": API_TOKEN, "cloud's": USER_PASSWORD}
    assert seen.leaks(secrets) == []
