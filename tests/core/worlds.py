"""Any policy and any observation: what hypothesis draws its cases from.

Few distinct numbers, so that thresholds, windows and cooldowns are met exactly, not only passed by.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Literal, TypeVar

from hypothesis import strategies as st

from autoscaler.core import sample
from autoscaler.core.checks import Checks, DataNode, Job, Offer
from autoscaler.core.decision import Reason
from autoscaler.core.fleet import Use
from autoscaler.core.observation import Observation, Override, Pause, Wish
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import (
    Blackout,
    Bounds,
    Breaker,
    Budget,
    Cooldown,
    Direction,
    Fleet,
    FleetLimits,
    Limits,
    Metric,
    MetricRule,
    OnMissing,
    Policy,
    ScheduleRule,
    Size,
    Step,
    TargetTrackingRule,
    ThresholdRule,
)
from autoscaler.core.target import Mode, Node, Snapshot, Target
from autoscaler.core.window import CronWindow, DateWindow, Window
from tests.core import given
from tests.core.given import INSTANCE, MINUTE, NOW

T = TypeVar("T")
Points = Mapping[str, Mapping[datetime, Decimal]]

METRICS = (
    Metric("ddm_cpu_util"),
    Metric("ddm_connection_util", across_nodes="max"),
    Metric("ddm_qps", across_nodes="sum", period=5 * MINUTE),
    Metric("rate(load[5m])", source="prom", node_label="node_id", across_nodes="p90"),
    Metric("sum(queue)", source="prom"),
)
CALM_SERIES = ("0x7", "9.99x7", "20x7", "20x6 30", "30x7", "50x7", "54x7", "60x7", "66x7", "75x7")
HOT_SERIES = ("66.0001x7", "80x7", "80x6 20", "20x6 80", "95x7", "50 80 50 80 50 80 50", "95 20x5 95")
COLD_SERIES = ("20x7", "0x7", "9.99x7", "20x6 30")
NUMBERS = (*CALM_SERIES, *HOT_SERIES)
"""Seven samples, oldest first, as `given.samples` reads them."""

WITH_GAPS = (*NUMBERS, "", "80", "20", "80 _ 80 80 80", "20 _ 20 20 20", "_ 20 80 _ 20", "80 80 80 _ _", "20 20 20 _ _")
NO_NUMBERS = ("NaN", "sNaN", "Infinity", "-Infinity", "1e30", "-1e999999")
WITH_ALL = (
    *WITH_GAPS,
    *(f"{bad}x7" for bad in NO_NUMBERS),
    *(f"20 {bad} 20 20 20" for bad in NO_NUMBERS),
    *(f"80x4 {bad}" for bad in NO_NUMBERS),
    *(f"{odd}x7" for odd in ("-5", "1e24", "1e-999999", "0.1", "33.333333333333333333333333333")),
)


@dataclass(frozen=True)
class World:
    """A policy, and an observation with the points that its samples were folded from."""

    policy: Policy
    seen: Observation
    points: Mapping[Metric, Points]
    counted_from: Mapping[str, datetime]

    def with_points(self, points: Mapping[Metric, Points]) -> "World":
        """The same moment, had the metrics been these."""
        samples = folded(points, self.counted_from, self.seen)
        warming = {metric: _warming(found, self.counted_from) for metric, found in samples.items()}
        return replace(self, points=points, seen=replace(self.seen, samples=samples, warming=warming))

    def with_policy(self, **fields: Any) -> "World":
        """The same moment under another policy."""
        return replace(self, policy=replace(self.policy, **fields))

    def with_seen(self, **fields: Any) -> "World":
        """Another moment under the same policy."""
        return replace(self, seen=replace(self.seen, **fields))


def folded(
    points: Mapping[Metric, Points], counted_from: Mapping[str, datetime], seen: Observation
) -> dict[Metric, tuple[sample.Sample, ...]]:
    """As the daemon folds them."""
    return {metric: sample.fold(metric, nodes, counted_from, seen.now) for metric, nodes in points.items()}


def _warming(samples: Sequence[sample.Sample], counted_from: Mapping[str, datetime]) -> int:
    """How many nodes the newest sample leaves out because they are not warm yet."""
    newest = samples[0].time if samples else NOW
    return sum(start > newest for start in counted_from.values())


def pool(make: Callable[[Random], T], count: int) -> list[T]:
    """So many made once, always the same: choosing among them is far quicker than making each."""
    return [make(Random(seed)) for seed in range(count)]  # noqa: S311  # a fixed seed is the point


def moment(draw: Random) -> datetime:
    """From two days ago to a little after now, on the minute and a second beside it."""
    minutes = draw.choice(
        [*range(-2, 12), *range(3, 9), 14, 15, 16, 29, 30, 31, *[60, 200, 600, 900] * 3, 1439, 1440, 1441, 2880]
    )
    return NOW - timedelta(minutes=minutes, seconds=draw.choice([-1, 0, 0, 1]))


def a_size(draw: Random) -> Size:
    """One or two nodes, far too many, or a percentage."""
    return given.size(draw.choice(["1", "1", "2", "40", "1%", "50%", "200%"]))


def a_duration(draw: Random) -> timedelta:
    """A cooldown."""
    return draw.choice([0, 1, 3, 10, 10, 30, 30]) * MINUTE


LOOKS: list[dict[str, Any]] = [
    {},
    {},
    {"for_": timedelta(seconds=90)},
    {"for_": 5 * MINUTE},
    {"datapoints": (2, 3)},
    {"datapoints": (1, 5)},
]


def some_steps(draw: Random, thresholds: list[str]) -> tuple[Step, ...]:
    """Up to three steps of a threshold rule."""
    chosen = draw.sample(thresholds, draw.choice([0, 1, 1, 1, 2, 2, 3]))
    return tuple(
        Step(Decimal(one), a_size(draw), cooldown=draw.choice([None, None, a_duration(draw)]), **draw.choice(LOOKS))
        for one in chosen
    )


def a_rule(draw: Random) -> MetricRule:
    """Of either kind; what it does without data is set later."""
    shared: dict[str, Any] = {
        "name": "rule",
        "metric": draw.choice(METRICS),
        "mode": draw.choice([Mode.ENFORCE] * 8 + [Mode.OBSERVE]),
        "max_metric_age": draw.choice([5 * MINUTE, 15 * MINUTE]),
    }
    if draw.random() < 0.6:
        return ThresholdRule(
            out=some_steps(draw, ["75", "92", "66"]), in_=some_steps(draw, ["30", "10", "54"]), **shared
        )
    return TargetTrackingRule(
        target=Decimal(draw.choice(["60", "60", "0.3"])),
        tolerance=Decimal(draw.choice(["0.1", "0"])),
        over=draw.choice([None, 3 * MINUTE]),
        **shared,
    )


def a_window(draw: Random) -> Window:
    """Open or closed, on its very edge or not."""
    if draw.random() < 0.5:
        starts = ["0 12 * * *", "* * * * *", "0 8 * * mon-fri", "30 2 29 2 *", "0 12 * * sun"]
        zone = draw.choice(["UTC", "Europe/Berlin"])
        return CronWindow(draw.choice(starts), draw.choice([MINUTE, 60 * MINUTE, 300 * MINUTE]), zone)
    start = moment(draw)
    return DateWindow(start, start + draw.choice([MINUTE, 10 * MINUTE, 3000 * MINUTE]))


def a_schedule(draw: Random) -> ScheduleRule:
    """A floor, a cap, or both."""
    least, most = draw.choice([(1, None), (4, None), (6, None), (40, None), (None, 2), (None, 5), (2, 6), (5, 5)])
    return ScheduleRule("schedule", a_window(draw), least, most, draw.choice([Mode.ENFORCE] * 4 + [Mode.OBSERVE]))


def a_blackout(draw: Random) -> Blackout:
    """Of one direction, or of both."""
    both = frozenset(Direction)
    return Blackout(a_window(draw), draw.choice([both, both, frozenset({Direction.IN}), frozenset({Direction.OUT})]))


def a_pause(draw: Random) -> Pause:
    """Active or not, for ever or not."""
    return Pause(moment(draw), draw.choice([None, moment(draw)]), all=draw.random() < 0.5)


def an_override(draw: Random) -> Override:
    """Active or not, inside min and max or not."""
    start = moment(draw)
    return Override(start, start + draw.choice([MINUTE, 60 * MINUTE]), draw.choice([0, 1, 3, 5, 8, 99]))


def a_fleet(draw: Random) -> Fleet:
    """Of tight limits and budgets, loose ones, or none."""
    nodes, per_hour = draw.choice([None, 1, 5, 8, 400]), draw.choice([None, 1, 3, 400])
    hours, warn_at = draw.choice([None, 1, 72, 75, 9999]), draw.choice([None, Decimal("0.8"), Decimal(1)])
    return Fleet(FleetLimits(nodes, per_hour), None if hours is None else Budget(hours, warn_at))


def a_use(draw: Random) -> Use:
    """Whatever may have been counted, however odd, or not be known."""
    minutes = draw.choice([0, 59, 60, 72 * 60, 73 * 60, 74 * 60 + 1, 10**6])
    unknown = draw.choice([(), (), (), ("reports",)])
    return Use(draw.choice([0, 3, 4, 7, 399]), draw.choice([0, 1, 2, 399]), minutes * MINUTE, unknown)


def a_policy(draw: Random) -> Policy:
    """Everything but its rules."""
    low = draw.choice([1, 2, 3, 5, 30])
    limits = Limits(
        add=draw.choice([None, None, a_size(draw)]),
        remove=draw.choice([None, None, a_size(draw)]),
        added_per_day=draw.choice([None, None, 1, 4]),
        actions_per_day=draw.choice([None, None, 1, 4]),
    )
    return Policy(
        target=Target("orders", INSTANCE.instance_id, auto_pay=draw.random() < 0.5),
        bounds=Bounds(low, low + draw.choice([0, 1, 4, 40])),
        mode=Mode.ENFORCE,
        cooldown=Cooldown(a_duration(draw), a_duration(draw), a_duration(draw)),
        limits=limits,
        scale_in_stabilization=draw.choice([timedelta(0), 15 * MINUTE]),
        check_data_nodes=draw.random() < 0.5,
        data_node_max_cpu=draw.choice([None, Decimal(85)]),
        blackouts=() if draw.random() < 0.85 else (a_blackout(draw), a_blackout(draw)),
        breaker=Breaker(draw.choice([1, 2, 3])),
    )


def an_operation(draw: Random) -> Operation:
    """Any operation of the instance: ours, somebody else's, another group's, a shadow, open or ended, in any state."""
    state, ended = draw.choice([*State, State.SUCCEEDED, State.SUCCEEDED, State.FAILED]), moment(draw)
    return given.operation(
        draw.choice(list(Direction)),
        draw.choice([1, 2, 3]),
        id=f"op{draw.randrange(99)}",
        ended=ended,
        state=state,
        group_id=draw.choice(["group", "group", "other"]),
        reason=draw.choice([Reason.ABOVE_THRESHOLD, Reason.NO_DATA, Reason.FOREIGN]),
        arrived=draw.choice([0, 1, 2]),
        foreign=draw.random() < 0.2,
        shadow=draw.random() < 0.15,
    )


MOMENTS = pool(moment, 200)
RULES = pool(a_rule, 400)
SCHEDULES = pool(a_schedule, 200)
PAUSES = pool(a_pause, 100)
OVERRIDES = pool(an_override, 200)
POLICIES = pool(a_policy, 200)
FLEETS = pool(a_fleet, 100)
USES = pool(a_use, 100)
OPERATIONS = pool(an_operation, 400)
WISHES = pool(lambda draw: Wish(moment(draw), draw.randrange(40)), 200)


ENDED = [op for op in OPERATIONS if not op.open]


def some_of(draw: Random, made: Sequence[T]) -> tuple[T, ...]:
    """Up to three of a pool."""
    return tuple(draw.choices(made, k=draw.choice([0, 1, 1, 2, 3])))


def a_whole_policy(draw: Random, on_missing: Sequence[OnMissing]) -> Policy:
    """Any policy that a policy file can say, of up to three metric rules and up to two schedules."""
    rules = tuple(
        replace(rule, name=f"rule {place}", on_missing_metric=draw.choice(on_missing))
        for place, rule in enumerate(some_of(draw, RULES))
    )
    count = draw.choice([0, 0, 0, 0, 1, 2])
    fleet = draw.choice(FLEETS) if draw.choice([False] * 4 + [True]) else None
    schedules = tuple(replace(draw.choice(SCHEDULES), name=f"schedule {place}") for place in range(count))
    return replace(draw.choice(POLICIES), rules=(*rules, *schedules), fleet=fleet)


READY = [("normal",) * count for count in (0, 1, 2, 3, 3, 4, 5, 6, 8, 31, 32, 34)]
MIXED = [
    *READY * 4,
    *((*words[:-1], odd) for words in READY[1:] for odd in ("abnormal", "creating", "enlargefail", "?")),
]


def around(current: int, more: int) -> Bounds:
    """Bounds that leave so much room on both sides."""
    return Bounds(max(1, current - more), max(1, current) + more)


def a_snapshot(draw: Random, *, healthy: bool = False) -> Snapshot:
    """Any group of 0 to 34 nodes in an instance that may be as full as it likes, or claim to be emptier than it is."""
    words = draw.choice(READY if healthy else MIXED)
    return Snapshot(
        taken_at=NOW,
        instance_status="RUNNING" if healthy else draw.choice(["RUNNING"] * 10 + ["GROWING", ""]),
        nodes=tuple(Node(f"n{place}", word) for place, word in enumerate(words)),
        instance_nodes=max(0, len(words) + draw.choice([0] * 9 + [1, 24, 31, -5])),
        group_id="group",
        prepaid=False if healthy else draw.choice([False] * 6 + [True]),
    )


def a_series(draw: Random, metric: Metric, texts: Sequence[str]) -> Points:
    """One metric, of two nodes so that one may be missing, or of the group; with gaps it may be late, old, or early."""
    ages = [1] if set(texts) <= set(NUMBERS) else [1, 1, 1, 0, 6, 16, -3]
    newest = NOW - draw.choice(ages) * metric.period
    first = draw.choice(texts)
    other = draw.choice([first, first, draw.choice(texts)])
    drawn = {sample.GROUP: first} if metric.of_group else {"n0": first, "n1": other}
    return {node: given.values(text, last=newest, period=metric.period) for node, text in drawn.items()}


def some_checks(draw: Random, snapshot: Snapshot) -> Checks:
    """What may be read just before acting."""
    return Checks(
        snapshot=a_snapshot(draw) if draw.choice([False] * 5 + [True]) else snapshot,
        jobs=draw.choice([*[()] * 5, (Job("j", "EnlargeNode", "Running", INSTANCE.instance_id),)]),
        data_nodes=draw.choice(
            [(), (), (), (DataNode("d", "d", "normal", "ACTIVE", Decimal(90)),), (DataNode("d", "", "busy", ""),)]
        ),
        offer=draw.choice([None, Offer("f", ("a",), sold_out=False)] * 3 + [Offer(None, (), sold_out=True)]),
        skew=draw.choice([timedelta(0)] * 5 + [timedelta(minutes=6)]),
    )


def a_world(
    draw: Random,
    *,
    texts: Sequence[str] = WITH_ALL,
    healthy: bool = False,
    on_missing: Sequence[OnMissing] = tuple(OnMissing),
    done: Literal["anything", "ended", "nothing"] = "anything",
) -> World:
    """Any world; `healthy` ones have nothing but load and history against a move, those of NUMBERS all their data."""
    snapshot = a_snapshot(draw, healthy=healthy)
    weather = draw.choice([texts, HOT_SERIES, COLD_SERIES, texts])
    points = {metric: a_series(draw, metric, weather) for metric in METRICS}
    late = texts is not NUMBERS and draw.choice([False, False, True])
    warm = {"n0": NOW - 60 * MINUTE, "n1": draw.choice(MOMENTS) if late else NOW - 60 * MINUTE}
    seen = Observation(
        now=NOW,
        snapshot=snapshot,
        mode=Mode.ENFORCE if healthy else draw.choice([Mode.ENFORCE] * 9 + list(Mode)),
        first_evaluated_at=draw.choice(MOMENTS),
        operations=()
        if done == "nothing"
        else some_of(draw, draw.choice([ENDED, ENDED, OPERATIONS][: 2 if done == "ended" else 3])),
        wishes=some_of(draw, WISHES),
        fresh_at=dict.fromkeys(("rule 0", "rule 1", "rule 2"), draw.choice(MOMENTS)) if draw.random() < 0.5 else {},
        breaker_reset=None if healthy else draw.choice([None, None, None, NOW, NOW - 60 * MINUTE]),
        pauses=() if healthy else (draw.choice(PAUSES),) if draw.choice([False] * 7 + [True]) else (),
        overrides=some_of(draw, OVERRIDES) if draw.choice([False] * 7 + [True]) else (),
        fleet=draw.choice([None, *USES[:9]]) if not healthy else draw.choice(USES),
        led_by=None if healthy else draw.choice([None] * 7 + ["another"]),
        checks=None if healthy else draw.choice([None, some_checks(draw, snapshot)]),
    )
    policy = a_whole_policy(draw, on_missing)
    if draw.choice([True, True, True, False]):
        policy = replace(policy, bounds=around(snapshot.current, draw.choice([3, 40, 1, 0])))
    return World(policy, seen, {}, warm).with_points(points)


def worlds(**which: Any) -> st.SearchStrategy[World]:
    """Worlds of one kind, by number.

    Hypothesis chooses the number only. Where it chose every part it took ten times as long, and came back to the few
    parts that it had had before.
    """
    return st.integers(0, 2**24 - 1).map(lambda number: a_world(Random(number), **which))  # noqa: S311  # numbered worlds
