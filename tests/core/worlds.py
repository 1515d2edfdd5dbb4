"""Any policy and any observation: what hypothesis draws its cases from.

Few distinct numbers, so that thresholds, windows and cooldowns are met exactly, not only passed by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from autoscaler.core import sample
from autoscaler.core.checks import Checks, DataNode, Job, Offer
from autoscaler.core.decision import Reason
from autoscaler.core.observation import Observation, Wish
from autoscaler.core.operation import OPEN_STATES, Operation, State
from autoscaler.core.policy import (
    Bounds,
    Cooldown,
    Direction,
    Limits,
    Metric,
    OnMissing,
    Policy,
    Rule,
    Size,
    Step,
    TargetTrackingRule,
    ThresholdRule,
)
from autoscaler.core.target import Mode, Node, Snapshot, Target
from tests.core import given
from tests.core.given import INSTANCE, MINUTE, NOW

Points = Mapping[str, Mapping[datetime, Decimal]]

METRICS = (
    Metric("ddm_cpu_util"),
    Metric("ddm_connection_util", across_nodes="max"),
    Metric("ddm_qps", across_nodes="sum", period=5 * MINUTE),
)
CALM_SERIES = ("0x7", "9.99x7", "20x7", "20x6 30", "30x7", "50x7", "54x7", "60x7", "66x7", "75x7")
HOT_SERIES = ("66.0001x7", "80x7", "80x6 20", "20x6 80", "95x7", "50 80 50 80 50 80 50", "95 20x5 95")
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
        return replace(
            self, points=points, seen=replace(self.seen, samples=folded(points, self.counted_from, self.seen))
        )

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


def moments(*, latest: int = 2) -> st.SearchStrategy[datetime]:
    """From two days ago to a little after now, on the minute and a second beside it."""
    minutes = st.one_of(st.integers(-latest, 20), st.sampled_from([29, 30, 31, 60, 1439, 1440, 1441, 2880]))
    return st.builds(lambda ago, second: NOW - ago * MINUTE + timedelta(seconds=second), minutes, st.integers(-1, 1))


sizes = st.one_of(
    st.builds(Size, st.sampled_from([Decimal(1), Decimal(2), Decimal(40)])),
    st.builds(Size, st.sampled_from([Decimal(1), Decimal(50), Decimal(200)]), st.just(value=True)),
)
durations = st.sampled_from([timedelta(0), MINUTE, 3 * MINUTE, 10 * MINUTE, 30 * MINUTE])
looks = st.sampled_from(
    [{}, {}, {"for_": 90 * timedelta(seconds=1)}, {"for_": 5 * MINUTE}, {"datapoints": (2, 3)}, {"datapoints": (1, 5)}]
)


def steps(thresholds: list[str]) -> st.SearchStrategy[tuple[Step, ...]]:
    """Up to two steps of a threshold rule."""
    one = st.builds(
        lambda threshold, size, look, cooldown: Step(Decimal(threshold), size, cooldown=cooldown, **look),
        st.sampled_from(thresholds),
        sizes,
        looks,
        st.one_of(st.none(), durations),
    )
    return st.lists(one, max_size=2).map(tuple)


def of_any_rule(on_missing: st.SearchStrategy[OnMissing]) -> dict[str, Any]:
    """What both kinds of rules have."""
    return {
        "metric": st.sampled_from(METRICS),
        "mode": st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.ENFORCE, Mode.OBSERVE]),
        "on_missing_metric": on_missing,
        "max_metric_age": st.sampled_from([5 * MINUTE, 15 * MINUTE]),
    }


@st.composite
def rules(draw: st.DrawFn, on_missing: st.SearchStrategy[OnMissing]) -> tuple[Rule, ...]:
    """Up to three rules, each with a name of its own."""
    thresholds = st.builds(
        ThresholdRule,
        st.just("rule"),
        out=steps(["75", "92", "66"]),
        in_=steps(["30", "10", "54"]),
        **of_any_rule(on_missing),
    )
    trackings = st.builds(
        TargetTrackingRule,
        st.just("rule"),
        target=st.sampled_from([Decimal(60), Decimal("0.3")]),
        tolerance=st.sampled_from([Decimal("0.1"), Decimal(0)]),
        over=st.sampled_from([None, 3 * MINUTE]),
        **of_any_rule(on_missing),
    )
    drawn = draw(st.lists(st.one_of(thresholds, trackings), max_size=3))
    return tuple(replace(rule, name=f"rule {place}") for place, rule in enumerate(drawn))


@st.composite
def policies(draw: st.DrawFn, on_missing: st.SearchStrategy[OnMissing]) -> Policy:
    """Any policy that a policy file can say."""
    low = draw(st.sampled_from([1, 2, 3, 5, 30]))
    limits = st.builds(
        Limits,
        add=st.one_of(st.none(), sizes),
        remove=st.one_of(st.none(), sizes),
        added_per_day=st.sampled_from([None, None, 1, 4]),
        actions_per_day=st.sampled_from([None, None, 1, 4]),
    )
    return Policy(
        target=Target("orders", INSTANCE.instance_id, auto_pay=draw(st.booleans())),
        bounds=Bounds(low, low + draw(st.sampled_from([0, 1, 4, 40]))),
        rules=draw(rules(on_missing)),
        mode=Mode.ENFORCE,
        cooldown=draw(st.builds(Cooldown, durations, durations, durations)),
        limits=draw(limits),
        scale_in_stabilization=draw(st.sampled_from([timedelta(0), 15 * MINUTE])),
        check_data_nodes=draw(st.booleans()),
    )


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    """Any operation of the instance: ours, somebody else's, another group's, a shadow, open or ended, in any state."""
    state, ended = draw(st.sampled_from(State)), draw(moments())
    return Operation(
        id=f"op{draw(st.integers(0, 9))}",
        target="orders",
        instance=INSTANCE,
        group_id=draw(st.sampled_from(["group", "group", "other"])),
        direction=draw(st.sampled_from(Direction)),
        change=draw(st.integers(1, 3)),
        reason=draw(st.sampled_from([Reason.ABOVE_THRESHOLD, Reason.NO_DATA, Reason.FOREIGN])),
        state=state,
        committed_at=ended - 5 * MINUTE,
        send_before=ended - 5 * MINUTE,
        ended_at=None if state in OPEN_STATES else ended,
        arrived=draw(st.integers(0, 2)),
        foreign=draw(st.booleans()),
        shadow=draw(st.booleans()),
    )


ENDED = st.lists(operations().filter(lambda op: not op.open), max_size=3)
NONE = st.just(list[Operation]())

READY = [("normal",) * count for count in (0, 1, 2, 3, 3, 4, 5, 6, 8, 31, 32, 34)]
MIXED = [*READY, *((*words[:-1], odd) for words in READY[1:] for odd in ("abnormal", "creating", "enlargefail", "?"))]


@st.composite
def snapshots(draw: st.DrawFn, *, healthy: bool = False) -> Snapshot:
    """Any group of 0 to 34 nodes in an instance that may be as full as it likes, or claim to be emptier than it is."""
    words = draw(st.sampled_from(READY if healthy else MIXED))
    return Snapshot(
        taken_at=NOW,
        instance_status="RUNNING" if healthy else draw(st.sampled_from(["RUNNING"] * 5 + ["GROWING", ""])),
        nodes=tuple(Node(f"n{place}", word) for place, word in enumerate(words)),
        instance_nodes=max(0, len(words) + draw(st.sampled_from([0, 0, 0, 1, 24, 31, -5]))),
        group_id="group",
        prepaid=False if healthy else draw(st.sampled_from([False, False, False, True])),
    )


@st.composite
def series(draw: st.DrawFn, metric: Metric, texts: Sequence[str]) -> Points:
    """One metric of two nodes, so that one may be missing; late, old or not yet ended where there may be gaps."""
    ages = [1] if texts is NUMBERS else [1, 1, 1, 0, 6, 16, -3]
    newest = NOW - draw(st.sampled_from(ages)) * metric.period
    drawn = {node: draw(st.sampled_from(texts)) for node in ("n0", "n1")}
    return {node: given.values(text, last=newest, period=metric.period) for node, text in drawn.items()}


@st.composite
def checked(draw: st.DrawFn, snapshot: Snapshot) -> Checks:
    """What may be read just before acting."""
    return Checks(
        snapshot=draw(st.one_of(st.just(snapshot), snapshots())),
        jobs=draw(st.sampled_from([(), (), (Job("j", "EnlargeNode", "Running", INSTANCE.instance_id),)])),
        data_nodes=draw(
            st.sampled_from([(), (DataNode("d", "d", "normal", "ACTIVE"),), (DataNode("d", "", "busy", ""),)])
        ),
        offer=draw(st.sampled_from([None, Offer("f", ("a",), sold_out=False), Offer(None, (), sold_out=True)])),
        skew=draw(st.sampled_from([timedelta(0), timedelta(minutes=6)])),
    )


@st.composite
def worlds(
    draw: st.DrawFn,
    *,
    texts: Sequence[str] = WITH_ALL,
    healthy: bool = False,
    on_missing: st.SearchStrategy[OnMissing] = st.sampled_from(OnMissing),  # noqa: B008  # strategies are values
    done: st.SearchStrategy[list[Operation]] = st.lists(operations(), max_size=3),  # noqa: B008
) -> World:
    """Any world; `healthy` ones have nothing but load and history against a move, those of NUMBERS all their data."""
    snapshot = draw(snapshots(healthy=healthy))
    points = {metric: draw(series(metric, texts)) for metric in METRICS}
    warm = {"n0": NOW - 60 * MINUTE, "n1": NOW - 60 * MINUTE if texts is NUMBERS else draw(moments())}
    seen = Observation(
        now=NOW,
        snapshot=snapshot,
        mode=Mode.ENFORCE if healthy else draw(st.sampled_from([Mode.ENFORCE] * 3 + list(Mode))),
        first_evaluated_at=draw(moments(latest=0)),
        operations=tuple(draw(done)),
        wishes=tuple(draw(st.lists(st.builds(Wish, moments(), st.integers(0, 40)), max_size=3))),
        fresh_at=draw(st.dictionaries(st.sampled_from(["rule 0", "rule 1"]), moments(), max_size=2)),
        checks=None if healthy else draw(st.one_of(st.none(), checked(snapshot))),
    )
    return World(draw(policies(on_missing)), seen, {}, warm).with_points(points)
