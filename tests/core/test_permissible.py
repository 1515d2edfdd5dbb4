"""What an operator may ask for, and in which words it is refused."""

from datetime import timedelta

import pytest

from autoscaler.core import permissible
from autoscaler.core.operation import State
from autoscaler.core.target import Mode

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("lasts", "words"),
    [
        (None, ""),
        (SECOND, ""),
        (timedelta(0), "for: it must be longer than 0s"),
        (-SECOND, "for: it must be longer than 0s"),
    ],
    ids=["until it is resumed", "a second", "nothing", "less"],
)
def test_what_lasts_lasts_longer_than_nothing(lasts, words):
    assert permissible.against_span(lasts) == words


OVERRIDES = {
    "the least": (2, HOUR, ""),
    "the most": (16, HOUR, ""),
    "too few": (1, HOUR, "1 nodes are outside the policy of orders; it allows 2 to 16"),
    "too many": (17, HOUR, "17 nodes are outside the policy of orders; it allows 2 to 16"),
    "as long as can be": (5, timedelta(days=30), ""),
    "too long": (
        5,
        timedelta(days=30) + SECOND,
        "for: at most 30d; what is to stay belongs into the policy's min and max",
    ),
    "no time": (5, timedelta(0), "for: it must be longer than 0s"),
}


@pytest.mark.parametrize(("nodes", "lasts", "words"), OVERRIDES.values(), ids=OVERRIDES)
def test_an_override_is_inside_the_policy_and_ends(nodes, lasts, words):
    assert permissible.against_override("orders", nodes, lasts, low=2, high=16) == words


@pytest.mark.parametrize("mode", Mode)
def test_what_is_off_cannot_be_overridden(mode):
    said = permissible.against_overriding("orders", mode)
    assert said == ("orders is off: it is not looked at, so an override would do nothing" if mode is Mode.OFF else "")


@pytest.mark.parametrize(("until", "by"), [(None, "by ann"), ("noon", "by ann until noon")])
def test_one_target_alone_is_not_resumed_while_all_are_paused(until, by):
    assert permissible.against_resuming("orders", who="ann", until=until) == (
        f"all targets are paused ({by}), so orders alone cannot be resumed; resume all of them: autoscaler resume --all"
    )


@pytest.mark.parametrize("state", [State.PLANNED, State.SUBMITTED, State.UNKNOWN])
@pytest.mark.parametrize("outcome", [State.SUCCEEDED, State.FAILED, State.NEVER_HAPPENED])
def test_what_the_cloud_accepted_did_happen(state, outcome):
    accepted = state is State.SUBMITTED and outcome is State.NEVER_HAPPENED
    assert permissible.against_resolving(state, outcome) == (
        "the cloud accepted this operation: resolve it as succeeded or failed" if accepted else ""
    )
