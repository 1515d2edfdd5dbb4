"""An operation is an intent and what became of it; the table below holds every legal step.

            ┌────────> REJECTED                        (surely not carried out)
    PLANNED ┼────────> SUBMITTED ──> SUCCEEDED | FAILED
            └────────> UNKNOWN ────> SUBMITTED         (its job was found: adopted)
                               └───> SUCCEEDED | FAILED | NEVER_HAPPENED

A PLANNED operation found at start-up is UNKNOWN: the process died between the commit and the answer.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from autoscaler.core.decision import Reason
from autoscaler.core.policy import Direction
from autoscaler.core.target import InstanceKey


class State(StrEnum):
    """Where an operation stands."""

    PLANNED = "planned"  # the intent is committed; the call may be under way
    SUBMITTED = "submitted"  # the cloud gave a job or an order
    UNKNOWN = "unknown"  # no clear answer: look, never resend
    REJECTED = "rejected"  # refused or surely unsent; nothing changed
    SUCCEEDED = "succeeded"  # the nodes were seen
    FAILED = "failed"  # the job failed; `arrived` nodes came all the same
    NEVER_HAPPENED = "never_happened"  # an UNKNOWN that long observation showed was not carried out


LEGAL_STEPS: dict[State, frozenset[State]] = {
    State.PLANNED: frozenset({State.SUBMITTED, State.UNKNOWN, State.REJECTED}),
    State.SUBMITTED: frozenset({State.SUCCEEDED, State.FAILED}),
    State.UNKNOWN: frozenset({State.SUBMITTED, State.SUCCEEDED, State.FAILED, State.NEVER_HAPPENED}),
    State.REJECTED: frozenset(),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.NEVER_HAPPENED: frozenset(),
}

OPEN_STATES = frozenset(state for state, steps in LEGAL_STEPS.items() if steps)


class IllegalStepError(Exception):
    """A step that the table does not hold: a bug of ours, never a condition of the cloud."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One change of a node group, ours or (`foreign`) somebody else's; every time is UTC."""

    id: str
    target: str
    instance: InstanceKey
    group_id: str
    direction: Direction
    change: int  # nodes asked for, >= 1
    reason: Reason
    state: State
    committed_at: datetime
    send_before: datetime  # after it the call is not begun any more
    node_ids: frozenset[str] = frozenset()  # the group's nodes when the intent was made
    removing: tuple[str, ...] = ()  # v3 scale-in names its nodes
    zones: tuple[str, ...] = ()  # v3 scale-out names a zone for each node
    known_jobs: frozenset[str] = field(default=frozenset(), repr=False)  # all jobs listed when the intent was made
    skew_seconds: float = 0.0  # cloud's clock minus ours, when the intent was made
    prepaid: bool = False
    job_id: str | None = None
    order_id: str | None = None
    submitted_at: datetime | None = None
    ended_at: datetime | None = None
    arrived: int = 0  # nodes that came (out) or went (in), once ended
    detail: str = ""  # one sentence on how it came to its state
    foreign: bool = False  # somebody else's; ended when it was seen
    shadow: bool = False  # of a target in observe: nothing was sent

    @property
    def open(self) -> bool:
        """Whether anything is still to come."""
        return self.state in OPEN_STATES

    @property
    def changed_nodes(self) -> bool:
        """Whether the group has other nodes because of it."""
        return not self.shadow and (self.state is State.SUCCEEDED or (self.state is State.FAILED and self.arrived > 0))

    def step(self, state: State, *, at: datetime, detail: str = "", **fields: object) -> "Operation":
        """The operation one legal step further.

        Raises:
            IllegalStepError: the table holds no such step.
        """
        if state not in LEGAL_STEPS[self.state]:
            raise IllegalStepError(f"operation {self.id}: {self.state} -> {state}")
        if state is State.SUBMITTED:
            fields.setdefault("submitted_at", at)
        elif state not in OPEN_STATES:
            fields.setdefault("ended_at", at)
        return replace(self, state=state, detail=detail or self.detail, **fields)  # type: ignore[arg-type]  # checked by the callers' own types
