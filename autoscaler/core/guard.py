"""Guards: what may veto a change, each with its reason and a sentence; all that apply are listed, in a fixed order."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from autoscaler.core import fleet, history, window
from autoscaler.core.checks import Checks, apart
from autoscaler.core.decision import Reason, rfc3339
from autoscaler.core.history import NO_TIME
from autoscaler.core.observation import Observation
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction, Policy
from autoscaler.core.target import Mode, NodeState, Snapshot


class Case(NamedTuple):
    """A change that is about to be made, as the guards see it."""

    policy: Policy
    observation: Observation
    direction: Direction
    cooldown: timedelta | None = None  # the one that applies instead of the target's
    forced: bool = False  # below min, or by hand: past cooldown and blackout
    below_min: bool = False  # past what an override does not pass, too


Guard = Callable[[Case], str | None]
"""The sentence of a veto, or None where there is none."""


def paused(case: Case) -> str | None:
    """Somebody wants nothing to be changed."""
    pause = case.observation.pause
    if pause is None:
        return None
    whole = "all targets are paused" if pause.all else "paused"
    by = f" by {pause.who}" if pause.who else ""
    until = "until it is resumed" if pause.until is None else f"until {rfc3339(pause.until)}"
    return f"{whole}{by} {until}" + (f": {pause.reason}" if pause.reason else "")


def unknown_outcome(case: Case) -> str | None:
    """An operation whose outcome is not known holds everything on the instance."""
    unknown = [op for op in case.observation.operations if op.state is State.UNKNOWN]
    return f"operation {unknown[0].id} has no known outcome; it is being looked for" if unknown else None


def in_progress(case: Case) -> str | None:
    """One operation at a time per instance, whoever started it."""
    target = case.policy.target
    for op in case.observation.operations:
        if op.shadow and op.open and op.target == target.name:
            return f"{op.direction} by {op.change} would be under way since {rfc3339(op.committed_at)} (observe)"
        if op.open and op.state is not State.UNKNOWN and not op.shadow:
            return f"{op.direction} by {op.change} is under way since {rfc3339(op.committed_at)} (operation {op.id})"
    jobs = case.observation.checks.unfinished(target.instance_id) if case.observation.checks else ()
    return f"job {jobs[0].id} ({jobs[0].name}) is {jobs[0].status}, started by somebody else" if jobs else None


def breaker_open(case: Case) -> str | None:
    """What failed several times in a row is left alone for a while, then tried once."""
    observation, failures = case.observation, case.policy.breaker.failures
    until = history.breaker_open_until(observation.of_group, case.direction, failures, reset=observation.breaker_reset)
    if until is None or until <= observation.now:
        return None
    return f"at least {failures} operations in a row have failed; the next is tried at {rfc3339(until)}"


def not_ready(case: Case) -> str | None:
    """The instance must be RUNNING and its group at rest; a faulty node blocks scaling in, not out."""
    snapshot = case.observation.snapshot
    if not snapshot.running:
        return f"the instance is {snapshot.instance_status}, not RUNNING"
    if snapshot.ready < snapshot.current:
        for node in snapshot.nodes:
            state = node.state
            if state is NodeState.CHANGING or (state is NodeState.FAULTY and case.direction is Direction.IN):
                return f"node {node.id} is {node.status}"
    return None if case.observation.checks is None else _changed_meanwhile(case, case.observation.checks)


def _changed_meanwhile(case: Case, checks: Checks) -> str | None:
    """What was read last, just before acting, must agree with what was decided on, and the clocks with each other."""
    if apart(checks.skew):
        return f"the cloud's clock is {checks.skew.total_seconds():+.0f} s from ours; mend the time of this machine"
    if not checks.snapshot.running:
        return f"the instance is {checks.snapshot.instance_status}, not RUNNING"
    if _statuses(checks.snapshot) != _statuses(case.observation.snapshot):
        return "the nodes changed while they were being looked at"
    return None


def _statuses(snapshot: Snapshot) -> set[tuple[str, str]]:
    return {(node.id, node.status) for node in snapshot.nodes}


def cooldown(case: Case) -> str | None:
    """Too soon after the last operation."""
    if case.forced:
        return None
    left = _cooldown_left(case, case.observation.of_group)
    if left <= NO_TIME:
        return None
    sent = [op for op in case.observation.of_group if not op.shadow]
    why = "" if _cooldown_left(case, sent) == left else ", had observe sent the last operation"
    return f"until {rfc3339(case.observation.now + left)}{why}"


def _cooldown_left(case: Case, operations: Sequence[Operation]) -> timedelta:
    now, normal = case.observation.now, case.policy.cooldown
    return history.cooldown_left(operations, now, case.direction, normal, chosen=case.cooldown)


def direction_locked(case: Case) -> str | None:
    """out_only never scales in."""
    return "the mode is out_only" if case.observation.mode is Mode.OUT_ONLY else None


def no_scale_in(case: Case) -> str | None:
    """The cloud does not scale in prepaid instances (DDM API reference, "Scaling In a DDM Instance")."""
    prepaid = case.observation.snapshot.prepaid
    return "the instance is prepaid (yearly/monthly); the cloud does not scale it in" if prepaid else None


def payment_required(case: Case) -> str | None:
    """Without auto_pay an order of a prepaid instance waits until somebody pays it, perhaps for days."""
    if not case.observation.snapshot.prepaid or case.policy.target.auto_pay:
        return None
    return "the instance is prepaid (yearly/monthly): set auto_pay: true to let orders pay themselves"


def blackout(case: Case) -> str | None:
    """The policy wants no change in this direction at this time."""
    if case.forced or not case.policy.blackouts:
        return None
    ends = (
        window.open_until(one.window, case.observation.now)
        for one in case.policy.blackouts
        if case.direction in one.directions
    )
    last = max((end for end in ends if end is not None), default=None)
    return None if last is None else f"blackout until {rfc3339(last)}"


def fleet_limit(case: Case) -> str | None:
    """All targets together have as many nodes as they may, or have added as many as they may within an hour."""
    return fleet.limit_reached(case.policy.fleet, case.observation.fleet)


def budget(case: Case) -> str | None:
    """All targets together have used up their node-hours; below min the group grows all the same."""
    if case.below_min:
        return None
    return fleet.budget_used_up(case.policy.fleet, case.observation.fleet)


def data_node_bottleneck(case: Case) -> str | None:
    """Where an RDS behind the group is at its limit, more DDM nodes only put more load on it."""
    checks, limit = case.observation.checks, case.policy.data_node_max_cpu
    if case.below_min or checks is None or limit is None:
        return None
    for node in checks.data_nodes:
        if node.cpu is not None and node.cpu > limit:
            return (
                f"data node {node.name or node.id} is at {node.cpu:f} % CPU, above max_cpu {limit:f} %: "
                "more DDM nodes cannot help"
            )
    return None


def data_node_busy(case: Case) -> str | None:
    """Associated RDS instances must be available and idle, or the cloud refuses."""
    checks = case.observation.checks
    if checks is None or not case.policy.check_data_nodes:
        return None
    for node in checks.data_nodes:
        if not node.available:
            rds = node.rds_status or "not found"
            return f"data node {node.name or node.id} is {node.ddm_status} in DDM and {rds} in RDS"
    return None


def sold_out(case: Case) -> str | None:
    """Nothing to be had: an order would only fail."""
    checks = case.observation.checks
    if checks is None or checks.offer is None or not checks.offer.sold_out:
        return None
    told = f"flavor {checks.offer.flavor_id or 'of the group'} is sold out where the target may use it"
    return checks.offer.zone_error or told


def not_leader(case: Case) -> str | None:
    """Of the daemons that share a store one leads; the others look on."""
    led_by = case.observation.led_by
    return None if led_by is None else f"{led_by or 'another daemon'} leads, this one stands by"


def observe_only(case: Case) -> str | None:
    """In observe nothing is sent."""
    mode = case.observation.mode
    return f"the mode is {mode}" if mode is Mode.OBSERVE or mode is Mode.OFF else None


GUARDS: dict[Reason, Guard] = {
    Reason.PAUSED: paused,
    Reason.UNKNOWN_OUTCOME: unknown_outcome,
    Reason.IN_PROGRESS: in_progress,
    Reason.BREAKER_OPEN: breaker_open,
    Reason.NOT_READY: not_ready,
    Reason.COOLDOWN: cooldown,
    Reason.DIRECTION_LOCKED: direction_locked,
    Reason.NO_SCALE_IN: no_scale_in,
    Reason.PAYMENT_REQUIRED: payment_required,
    Reason.BLACKOUT: blackout,
    Reason.FLEET_LIMIT: fleet_limit,
    Reason.BUDGET: budget,
    Reason.DATA_NODE_BOTTLENECK: data_node_bottleneck,
    Reason.DATA_NODE_BUSY: data_node_busy,
    Reason.SOLD_OUT: sold_out,
    Reason.NOT_LEADER: not_leader,
    Reason.OBSERVE_ONLY: observe_only,  # last: it hides nothing
}
"""Every guard by its reason; the order is that in which the first veto becomes the reason of a hold."""

OUT_ONLY = frozenset(
    {
        Reason.PAYMENT_REQUIRED,
        Reason.FLEET_LIMIT,
        Reason.BUDGET,
        Reason.DATA_NODE_BOTTLENECK,
        Reason.SOLD_OUT,
    }
)
"""Guards that are asked of scale-outs only."""

IN_ONLY = frozenset({Reason.DIRECTION_LOCKED, Reason.NO_SCALE_IN})
"""Guards that are asked of scale-ins only; all the others are asked of both."""

_GUARDS = {
    Direction.OUT: tuple((reason, guard) for reason, guard in GUARDS.items() if reason not in IN_ONLY),
    Direction.IN: tuple((reason, guard) for reason, guard in GUARDS.items() if reason not in OUT_ONLY),
}


def vetoes(case: Case) -> dict[Reason, str]:
    """Every veto that applies, in order, with its sentence."""
    found = {}
    for reason, guard in _GUARDS[case.direction]:
        sentence = guard(case)
        if sentence is not None:
            found[reason] = sentence
    return found
