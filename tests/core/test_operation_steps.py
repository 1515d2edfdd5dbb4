"""What an operation may become: every pair of states is either in this table or refused."""

from itertools import product

import pytest

from autoscaler.core.operation import LEGAL_STEPS, OPEN_STATES, IllegalStepError, State
from tests.core.given import NOW, operation

LEGAL = {
    ("planned", "submitted"),
    ("planned", "unknown"),
    ("planned", "rejected"),
    ("submitted", "succeeded"),
    ("submitted", "failed"),
    ("unknown", "submitted"),
    ("unknown", "succeeded"),
    ("unknown", "failed"),
    ("unknown", "never_happened"),
}
OPEN = {"planned", "submitted", "unknown"}
PAIRS = [pytest.param(was, becomes, id=f"{was}-to-{becomes}") for was, becomes in product(State, State)]


@pytest.mark.parametrize(("was", "becomes"), PAIRS)
def test_a_step_is_legal_or_refused(was, becomes):
    op = operation(state=was, ended=None)
    if (was.value, becomes.value) in LEGAL:
        assert op.step(becomes, at=NOW).state is becomes
    else:
        with pytest.raises(IllegalStepError, match=f"{was} -> {becomes}"):
            op.step(becomes, at=NOW)


def test_the_table_knows_every_state():
    assert set(LEGAL_STEPS) == set(State)


@pytest.mark.parametrize("state", list(State))
def test_open_is_what_something_can_still_come_of(state):
    assert (state in OPEN_STATES) == operation(state=state).open == (state.value in OPEN)


def test_i3_nothing_leads_back_to_planned():
    """A call follows PLANNED alone, so an unknown outcome can never be sent again."""
    assert not any(State.PLANNED in steps for steps in LEGAL_STEPS.values())


def test_i3_an_unknown_outcome_is_never_rejected():
    """REJECTED means surely not carried out, and lets the next cycle send; of UNKNOWN nobody can be so sure."""
    assert State.REJECTED not in LEGAL_STEPS[State.UNKNOWN]


@pytest.mark.parametrize("ended", [state for state in State if state.value not in OPEN])
def test_what_has_ended_stays_so(ended):
    assert not LEGAL_STEPS[ended]


@pytest.mark.parametrize(("was", "becomes"), sorted(LEGAL))
def test_a_step_writes_down_when(was, becomes):
    after = operation(state=State(was)).step(State(becomes), at=NOW, detail="why")
    assert after.detail == "why"
    assert after.submitted_at == (NOW if becomes == "submitted" else None)
    assert after.ended_at == (None if becomes in OPEN else NOW)


def test_a_step_keeps_what_it_is_not_told():
    before = operation(state=State.PLANNED, detail="as it was")
    after = before.step(State.SUBMITTED, at=NOW, job_id="job-1")
    assert (after.detail, after.job_id, after.id, after.committed_at) == (
        "as it was",
        "job-1",
        "op",
        before.committed_at,
    )
    assert before.state is State.PLANNED


def test_the_end_may_be_told():
    """A job that ended while nobody looked."""
    submitted = operation(state=State.SUBMITTED)
    assert submitted.step(State.SUCCEEDED, at=NOW, ended_at=submitted.committed_at).ended_at == submitted.committed_at


@pytest.mark.parametrize(
    ("state", "arrived", "shadow", "expected"),
    [
        pytest.param(State.SUCCEEDED, 0, False, True, id="succeeded"),
        pytest.param(State.FAILED, 1, False, True, id="failed-with-a-node"),
        pytest.param(State.FAILED, 0, False, False, id="failed-without"),
        pytest.param(State.REJECTED, 0, False, False, id="rejected"),
        pytest.param(State.NEVER_HAPPENED, 0, False, False, id="never-happened"),
        pytest.param(State.SUBMITTED, 0, False, False, id="still-under-way"),
        pytest.param(State.UNKNOWN, 0, False, False, id="not-known"),
        pytest.param(State.SUCCEEDED, 0, True, False, id="a-shadow"),
    ],
)
def test_what_changed_the_groups_nodes(state, arrived, shadow, expected):
    assert operation(state=state, arrived=arrived, shadow=shadow).changed_nodes is expected
