"""A console that says what a test lets it say, served by the real server on a free port."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from autoscaler.control.feed import Feed
from autoscaler.core.decision import rfc3339
from autoscaler.errors import StoreError
from autoscaler.ports import Cause, ChangeInvalidError, ChangeRefusedError, Following, QuestionInvalidError, Reload
from autoscaler.web import app, server
from autoscaler.web.addressed import Hosts
from tests.fakes import FakeClock

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
TOKEN = "correct horse"
Json = dict[str, Any]


ARMOUR = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}
"""What every answer carries, written once more: a weaker one is to be noticed."""


def unarmoured(answer: httpx.Response) -> set[tuple[str, str | None]]:
    """What of it an answer has otherwise, or not at all."""
    return {(name, answer.headers.get(name)) for name, value in ARMOUR.items() if answer.headers.get(name) != value}


def record(minute: int = 0, decision: str = "hold", reason: str = "within_bounds", target: str = "orders") -> Json:
    desired = {"out": 4, "in": 2, "hold": 3}[decision]
    return {
        "target": target,
        "at": f"2026-11-23T09:{minute:02}:00Z",
        "decision": decision,
        "change": desired - 3,
        "desired": desired,
        "reason": reason,
        "mode": "enforce",
        "nodes": {"current": 3, "ready": 2, "min": 2, "max": 16},
        "rules": [
            {
                "rule": "cpu",
                "value": 81.2,
                "as_of": "2026-11-23T08:59:00Z",
                "samples": 5,
                "wants": desired,
                "reason": reason,
            }
        ],
        "stages": [{"stage": "combine", "desired": desired, "because": "cpu"}],
        "vetoes": [],
    }


def operation(state: str = "submitted", target: str = "orders", **more: Any) -> Json:
    return {
        "id": "op-1",
        "target": target,
        "direction": "out",
        "change": 1,
        "reason": "above_threshold",
        "state": state,
        "committed_at": "2026-11-23T09:50:00Z",
        "submitted_at": None,
        "ended_at": None,
        "job_id": None,
        "order_id": None,
        "arrived": 0,
        "detail": "",
        "foreign": False,
        "shadow": False,
        **more,
    }


def target(name: str = "orders", **more: Any) -> Json:
    last = record(59, target=name)
    return {
        "name": name,
        "mode": "enforce",
        "instance_id": "instance",
        "group_id": "group",
        "interval_seconds": 60.0,
        "nodes": last["nodes"] | {"desired": 4},
        "instance_status": "RUNNING",
        "decision": last,
        "operation": None,
        "shadow_operation": None,
        "overdue": False,
        "refused": None,
        "cooldowns": {"out": 0.0, "in": 0.0},
        "pauses": [],
        "override": None,
        "error": None,
        "rules": [
            {
                "name": "cpu",
                "type": "threshold",
                "metric": "ddm_cpu_util",
                "unit": "%",
                "mode": "enforce",
                "thresholds": {"above": [75.0, 92.0], "below": [30.0]},
            }
        ],
        **more,
    }


def refused(times: int, detail: str = "404 from DDM: no such flavor") -> Json:
    """What is wanted and was refused, as a target's state shows it."""
    return {"direction": "out", "times": times, "since": "2026-11-23T09:15:00Z", "detail": detail}


def held(**more: Any) -> Json:
    """A pause or an override, as a target's state shows it."""
    return {"from": "2026-11-23T09:00:00Z", "until": None, "reason": "", "who": "", **more}


def intervention(kind: str = "pause", target: str | None = "orders", **more: Any) -> Json:
    return {
        "id": "h-1",
        "kind": kind,
        "target": target,
        "from": "2026-11-23T09:00:00Z",
        "until": None,
        "nodes": None,
        "reason": "a move",
        "who": "ann",
        "ended_at": None,
        "ended_by": "",
        "ended_reason": "",
        **more,
    }


UNOBEYED: Json = {"since": "2026-11-23T09:30:00Z", "problems": 2, "first": "p.yaml:3:5: targets.orders: is wrong"}


def chart(target: str = "orders") -> Json:
    """An hour with one record."""
    return {
        "target": target,
        "now": "2026-11-23T10:00:00Z",
        "since": "2026-11-23T09:00:00Z",
        "until": "2026-11-23T10:00:00Z",
        "series": [
            {
                "rule": "cpu",
                "metric": "ddm_cpu_util",
                "unit": "%",
                "mode": "enforce",
                "above": [75.0, 92.0],
                "below": [30.0],
                "target": None,
                "points": [[1795424340.0, 81.2]],
            }
        ],
        "nodes": {"at": [1795424340.0], "current": [3], "ready": [2], "desired": [4], "min": [2], "max": [16]},
        "moves": [{"at": "2026-11-23T09:59:00Z", "decision": "out", "change": 1, "reason": "above_threshold"}],
        "thinned": False,
    }


POLICY: Json = {
    "place": "policies/orders.yaml:4",
    "mode": "enforce",
    "min": 2,
    "max": 16,
    "limits": {"added_per_day": 8, "actions_per_day": None},
    "settings": [
        {"key": "mode", "value": "enforce", "from": "defaults"},
        {"key": "nodes.min", "value": 2, "from": "target"},
        {"key": "limits.add", "value": None, "from": "default"},
        {
            "key": "rules",
            "value": [
                {
                    "name": "cpu",
                    "metric": {"name": "ddm_cpu_util", "period": "1m"},
                    "out": [{"above": 75, "for": "5m"}],
                    "in": [],
                }
            ],
            "from": "target",
        },
    ],
}
NOTHING_YET: Json = {"actions": 0, "out_actions": 0, "added": 0}


@dataclass
class FakeConsole:
    """The port Console: what it is given, and what was asked of it."""

    shown: list[Json] = field(default_factory=list)
    records: dict[str, list[Json]] = field(default_factory=dict)
    ended: list[Json] = field(default_factory=list)
    health: tuple[bool, str] = (True, "the scheduler is on time")
    readiness: tuple[bool, str] = (True, "ready")
    leader: str | None = None  # another daemon
    refused: Json | None = None  # of the files
    lately: Json = field(default_factory=dict)
    broken: str = ""
    no_history: str = ""  # only what was is not to be had
    bug: Exception | None = None  # a mistake of ours, somewhere inside
    refusal: str = ""
    invalid: str = ""
    unanswerable: str = ""
    feed: Feed = field(default_factory=lambda: Feed(FakeClock(NOW), followers=3))
    reloaded: Reload = field(default_factory=lambda: Reload(cause=Cause.REQUEST))
    notes: list[str] = field(default_factory=list)
    done: list[Json] = field(default_factory=list)
    paused: int = 0  # pauses that a resume ends
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def healthy(self) -> tuple[bool, str]:
        return self.health

    def ready(self) -> tuple[bool, str]:
        return self.readiness

    def led_by(self) -> str | None:
        return self.leader

    def unobeyed(self) -> Json | None:
        return self.refused

    def now(self) -> datetime:
        return NOW

    def names(self) -> tuple[str, ...]:
        return tuple(one["name"] for one in self.shown)

    def targets(self) -> Iterator[Json]:
        self._check()
        yield from self.shown

    def recent(self) -> Json:
        return self.lately

    def target(self, name: str) -> Json | None:
        self._check()
        more = {"policy": POLICY, "last_day": NOTHING_YET}
        return next((more | one for one in self.shown if one["name"] == name), None)

    def decisions(
        self,
        target: str,
        *,
        before: datetime | None,
        since: datetime | None,
        limit: int,
        oldest_first: bool = False,
    ) -> tuple[Json, ...]:
        self._check_history()
        self.asked.append((target, before, since))
        return _part(self.records.get(target, []), "at", before, since, limit, oldest_first=oldest_first)

    def samples(self, target: str, *, since: datetime | None, until: datetime | None, points: int) -> Json:
        self._check_history()
        if self.unanswerable:
            raise QuestionInvalidError(self.unanswerable)
        self.asked.append((target, since, until, points))
        return chart(target)

    def operations(
        self,
        target: str | None,
        *,
        limit: int,
        before: datetime | None = None,
        since: datetime | None = None,
        oldest_first: bool = False,
    ) -> tuple[Json, ...]:
        self._check_history()
        mine = [one for one in self.ended if target in (None, one["target"])]
        return _part(mine, "committed_at", before, since, limit, oldest_first=oldest_first)

    def last_event(self) -> int:
        return self.feed.last()

    def follow(self, after: int | None) -> Following:
        return self.feed.follow(after)

    def config(self) -> Json:
        return {"server": {"token": "**********"}}

    def interventions(self, target: str | None = None, *, limit: int) -> tuple[Json, ...]:
        self._check_history()
        return tuple(one for one in self.done if target is None or one["target"] in (None, target))[:limit]

    async def pause(self, target: str | None, *, lasts: timedelta | None, reason: str, who: str) -> Json:
        until = None if lasts is None else rfc3339(NOW + lasts)
        return self._changed(
            ("pause", target, lasts, reason, who),
            [intervention("pause", target)],
            pauses=[held(all=target is None, until=until, reason=reason, who=who)],
        )

    async def resume(self, target: str | None, *, breaker: bool, override: bool, who: str, reason: str = "") -> Json:
        kinds = ["pause"] * self.paused + ["override"] * override + ["breaker_reset"] * breaker
        changed = [intervention(kind, target) for kind in kinds]
        return self._changed(("resume", target, breaker, override, reason, who), changed)

    async def override(self, target: str, *, nodes: int, lasts: timedelta, reason: str, who: str) -> Json:
        shown = held(nodes=nodes, until=rfc3339(NOW + lasts), reason=reason, who=who)
        asked = ("override", target, nodes, lasts, reason, who)
        return self._changed(asked, [intervention("override", target)], override=shown)

    def _changed(self, asked: tuple[Any, ...], changed: list[Json], **holds: Any) -> Json:
        if self.refusal:
            raise ChangeRefusedError(self.refusal)
        if self.invalid:
            raise ChangeInvalidError(self.invalid)
        self.asked.append(asked)
        answer = {"target": asked[1], "now": rfc3339(NOW), "changed": changed, "pauses": [], "override": None}
        return answer | {"notes": self.notes} | holds

    async def reload(self, *, who: str, reason: str = "") -> Reload:
        if self.refusal:
            raise ChangeRefusedError(self.refusal)
        self.asked.append(("reload", who, reason))
        return self.reloaded

    async def resolve(self, target: str, *, outcome: str, reason: str, who: str) -> Json:
        if self.refusal:
            raise ChangeRefusedError(self.refusal)
        self.asked.append(("resolve", target, outcome, reason, who))
        return operation(outcome, target)

    def _check(self) -> None:
        if self.bug:
            raise self.bug
        if self.broken:
            raise StoreError(self.broken)

    def _check_history(self) -> None:
        self._check()
        if self.no_history:
            raise StoreError(self.no_history)


def _part(
    entries: list[Json],
    moment: str,
    before: datetime | None,
    since: datetime | None,
    limit: int,
    *,
    oldest_first: bool,
) -> tuple[Json, ...]:
    """Entries are given the newest first."""
    found = [
        one
        for one in entries
        if (before is None or datetime.fromisoformat(one[moment]) < before)
        and (since is None or datetime.fromisoformat(one[moment]) >= since)
    ]
    return tuple((found[::-1] if oldest_first else found)[:limit])


def until(true: Callable[[], bool]) -> None:
    """Wait until it is so; fails after 10 s."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def metrics(accept: str) -> tuple[bytes, str]:
    """What telemetry would answer; says what it was asked for."""
    return f"# {accept}\n".encode(), "text/plain; version=0.0.4; charset=utf-8"


class Served:
    """The application on a real socket, in a loop of its own thread."""

    def __init__(self, console: FakeConsole, token: str | None) -> None:
        self.console = console
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        secret = SecretStr(token) if token is not None else None
        self._server = server.Server(app.create_app(console, metrics, secret, Hosts()), host="127.0.0.1", port=0)
        self._do(self._server.start())
        self.url = self._server.url
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=10)

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def call(self, what: Callable[..., Any], *arguments: Any) -> Any:
        """Have something done in the loop of the server, and what came of it."""

        async def done() -> Any:
            return what(*arguments)

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(20)

    def close(self, *, keep_http: bool = False) -> None:
        if not keep_http:
            self.http.close()
        self.call(self.console.feed.close)
        self._do(self._server.stop())
        self._do(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()


@pytest.fixture
def console() -> FakeConsole:
    return FakeConsole(shown=[target()])


@pytest.fixture
def served(console: FakeConsole) -> Iterator[Served]:
    """With a token."""
    running = Served(console, TOKEN)
    yield running
    running.close()


@pytest.fixture
def locked(console: FakeConsole) -> Iterator[Served]:
    """Without one."""
    running = Served(console, None)
    yield running
    running.close()
