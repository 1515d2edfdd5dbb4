"""What is allowed in a policy and yet perhaps not meant."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from autoscaler.core.policy import Policy
from autoscaler.core.target import MAX_NODES_PER_INSTANCE, Mode
from autoscaler.policyfile import window_warnings
from autoscaler.yamlfile import quantities

LONG_COOLDOWN = timedelta(hours=24)


def warnings(policies: Iterable[Policy], now: datetime) -> tuple[str, ...]:
    """One sentence for each thing that looks odd, with its place; schedules are looked at from `now` on."""
    return tuple(f"{policy.place}: targets.{policy.name}: {what}" for policy in policies for what in _odd(policy, now))


def _odd(policy: Policy, now: datetime) -> Iterator[str]:
    if policy.mode is Mode.OFF:
        yield "mode off: it is neither polled nor recorded"
    if not policy.rules:
        yield "it has no rules, so only its bounds are kept"
    elif all(rule.mode is Mode.OBSERVE for rule in policy.rules):
        yield "all its rules are in observe, so only its bounds are kept"
    if policy.bounds.max > MAX_NODES_PER_INSTANCE:
        yield f"max {policy.bounds.max} is beyond the {MAX_NODES_PER_INSTANCE} nodes that an instance can have"
    yield from _cooldowns(policy)
    yield from window_warnings.odd(policy, now)


def _cooldowns(policy: Policy) -> Iterator[str]:
    spans = {"out": policy.cooldown.out, "in": policy.cooldown.in_, "failed": policy.cooldown.failed}
    for name, span in spans.items():
        if span > LONG_COOLDOWN:
            yield f"cooldown.{name} {quantities.write_duration(span)} is longer than a day"
