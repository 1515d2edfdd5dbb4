"""Plans: what a seed makes of a history. The cloud, the policy, and everything that goes wrong, with its time.

All of it is drawn before the history begins, so a plan can be printed, shortened, and played again.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

START = datetime(2026, 3, 28, 6, 0, tzinfo=UTC)  # in the first night clocks are set forward in Europe
IN_AUTUMN = datetime(2026, 10, 24, 6, 0, tzinfo=UTC)  # and in this one back
HOUR = 3600.0
QUIET = 4 * HOUR
"""At the end nothing goes wrong any more for so many seconds: time to settle what is open, and to be well again."""


@dataclass(frozen=True)
class Disturbance:
    """Something that happens at `at` seconds, of a kind that `history.py` knows."""

    at: float
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lasts(self) -> float:
        """Seconds for which it may be felt at most, its own and those until a kill; calls are struck when they come."""
        told = sum(self.values.get(name) or 0.0 for name in ("seconds", "after", "back_after"))
        on_its_way = 900.0 if {"steps", "commits"} & self.values.keys() else 0.0
        return float(told + on_its_way)


@dataclass(frozen=True)
class Plan:
    """One history before it happens."""

    seed: int
    start: datetime = START
    length: float = 24 * HOUR
    api: str = "v2"
    mode: str = "enforce"
    prepaid: bool = False
    tracking: bool = False
    trace: str = "nasa_http_5min"
    steady: float | None = None  # instead of a trace: so many nodes' worth of load, all the time
    peak_nodes: int = 8
    nodes: int = 3
    most: int = 10
    enlarge: float = 300.0
    status_delay: float = 30.0
    late_status: bool = False  # nothing of a job shows at its instance before its end
    completion_delay: float = 0.0  # of `enlarge`, from nodes that serve to the end of their job; below 0: the other way
    lag: float = 120.0
    daemons: int = 1  # on one store
    files: bool = False  # the daemon reads its configuration from files, which may change
    windows: bool = False  # the policy has a floor and a blackout by the clocks of Berlin: windows.py
    beside: bool = False  # there is another target, on an instance of its own, in observe
    disturbances: tuple[Disturbance, ...] = ()

    @property
    def clocks_agree(self) -> bool:
        """Whether the daemon's wall clock is right all the time."""
        return all(one.kind != "clock" for one in self.disturbances)

    def only(self, kind: str) -> bool:
        """Whether nothing else goes wrong."""
        return all(one.kind == kind for one in self.disturbances)


Draw = Callable[[random.Random], Mapping[str, Any]]


def _calls(*kinds: str, **more: Any) -> Draw:
    """A fault that strikes a few calls: the mutating ones as often as all others together."""

    def draw(chance: random.Random) -> Mapping[str, Any]:
        kind = chance.choice(kinds)
        mutating = chance.random() < 0.6
        values = {"kind": kind, "count": 1 if mutating else chance.randint(1, 30), **more}
        if mutating:
            values |= {"service": "ddm", "operation": "@mutation"}
        return values

    return draw


def _metrics(chance: random.Random) -> Mapping[str, Any]:
    kinds = ("empty_metrics", *(f"{how}_datapoints" for how in ("lost", "nan", "stale", "late", "duplicated")))
    kind = chance.choice(kinds)
    return {"kind": kind, "service": "cloud_eye", "operation": "batch_metric_data", "count": chance.randint(1, 60)}


def _process(chance: random.Random) -> Mapping[str, Any]:
    return {"steps": chance.randint(1, 400), "after": chance.choice((0.0, 1.0, 30.0, 900.0))}


WHEN = ("now", "pre-flight")


def _hand(chance: random.Random) -> Mapping[str, Any]:
    does = chance.choice(("pause", "pause", "override", "override", "resume", "resolve"))
    return {
        "does": does,
        "when": chance.choice(WHEN),
        "all": chance.random() < 0.3,
        "lasts": chance.choice((None, chance.uniform(1, 60), chance.uniform(60, 7200))),
        "back_after": chance.uniform(60, 5400),
        "nodes": chance.randint(1, 12),
        "override": chance.random() < 0.5,
        "breaker": chance.random() < 0.5,
    }


def _resolve(chance: random.Random) -> Mapping[str, Any]:
    return {
        "lost": chance.choice(("timeout_before", "timeout_after", "reset_before", "closed_after")),
        "operation": chance.choice(("enlarge", "enlarge", "reduce")),
    }


def _reload(chance: random.Random) -> Mapping[str, Any]:
    return {
        "what": chance.choice(("max", "max", "observe", "ceiling", "removed", "removed", "wrong")),
        "how": chance.choice(("request", "request", "signal", "found")),
        "when": chance.choice(WHEN),
        "more": chance.choice((-3, -2, -1, 1, 2, 3)),
        "seconds": chance.uniform(5, 4000),
    }


def _row(chance: random.Random) -> Mapping[str, Any]:
    return {
        "table": chance.choice(("operations", "operations", "operations", "decisions", "seen_nodes")),
        "column": chance.choice(("state", "reason", "known_jobs", "node_ids", "change", "committed_at")),
        "seconds": chance.uniform(200, 3600),
    }


FAULTS: Mapping[str, tuple[str, Draw]] = {
    "no answer": ("cloud", _calls("timeout_before", "timeout_after", "reset_before", "reset_after")),
    "closed": ("cloud", _calls("closed_before", "closed_after")),
    "server error": (
        "cloud",
        lambda chance: {
            **_calls("http_error", "http_error_after")(chance),
            "status": chance.choice((500, 502, 503, 504)),
        },
    ),
    "unreadable": ("cloud", _calls("garbage")),
    "throttled": (
        "cloud",
        lambda chance: {**_calls("throttled")(chance), **chance.choice(({}, {"retry_after": 3}, {"retry_after": 120}))},
    ),
    "refused": (
        "cloud",
        lambda chance: {**_calls("http_error")(chance), "status": chance.choice((400, 403, 404, 409, 413))},
    ),
    "slow": (
        "cloud",
        lambda chance: {**_calls("slow", "dripping")(chance), "seconds": chance.choice((0.5, 9.9, 29.0, 65.0))},
    ),
    "who are you": ("cloud", lambda chance: {"kind": chance.choice(("expired_token", "token_revoked"))}),
    "half a list": ("cloud", lambda chance: {"kind": "partial_page", "count": chance.randint(1, 8)}),
    "forgetful list": ("cloud", lambda chance: {"kind": "job_list_forgets", "count": chance.randint(1, 8)}),
    "metrics": ("cloud", _metrics),
    "failed job": ("cloud", lambda _: {"kind": "failed_job"}),
    "failed nodes": ("cloud", lambda chance: {"kind": "enlargefail", "nodes": chance.choice((0, 1))}),
    "endless job": ("cloud", lambda _: {"kind": "job_never_ends"}),
    "sold out": ("cloud", lambda chance: {"kind": "sold_out", "seconds": chance.uniform(600, 7200)}),
    "busy data node": ("cloud", lambda chance: {"kind": "data_node_busy", "seconds": chance.uniform(60, 3600)}),
    "somebody adds": (
        "cloud",
        lambda chance: {"kind": "foreign_scale_out", "nodes": chance.randint(1, 2), "when": chance.choice(WHEN)},
    ),
    "somebody removes": ("cloud", lambda chance: {"kind": "foreign_scale_in", "nodes": 1, "when": chance.choice(WHEN)}),
    "frozen instance": ("instance", lambda chance: {"status": "FROZEN", "seconds": chance.uniform(600, 7200)}),
    "group gone": ("group", lambda chance: {"seconds": chance.uniform(600, 7200)}),
    "nodes vanish": ("vanish", lambda _: {"nodes": 1}),
    "fewer nodes come": ("short", lambda _: {}),
    "no network": (
        "network",
        lambda chance: {"how": chance.choice(("dns", "refused", "timeout")), "seconds": chance.uniform(5, 2400)},
    ),
    "long way": ("latency", lambda chance: {"latency": chance.uniform(0.5, 20), "seconds": chance.uniform(60, 1800)}),
    "wrong clock": (
        "clock",
        lambda chance: {
            "off": chance.choice((-7200.0, -400.0, -90.0, 45.0, 280.0, 500.0, 10800.0)),
            "seconds": chance.uniform(120, 5400),
        },
    ),
    "wrong clock of the cloud": (
        "dates",
        lambda chance: {
            "off": chance.choice((-7200.0, -400.0, -90.0, 45.0, 280.0, 500.0, 10800.0)),
            "seconds": chance.uniform(120, 5400),
        },
    ),
    "unpaid order": ("unpaid", lambda chance: {"seconds": chance.uniform(600, 5400)}),
    "kill": ("kill", _process),
    "kill at a commit": (
        "kill_commit",
        lambda chance: {"commits": chance.randint(1, 25), "after": chance.choice((0.0, 5.0, 600.0))},
    ),
    "stop": ("term", _process),
    "full disk": ("full", lambda chance: {"seconds": chance.uniform(60, 2400)}),
    "locked database": ("locked", lambda chance: {"seconds": chance.uniform(30, 1200)}),
    "lost volume": ("volume", lambda chance: {"after": chance.choice((1.0, 120.0))}),
    "operator": ("hand", _hand),
    "resolved by hand": ("resolve", _resolve),
    "reload": ("reload", _reload),
    "unreadable row": ("row", _row),
    "the leader is killed": (
        "kill_leader",
        lambda chance: {"steps": chance.randint(1, 600), "after": chance.choice((1.0, 900.0))},
    ),
    "the leader is stopped": (
        "still",
        lambda chance: {
            "steps": chance.randint(1, 600),
            "seconds": chance.choice((1.0, 13.0, 16.0, 60.0, 200.0, 1500.0)),
        },
    ),
    "the database is gone": ("gone", lambda chance: {"seconds": chance.choice((0.01, 0.5, 5.0, 30.0, 900.0))}),
}
"""What can go wrong, by the name of a test: the kind of the disturbance and how its values are drawn."""

OF_TWO = frozenset({"the leader is killed", "the leader is stopped", "the database is gone"})
"""These want two daemons on one store."""

OF_ONE = frozenset({"lost volume", "full disk", "locked database", "unreadable row", "reload"})
"""These are of one daemon with a file of its own."""


OF_CALLS = frozenset({"no answer", "closed", "server error", "unreadable", "throttled", "refused", "slow"})
"""These strike calls: alone, the first scale-out for certain."""

OF_PREPAID = frozenset({"unpaid order"})
"""These want an instance that is paid by the month or year."""


def disturbances(
    chance: random.Random, names: Sequence[str], count: int, length: float, quiet: float = QUIET
) -> tuple[Disturbance, ...]:
    """So many of these, at random times, none of them in the quiet end."""
    drawn = []
    for _ in range(count):
        name = chance.choice(names)
        kind, draw = FAULTS[name]
        drawn.append(Disturbance(chance.uniform(600, length - quiet), kind, {"name": name, **draw(chance)}))
    return tuple(sorted(drawn, key=lambda one: one.at))


def of_seed(seed: int, *, length: float = 24 * HOUR) -> Plan:
    """The plan of a seed: everything mixed."""
    chance = random.Random(f"plan {seed}")  # noqa: S311  # a simulation's chance
    more = random.Random(f"more of {seed}")  # noqa: S311  # same; what came later leaves the rest of a plan as it was
    daemons = 2 if chance.random() < 0.2 else 1  # two cost three times as much
    possible = sorted(FAULTS.keys() - (OF_ONE if daemons > 1 else OF_TWO) - OF_PREPAID)
    names = chance.sample(possible, chance.randint(3, len(possible)))
    drawn = Plan(
        seed=seed,
        start=more.choice((START, IN_AUTUMN)),
        length=length,
        windows=more.random() < 0.6,
        completion_delay=more.choice((0.0, 0.0, 0.0, 20.0, 90.0, -30.0, -200.0)),
        late_status=more.random() < 0.15,
        api=chance.choice(("v2", "v3")),
        mode="observe" if chance.random() < 0.1 and daemons == 1 else "enforce",
        prepaid=chance.random() < 0.1 and daemons == 1,
        tracking=chance.random() < 0.4,
        trace=chance.choice(("nasa_http_5min", "elb_request_count_8c0756", "rds_cpu_utilization_cc0c53", "nyc_taxi")),
        peak_nodes=chance.randint(4, 12),
        nodes=chance.randint(2, 5),
        most=chance.randint(5, 14),
        enlarge=chance.choice((40.0, 300.0, 1500.0)),
        status_delay=chance.choice((0.0, 30.0, 90.0)),
        lag=chance.choice((60.0, 120.0, 360.0)),
        daemons=daemons,
        files="reload" in names,
        disturbances=disturbances(chance, names, round(length / HOUR * chance.uniform(0.5, 3)), length),
    )
    if not drawn.prepaid:
        return drawn
    unpaid = disturbances(more, sorted(OF_PREPAID), more.randint(0, 3), length)
    return replace(drawn, disturbances=tuple(sorted((*drawn.disturbances, *unpaid), key=lambda one: one.at)))


def alone(name: str, seed: int, *, length: float | None = None) -> Plan:
    """One kind of fault, again and again, in a cloud that is well otherwise; shorter where two daemons beat."""
    length = 4 * HOUR if length is None and name in OF_TWO else length or 7 * HOUR
    chance = random.Random(f"alone {name} {seed}")  # noqa: S311
    drawn = disturbances(chance, [name], 8, length, quiet=2 * HOUR)
    if name in OF_CALLS:
        kind, draw = FAULTS[name]
        first = {"name": name, **draw(chance), "service": "ddm", "operation": "enlarge", "count": 1}
        drawn = (Disturbance(0.0, kind, first), *drawn)
    return Plan(
        seed=seed,
        length=length,
        api=chance.choice(("v2", "v3")),
        peak_nodes=10,
        daemons=2 if name in OF_TWO else 1,
        files=name == "reload",
        prepaid=name in OF_PREPAID,
        beside=name == "unreadable row",
        disturbances=drawn,
    )
