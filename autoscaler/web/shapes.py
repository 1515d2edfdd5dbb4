"""The shapes of answers, for OpenAPI; reference in words: docs/api.md.

Answers are written from the daemon's own JSON and are not run through these: a test holds the two together. More keys
than these may come in later versions.
"""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from autoscaler.core.by_hand import Kind
from autoscaler.core.decision import Reason, Verdict
from autoscaler.core.operation import State
from autoscaler.core.policy import Direction
from autoscaler.core.target import Mode
from autoscaler.ports import Cause

Responses = dict[int | str, dict[str, Any]]


class Error(BaseModel):
    """Every answer that is no success."""

    error: str = Field(min_length=1, description="one sentence")


class Nodes(BaseModel):
    """How many nodes there are, and may be."""

    current: int
    ready: int
    min: int
    max: int


class Progress(BaseModel):
    """How far a window is filled."""

    direction: Direction
    have: int
    needed: int
    of: int
    missing: int = 0
    half: int = 0
    counts_from: AwareDatetime | None = None


class RuleRecord(BaseModel):
    """What one rule saw and wanted."""

    rule: str
    value: float | None
    as_of: AwareDatetime | None
    samples: int
    wants: int
    reason: Reason
    warming: int = 0
    observe: bool = False
    above: float | None = None
    below: float | None = None
    target: float | None = None
    tolerance: float | None = None
    progress: Progress | None = None


class Stage(BaseModel):
    """What one stage left of the wish."""

    stage: Literal["combine", "stabilize", "limits", "bounds", "guards"]
    desired: int
    because: str = ""


class Record(BaseModel):
    """A decision."""

    target: str
    at: AwareDatetime
    decision: Verdict
    change: int
    desired: int
    reason: Reason
    mode: str
    nodes: Nodes
    rules: list[RuleRecord]
    stages: list[Stage]
    vetoes: list[Reason]
    details: dict[str, str] = {}
    wanted_reason: Reason | None = None


class Operation(BaseModel):
    """What was asked for, and what became of it."""

    id: str
    target: str
    direction: Direction
    change: int
    reason: Reason
    state: State
    committed_at: AwareDatetime
    submitted_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    job_id: str | None
    order_id: str | None
    arrived: int
    detail: str
    foreign: bool
    shadow: bool


class Held(BaseModel):
    """Something that an operator set, while it holds."""

    from_: AwareDatetime = Field(alias="from")
    until: AwareDatetime | None
    reason: str
    who: str


class Pause(Held):
    """Nothing is changed."""

    all: bool


class Override(Held):
    """So many nodes are wanted."""

    nodes: int


class Intervention(Held):
    """What an operator did by hand."""

    id: str
    kind: Kind
    target: str | None
    nodes: int | None
    ended_at: AwareDatetime | None
    ended_by: str
    ended_reason: str


class TargetNodes(Nodes):
    """With the number that is wanted."""

    desired: int


class Thresholds(BaseModel):
    """What a rule compares with."""

    above: list[float] = []
    below: list[float] = []
    target: float | None = None


class Rule(BaseModel):
    """A rule of a target's policy."""

    name: str
    type: Literal["threshold", "target_tracking", "schedule"]
    mode: Mode
    metric: str | None
    unit: str
    thresholds: Thresholds


class RefusedInARow(BaseModel):
    """What the cloud refused in a row, or could not be sent, and is still wanted."""

    direction: Direction
    times: int
    since: AwareDatetime
    detail: str


class Cooldowns(BaseModel):
    """Seconds that are left."""

    out: float
    in_: float = Field(alias="in")


class Target(BaseModel):
    """A target as it is now."""

    name: str
    mode: Mode
    instance_id: str
    group_id: str | None
    interval_seconds: float
    nodes: TargetNodes | None
    instance_status: str | None
    decision: Record | None
    operation: Operation | None
    overdue: bool
    refused: RefusedInARow | None
    cooldowns: Cooldowns
    pauses: list[Pause]
    override: Override | None
    error: str | None
    rules: list[Rule]


class Setting(BaseModel):
    """One key of a policy."""

    key: str
    value: Any
    from_: Literal["default", "defaults", "target"] = Field(alias="from")


class Policy(BaseModel):
    """A policy as it was understood; for programs, and in the words of policy files (`settings`)."""

    place: str
    mode: Mode
    min: int
    max: int
    interval_seconds: float
    settings: list[Setting]


class TargetWithPolicy(Target):
    """One target, asked for by its name."""

    policy: Policy


class Unobeyed(BaseModel):
    """Files that were changed and are not valid."""

    since: AwareDatetime
    problems: int
    first: str = Field(description="the first problem, with file, line and column")


class Targets(BaseModel):
    """Every target."""

    now: AwareDatetime
    led_by: str | None = Field(description="who may act instead of this daemon, empty where not known; null: this one")
    unobeyed: Unobeyed | None = Field(description="changed files that are not obeyed; null: what they said last holds")
    event: int = Field(description="the newest event's id: follow after it")
    targets: list[Target]


class _Page(BaseModel):
    next: str | None = Field(description="the path of the next page; null at the end")


class Decisions(_Page):
    """A page of a target's records."""

    target: str
    decisions: list[Record]


class Operations(_Page):
    """A page of operations."""

    operations: list[Operation]


class TargetOperations(Operations):
    """A page of a target's operations."""

    target: str


class Interventions(BaseModel):
    """What was done by hand, the last first."""

    interventions: list[Intervention]


class Series(BaseModel):
    """What one rule read."""

    rule: str
    metric: str | None
    unit: str
    mode: Mode | None
    above: list[float]
    below: list[float]
    target: float | None
    points: list[tuple[float, float | None]]


class NodeColumns(BaseModel):
    """Lists of equal length."""

    at: list[float]
    current: list[int | None]
    ready: list[int | None]
    desired: list[int | None]
    min: list[int | None]
    max: list[int | None]


class Move(BaseModel):
    """A decision to scale."""

    at: AwareDatetime
    decision: Literal["out", "in"]
    change: int
    reason: str


class Chart(BaseModel):
    """What a chart of a target shows."""

    target: str
    now: AwareDatetime
    since: AwareDatetime
    until: AwareDatetime
    series: list[Series]
    nodes: NodeColumns
    moves: list[Move]
    thinned: bool


class Changed(BaseModel):
    """What an operator changed, and what holds after it."""

    target: str | None
    now: AwareDatetime
    changed: list[Intervention]
    pauses: list[Pause]
    override: Override | None
    notes: list[str]


class Change(BaseModel):
    """One key that reads otherwise than before; null: it is not there."""

    key: str
    was: Any
    now: Any


class ChangedTarget(BaseModel):
    """What reads otherwise of a target that stays."""

    target: str
    changes: list[Change]


class Reload(BaseModel):
    """What a reload changed."""

    obeyed: Literal[True]
    cause: Cause
    by: str
    added: list[str]
    removed: list[str]
    changed: list[ChangedTarget]
    fleet: list[Change]
    settings: list[Change]
    needs_restart: list[str]
    warnings: list[str]


class Problem(BaseModel):
    """One thing that is wrong, and its place."""

    file: str
    line: int
    column: int
    path: str
    message: str
    text: str = Field(description="all of it in a line, as autoscaler check prints it")


class Refused(Error):
    """Nothing of the configuration is obeyed."""

    obeyed: Literal[False]
    cause: Cause
    by: str
    problems: list[Problem]


_ERRORS = {
    401: "no token, or another one",
    403: "nothing can be changed here, or another site's page wants to",
    404: "no such target",
    408: "the body did not come",
    409: "not now",
    413: "the body is too large",
    415: "the body is not said to be JSON",
    422: "a parameter or the body is not as described",
    429: "too many wrong tokens came from this address",
    503: "the store or the cloud cannot be read, or too many are being served",
}

OF_A_TARGET = (404, 422, 503)
OF_A_LIST = (422, 503)
OF_ALL = (401, 403, 408, 409, 413, 415, 422, 429, 503)
OF_A_CHANGE = (401, 403, 404, 408, 409, 413, 415, 422, 429, 503)


def described(shape: type[BaseModel] | None, *errors: int) -> Responses:
    """What OpenAPI says of a path's answers."""
    good: Responses = {} if shape is None else {200: {"model": shape}}
    return good | {status: {"model": Error, "description": _ERRORS[status]} for status in errors}


OF_A_RELOAD = described(Reload, 401, 403, 408, 409, 413, 415, 429, 503) | {
    422: {"model": Refused | Error, "description": "the configuration is not valid, or the body is no JSON"}
}
