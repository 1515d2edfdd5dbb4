"""The engine: from a policy and an observation to a decision, in five stages, without looking at anything else.

rules ──> combine ──> stabilize ──> limits ──> bounds ──> guards ──> Decision
"""

from autoscaler.core import fleet, guard, recommend, stages
from autoscaler.core.decision import Decision, NodeCounts, Reason, StageRecord, Verdict, rfc3339
from autoscaler.core.guard import Case
from autoscaler.core.observation import Observation, Override
from autoscaler.core.policy import Direction, Policy, Rule, ScheduleRule, TargetTrackingRule
from autoscaler.core.recommend import Recommendation, Wanted
from autoscaler.core.rules import schedule, target_tracking, threshold, view
from autoscaler.core.stages import Flow

OVERRIDE = "override"
"""What the combine stage names where somebody set the number by hand."""


def decide(policy: Policy, observation: Observation) -> Decision:
    """The one decision that this policy makes of this observation; never raises, whatever the numbers."""
    recommendations = tuple(_recommend(rule, observation) for rule in policy.rules)
    flow = _combine_and_stabilize(policy, observation, recommendations)
    flow = stages.limited(flow, policy, observation)
    flow = stages.bounded(flow, policy, observation)
    return _guarded(policy, observation, recommendations, flow)


def _recommend(rule: Rule, observation: Observation) -> Recommendation:
    if isinstance(rule, ScheduleRule):
        return view.marked(rule, schedule.recommend(rule, observation), 0)
    seen = view.of(rule, observation)
    why = view.missing(rule, seen)
    if why is not None:
        result = view.without_data(rule, seen, why, observation)
    elif isinstance(rule, TargetTrackingRule):
        result = target_tracking.recommend(rule, seen)
    else:
        result = threshold.recommend(rule, seen)
    return view.marked(rule, result, observation.warming.get(rule.metric, 0) if observation.warming else 0)


def _combine_and_stabilize(
    policy: Policy, observation: Observation, recommendations: tuple[Recommendation, ...]
) -> Flow:
    """The first two stages; an override, below min and above max go their own way through them."""
    snapshot, now = observation.snapshot, observation.now
    wanted = recommend.combine(recommendations, snapshot.ready)
    flow = _of_rules(policy, snapshot.current, snapshot.current + wanted.wants - snapshot.ready, wanted)
    flow = stages.floored(flow, schedule.floor(policy, now), policy.cooldown.out) if policy.schedules else flow
    if observation.override is not None:
        return _overridden(policy, flow, observation.override)
    if flow.current < policy.bounds.min:
        return _below_min(policy, observation)
    calm = stages.stabilized(flow.desired, flow.current, observation.wishes, now, policy.scale_in_stabilization)
    if flow.current > policy.bounds.max:
        return _above_max(policy, observation, recommendations, flow, calm)
    return _two_stages(flow, calm)


def _of_rules(policy: Policy, current: int, desired: int, wanted: Wanted) -> Flow:
    """The rules' wish; of all their cooldowns the shortest applies."""
    own = policy.cooldown.out if desired > current else policy.cooldown.in_
    cooldowns = [own if one is None else one for one in wanted.cooldowns]
    return Flow(current, desired, wanted.reason, wanted.because, min(cooldowns) if cooldowns else None)


def _two_stages(flow: Flow, calm: int) -> Flow:
    """What was wanted, and what stabilisation left of it."""
    combined = flow.after("combine", flow.desired, because=flow.because or flow.reason.value)
    return combined.after("stabilize", calm, stop=Reason.STABILIZING)


def _overridden(policy: Policy, rules: Flow, override: Override) -> Flow:
    """To the number that somebody set, inside min and max, past all that rules, limits and cooldowns say."""
    nodes = min(max(override.nodes, policy.bounds.min), policy.bounds.max)
    reason = Reason.WITHIN_BOUNDS if nodes == rules.current else Reason.OVERRIDE
    flow = Flow(rules.current, nodes, reason, OVERRIDE, forced=True, rules_desired=rules.desired)
    return _two_stages(flow, nodes)


def _below_min(policy: Policy, observation: Observation) -> Flow:
    """Out to exactly min, also without data, past limits and cooldown."""
    flow = Flow(observation.snapshot.current, policy.bounds.min, Reason.BELOW_MIN, "min", forced=True)
    return _two_stages(flow, policy.bounds.min)


def _above_max(
    policy: Policy, observation: Observation, recommendations: tuple[Recommendation, ...], flow: Flow, calm: int
) -> Flow:
    """In, a few at a time and past stabilisation, while no rule wants out and none is without its data."""
    if flow.desired > flow.current:
        return _two_stages(flow, flow.desired)  # bounds hold it at max
    if any(one.missing and one.say is not recommend.Say.NONE for one in recommendations):
        return _two_stages(flow, calm)
    step = stages.removed_at_once(policy.limits.remove, observation.snapshot.ready)
    toward_max = max(policy.bounds.max, flow.current - step)
    if calm <= toward_max:
        return _two_stages(flow, calm)  # the rules' own scale-in is at least as large
    own = Flow(flow.current, toward_max, Reason.ABOVE_MAX, "max")
    return _two_stages(own, toward_max)


def _guarded(
    policy: Policy, observation: Observation, recommendations: tuple[Recommendation, ...], flow: Flow
) -> Decision:
    """The last stage, and the record."""
    direction = flow.direction
    vetoes = guard.vetoes(_case(policy, observation, flow, direction)) if direction is not None else {}
    first = next(iter(vetoes), None)
    moves = direction is not None and first is None
    end = flow.desired if moves else flow.current
    snapshot = observation.snapshot
    return Decision(
        target=policy.name,
        at=observation.now,
        decision=_verdict(end - flow.current),
        change=end - flow.current,
        desired=flow.desired,
        reason=flow.reason if moves else flow.stopped or first or flow.reason,
        nodes=NodeCounts(snapshot.current, snapshot.ready, policy.bounds.min, policy.bounds.max),
        rules=tuple([one.record() for one in recommendations]),
        stages=(*flow.stages, StageRecord("guards", end, first.value if first else "")),
        vetoes=tuple(vetoes),
        details=_all_details(policy, observation, flow, vetoes),
        wanted_reason=flow.reason if vetoes or flow.stopped else None,
        mode=observation.mode.value,
        rules_desired=flow.rules_desired,
    )


def _all_details(policy: Policy, observation: Observation, flow: Flow, vetoes: dict[Reason, str]) -> dict[str, str]:
    """What stands in the way, and what is told in every record while it lasts; mostly nothing."""
    found = _details(flow, vetoes) if vetoes or flow.capped is not None else {}
    if observation.override is None and policy.fleet is None:
        return found
    return _standing_details(policy, observation) | found


def _details(flow: Flow, vetoes: dict[Reason, str]) -> dict[str, str]:
    """The sentence of every veto, or of the schedule that let nothing more be had."""
    if flow.capped is not None and flow.stopped is Reason.AT_MAX:
        sentence = f"no more than {flow.capped.nodes} may be had while {flow.capped.rule} is open"
        return {Reason.AT_MAX.value: sentence}
    return {reason.value: sentence for reason, sentence in vetoes.items()}


def _standing_details(policy: Policy, observation: Observation) -> dict[str, str]:
    """What is told in every record while it lasts, whatever is decided."""
    warning = fleet.budget_warning(policy.fleet, observation.fleet)
    budget = {} if warning is None else {Reason.BUDGET.value: warning}
    return _override_details(policy, observation.override) | budget


def _verdict(change: int) -> Verdict:
    if change == 0:
        return Verdict.HOLD
    return Verdict.OUT if change > 0 else Verdict.IN


def _override_details(policy: Policy, override: Override | None) -> dict[str, str]:
    """By whom, until when and why the number of nodes is set by hand, in every record that it touches."""
    if override is None:
        return {}
    low, high = policy.bounds.min, policy.bounds.max
    beyond = "" if low <= override.nodes <= high else f" (min is {low} and max is {high})"
    by = f" by {override.who}" if override.who else ""
    why = f": {override.reason}" if override.reason else ""
    sentence = f"{override.nodes} nodes set by hand{by} until {rfc3339(override.until)}{beyond}{why}"
    return {Reason.OVERRIDE.value: sentence}


def _case(policy: Policy, observation: Observation, flow: Flow, direction: Direction) -> Case:
    below_min = flow.reason is Reason.BELOW_MIN
    return Case(policy, observation, direction, cooldown=flow.cooldown, forced=flow.forced, below_min=below_min)
