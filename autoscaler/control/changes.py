"""What other policies change: targets that come and go, and of those that stay every key that reads otherwise."""

from collections.abc import Iterator, Mapping
from typing import Any

from autoscaler.control import as_parsed
from autoscaler.core.policy import Fleet, Policy
from autoscaler.ports import Change

Policies = Mapping[str, Policy]


def of_targets(was: Policies, now_is: Policies) -> dict[str, tuple[Change, ...]]:
    """By target, of those that stay and read otherwise."""
    both = {name: (was[name], policy) for name, policy in now_is.items() if name in was}
    differ = {name: pair for name, pair in both.items() if not pair[0].same_as(pair[1])}
    found = {name: tuple(_apart(as_parsed.values(old), as_parsed.values(new))) for name, (old, new) in differ.items()}
    return {name: changes for name, changes in found.items() if changes}  # else no more than the fleet is another


def of_fleet(was: Policies, now_is: Policies) -> tuple[Change, ...]:
    """Of what holds for all targets together."""
    return tuple(_apart(as_parsed.fleet(_fleet(was)), as_parsed.fleet(_fleet(now_is))))


def _fleet(policies: Policies) -> Fleet | None:
    return next((policy.fleet for policy in policies.values()), None)


def _apart(was: Mapping[str, Any], now_is: Mapping[str, Any]) -> Iterator[Change]:
    for key in dict.fromkeys([*was, *now_is]):
        if was.get(key) != now_is.get(key):
            yield Change(key, was.get(key), now_is.get(key))
