"""Who comes and goes at a running daemon: scrapes, pages, readers of events, operators, changed files, a bad cloud."""

import contextlib
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.e2e.processes import TOKEN, EmulatedCloud, RunningDaemon

BEARER = {"Authorization": f"Bearer {TOKEN}"}
LONGEST = 30.0
"""Seconds until an answer is there, on a machine that others use as well."""

OPENMETRICS = {"Accept": "application/openmetrics-text"}
PAGES = (
    "/",
    "/targets/{target}",
    "/api/v1/targets",
    "/api/v1/targets/{target}",
    "/api/v1/targets/{target}/decisions?limit=100",
    "/api/v1/targets/{target}/samples",
    "/api/v1/targets/{target}/operations",
    "/api/v1/operations",
    "/api/v1/interventions",
    "/api/v1/config",
    "/-/healthy",
    "/-/ready",
)
FAULTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "503", "service": "ddm", "count": 20},
    {"kind": "429", "service": "cloud_eye", "count": 5},
    {"kind": "reset_after", "service": "ddm", "count": 5},
    {"kind": "garbage", "service": "rds", "count": 3},
    {"kind": "token_revoked"},
    {"kind": "empty_metrics", "service": "cloud_eye", "count": 20},
    {"kind": "failed_job", "service": "ddm", "operation": "enlarge"},
    {"kind": "503", "service": "ddm", "operation": "enlarge"},
    {"kind": "slow", "service": "ddm", "count": 5, "seconds": 1},
)


@dataclass
class Visitors:
    """They come while the block of `about` lasts; what they meet that should not be is in `problems`."""

    cloud: EmulatedCloud
    daemon: RunningDaemon
    policies: Path
    targets: Mapping[str, Any]
    seed: int
    visits: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def about(self) -> Iterator[None]:
        stop = threading.Event()
        habits: Sequence[tuple[Callable[[random.Random], None], float]] = (
            (self.scrape, 0.5),
            (self.look, 0.2),
            (self.look, 0.2),
            (self.follow, 0.1),
            (self.follow, 0.1),
            (self.go_away, 0.5),
            (self.steer, 2),
            (self.edit, 4),
            (self.trouble, 5),
        )
        threads = [
            threading.Thread(target=self._come, args=(visit, every, random.Random(self.seed + number), stop))  # noqa: S311  # when to come, no secret
            for number, (visit, every) in enumerate(habits)
        ]
        for one in threads:
            one.start()
        try:
            yield
        finally:
            stop.set()
            for one in threads:
                one.join()

    def _come(
        self, visit: Callable[[random.Random], None], every: float, chance: random.Random, stop: threading.Event
    ) -> None:
        """Again and again, as often as that on average (seconds)."""
        while not stop.wait(chance.expovariate(1 / every)):
            try:
                visit(chance)
            except Exception as error:  # noqa: BLE001  # one visit's end: whatever it met is told
                self.problems.append(f"{visit.__name__}: {error!r}")
            self.visits[visit.__name__] += 1

    def _target(self, chance: random.Random) -> str:
        return chance.choice(sorted(self.targets))

    def scrape(self, chance: random.Random) -> None:
        headers = chance.choice(({}, OPENMETRICS))
        httpx.get(f"{self.daemon.url}/metrics", headers=headers, timeout=LONGEST).raise_for_status()

    def look(self, chance: random.Random) -> None:
        """A browser or a program, on a connection of its own."""
        with httpx.Client(base_url=self.daemon.url, timeout=LONGEST) as client:
            for _ in range(chance.randint(1, 4)):
                client.get(chance.choice(PAGES).format(target=self._target(chance))).raise_for_status()

    def follow(self, chance: random.Random) -> None:
        """Read along for a while, and leave in mid-stream; at times without having read anything."""
        target = chance.choice((None, self._target(chance)))
        with httpx.stream(
            "GET", f"{self.daemon.url}/api/v1/events", params={"target": target} if target else {}, timeout=LONGEST
        ) as answer:
            answer.raise_for_status()
            for _, _ in zip(range(chance.choice((0, 3, 30))), answer.iter_lines(), strict=False):
                pass

    def go_away(self, _: random.Random) -> None:
        """Give up before the answer is there."""
        with contextlib.suppress(httpx.TimeoutException):
            httpx.get(f"{self.daemon.url}/api/v1/targets", timeout=0.002)

    def steer(self, chance: random.Random) -> None:
        """What an operator does; whatever is paused is resumed at once."""
        path = f"{self.daemon.url}/api/v1/targets/{self._target(chance)}"
        does: Mapping[str, Mapping[str, Any]] = {
            "pause": {"for": "10m", "reason": "a look"},
            "override": {"nodes": 4, "for": "10m", "reason": "a sale"},
        }
        word = chance.choice(sorted(does))
        for action, body in ((word, does[word]), ("resume", {"override": True})):
            httpx.post(f"{path}/{action}", json=body, headers=BEARER, timeout=LONGEST).raise_for_status()

    def edit(self, chance: random.Random) -> None:
        """Other policies, at times broken ones; read anew by a signal, a request, or because they changed."""
        high = chance.randint(12, 16)
        targets = {name: {**one, "nodes": {"min": 2, "max": high}} for name, one in self.targets.items()}
        broken = chance.random() < 0.3
        new = self.policies.with_suffix(".new")
        new.write_text("targets: {orders: {nodes: 1" if broken else yaml.safe_dump({"targets": targets}))
        new.replace(self.policies)
        how = chance.choice(("signal", "request", "files"))
        if how == "signal":
            self.daemon.process.send_signal(signal.SIGHUP)
        elif how == "request":
            answer = httpx.post(f"{self.daemon.url}/-/reload", headers=BEARER, timeout=LONGEST)
            if (answer.status_code == httpx.codes.OK) is broken:
                answer.raise_for_status()
                raise AssertionError("broken policies were obeyed")

    def trouble(self, chance: random.Random) -> None:
        """Something goes wrong in the cloud."""
        self.cloud.fault(**chance.choice(FAULTS))
