"""What an operator may ask for, asked before it is foretold as before it is done.

Each answer is a sentence with what stands against it, or empty.
"""

from datetime import timedelta

from autoscaler.core.operation import State
from autoscaler.core.target import Mode

LONGEST_OVERRIDE = timedelta(days=30)
"""Longer than that a number of nodes belongs into the policy's min and max, where others see it."""


def against_span(lasts: timedelta | None) -> str:
    """Against something that lasts so long; None: until it is taken back."""
    return "for: it must be longer than 0s" if lasts is not None and lasts <= timedelta(0) else ""


def against_override(target: str, nodes: int, lasts: timedelta, *, low: int, high: int) -> str:
    """Against so many nodes for so long, where the policy has these bounds."""
    if lasts > LONGEST_OVERRIDE:
        days = LONGEST_OVERRIDE.days
        return f"for: at most {days}d; what is to stay belongs into the policy's min and max"
    if not low <= nodes <= high:
        return f"{nodes} nodes are outside the policy of {target}; it allows {low} to {high}"
    return against_span(lasts)


def against_overriding(target: str, policy: Mode) -> str:
    """Against any override, where the policy has that mode."""
    return f"{target} is off: it is not looked at, so an override would do nothing" if policy is Mode.OFF else ""


def against_resuming(target: str, *, who: str, until: str | None) -> str:
    """Against resuming a target alone while all are paused, by somebody and until some time."""
    ends = f" until {until}" if until else ""
    return (
        f"all targets are paused (by {who}{ends}), so {target} alone cannot be resumed; "
        "resume all of them: autoscaler resume --all"
    )


def against_resolving(state: State, outcome: State) -> str:
    """Against closing an operation of that state so."""
    if state is State.SUBMITTED and outcome is State.NEVER_HAPPENED:
        return "the cloud accepted this operation: resolve it as succeeded or failed"
    return ""
