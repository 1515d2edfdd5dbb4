"""Real processes of the product on loopback: an emulated cloud, a daemon that watches it, and what they say."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PROJECT = "0123456789abcdef0123456789abcdef"
INSTANCE = "28e8841d0b9c4f6a9a30742ee60e1068in09"
GROUP = "f080abf2010d45118068c28c8958f5fcgr09"
FLAVOR = "8f2e696c-a9c1-30bd-af90-25522bc67606"
CREDENTIALS = {f"AUTOSCALER_CLOUD__{name}": "emulator" for name in ("USERNAME", "PASSWORD", "DOMAIN")}
TOKEN = "let-me-in-for-now"
ENGINES_WAIT = 10.0
"""Real seconds from SIGTERM to SIGKILL, by default, of container engines."""


def until(read: Callable[[], T], wanted: Callable[[T], bool], *, seconds: float = 60, every: float = 0.05) -> T:
    """What `read` gives once it is as wanted; fails with the last it gave."""
    deadline = time.monotonic() + seconds
    while not wanted(last := read()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s; the last was {last!r}")
        time.sleep(every)
    return last


@dataclass(frozen=True)
class Finished:
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        return self.stdout + self.stderr


def finished(*arguments: str, environment: Mapping[str, str], seconds: float = 30) -> Finished:
    """Run a command of the product to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "autoscaler", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        cwd=ROOT,
        timeout=seconds,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@dataclass
class Program:
    """One process of the product; its output is kept in files, so that no pipe fills up."""

    arguments: list[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str = "program"
    enter: tuple[str, ...] = ()  # what starts it elsewhere, as in another mount namespace

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.stdout = self.folder / f"{self.name}.out"
        self.stderr = self.folder / f"{self.name}.err"
        self.before = self.stderr.stat().st_size if self.stderr.exists() else 0  # an earlier process's lines
        with self.stdout.open("ab") as out, self.stderr.open("ab") as err:
            self.process = subprocess.Popen(
                [*self.enter, sys.executable, "-m", "autoscaler", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **self.environment},
                cwd=ROOT,
            )

    def said(self) -> str:
        return self.stdout.read_text() + self.stderr.read_text()

    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        self.process.wait(10)

    def stop(self, seconds: float = 15) -> int:
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def end(self) -> None:
        if self.alive():
            self.kill()


class EmulatedCloud(Program):
    """`autoscaler emulator` on four free ports, or on `port` and the next three."""

    def __init__(
        self, folder: Path, scenario: Mapping[str, Any] | None = None, *, speed: float = 1, port: int = 0
    ) -> None:
        arguments = ["emulator", "--port", str(port), "--speed", str(speed)]
        if scenario is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "scenario.yaml").write_text(yaml.safe_dump(dict(scenario)))
            arguments += ["--scenario", str(folder / "scenario.yaml")]
        super().__init__(arguments, folder, name="emulator")
        line = until(self._line, bool)
        self.addresses: dict[str, str] = json.loads(line)
        self.clock = self.addresses.pop("clock")

    def _line(self) -> str:
        assert self.alive(), self.said()
        text = self.stdout.read_text()
        return text if text.endswith("\n") else ""

    def state(self) -> dict[str, Any]:
        """The truth."""
        return dict(httpx.get(f"{self.addresses['iam']}/_emulator/state", timeout=10).raise_for_status().json())

    def fault(self, **fault: Any) -> None:
        httpx.post(f"{self.addresses['iam']}/_emulator/faults", json=fault, timeout=10).raise_for_status()

    def mutations(self) -> list[dict[str, Any]]:
        return list(self.state()["mutations"])

    def nodes(self) -> int:
        return len(self.state()["instances"][0]["groups"][0]["nodes"])


class RunningDaemon(Program):
    """`autoscaler run` on a configuration of its own; the page of the newest process is at `url`."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, enter: tuple[str, ...] = ()) -> None:
        arguments = ["run", "--config", str(folder / "autoscaler.yaml")]
        super().__init__(arguments, folder, environment, name="daemon", enter=enter)
        self._found = ""

    def log(self) -> str:
        """What this process has logged."""
        return self.stderr.read_bytes()[self.before :].decode()

    def stop_timed(self) -> tuple[int, float]:
        """SIGTERM; its exit code, and the seconds until it said that it had stopped."""
        begun = time.time()
        code = self.stop(seconds=60)
        (said,) = [json.loads(line) for line in self.log().splitlines() if '"message": "stopped"' in line]
        return code, datetime.fromisoformat(said["time"]).timestamp() - begun

    @property
    def url(self) -> str:
        """Where it listens, from its log."""
        self._found = self._found or until(self._url, bool)
        return self._found

    def _url(self) -> str:
        assert self.alive(), self.said()
        lines = [line for line in self.log().splitlines() if '"listening"' in line]
        return str(json.loads(lines[-1])["url"]) if lines else ""

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=10)

    def ready(self, seconds: float = 30) -> "RunningDaemon":
        until(lambda: self.get("/-/ready").status_code, lambda status: status == 200, seconds=seconds)
        return self

    def operations(self) -> list[dict[str, Any]]:
        return list(self.get("/api/v1/operations?limit=1000").raise_for_status().json()["operations"])

    def decisions(self, target: str = "orders", *, limit: int = 500) -> list[dict[str, Any]]:
        """The newest first."""
        path = f"/api/v1/targets/{target}/decisions?limit={limit}"
        return list(self.get(path).raise_for_status().json()["decisions"])

    def target(self, name: str = "orders") -> dict[str, Any]:
        return dict(self.get(f"/api/v1/targets/{name}").raise_for_status().json())

    def count(self, metric: str, **labels: str) -> float:
        """The sum of a metric's series that have these labels; 0 where there is none."""
        return sum(
            value
            for name, found, value in map(_series, self.get("/metrics").text.splitlines())
            if name == f"autoscaler_{metric}" and labels.items() <= found.items()
        )


def _series(line: str) -> tuple[str, dict[str, str], float]:
    """One line of the text format; a comment has no name."""
    found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
    if line.startswith("#") or found is None:
        return "", {}, 0.0
    return found[1], dict(re.findall(r'(\w+)="([^"]*)"', found[2] or "")), float(found[3])


RULE = {
    "name": "cpu",
    "type": "threshold",
    "metric": "ddm_cpu_util",
    "out": [{"above": 75, "for": "3m", "add": 1}],
    "in": [{"below": 30, "for": "30m", "remove": 1}],
}


def policy(**changes: Any) -> dict[str, Any]:
    """One target on the emulator's own instance; `changes` replace keys, None leaves one out."""
    target: dict[str, Any] = {
        "instance_id": INSTANCE,
        "group_id": GROUP,
        "flavor_id": FLAVOR,
        "mode": "enforce",
        "nodes": {"min": 2, "max": 16},
        "rules": [RULE],
    }
    return {key: value for key, value in (target | changes).items() if value is not None}


def write_config(
    folder: Path,
    cloud: EmulatedCloud | Mapping[str, str],
    *,
    targets: Mapping[str, Any] | None = None,
    in_cloud: Mapping[str, Any] | None = None,
    **changes: Any,
) -> dict[str, str]:
    """A configuration that points at an emulated cloud; the environment that it needs.

    `changes` replace keys of the settings, `in_cloud` those below `cloud`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    addresses = cloud.addresses if isinstance(cloud, EmulatedCloud) else dict(cloud)
    settings: dict[str, Any] = {
        "cloud": {"region": "cn-north-4", "dialect": "huawei", "project_id": PROJECT, "endpoints": addresses},
        "store": "sqlite:///state/autoscaler.db",
        "server": {"listen": "127.0.0.1:0"},
        "policy_files": ["policies.yaml"],
    }
    settings |= {**changes, "cloud": {**settings["cloud"], **(in_cloud or {})}}
    (folder / "autoscaler.yaml").write_text(yaml.safe_dump(settings))
    (folder / "policies.yaml").write_text(yaml.safe_dump({"targets": dict(targets or {"orders": policy()})}))
    clock = {"AUTOSCALER_CLOCK": cloud.clock} if isinstance(cloud, EmulatedCloud) else {}
    return {**CREDENTIALS, **clock, "AUTOSCALER_SERVER__TOKEN": TOKEN}
