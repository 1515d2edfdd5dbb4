"""What can go wrong on request: the kinds of faults, and the box that hands an armed one to the call it waits for."""

import enum
import re
from dataclasses import dataclass, field
from typing import Annotated, Any

import pydantic


class Stage(enum.Enum):
    """Which part of the emulator obeys a fault; a call meets at most one of each stage."""

    TRANSPORT = "transport"  # whether and how the answer gets onto the wire
    ACCESS = "access"  # whether the caller is known
    CONTENT = "content"  # what a read answers
    JOB = "job"  # what becomes of an operation that was accepted; refused calls do not use it up
    WORLD = "world"  # happens once, when it is armed; `service`, `operation`, `count`, `after` do not apply


class Kind(enum.StrEnum):
    """Every fault there is. docs/emulator.md lists them too, and a test holds that list against this one."""

    HTTP_ERROR = "http_error"  # `status` (500) with `code` and `message`; the call is not carried out
    HTTP_ERROR_AFTER = "http_error_after"  # the same answer, after the call was carried out
    THROTTLED = "throttled"  # 429, with Retry-After where `retry_after` is given; not carried out
    TIMEOUT_BEFORE = "timeout_before"  # read, not carried out, never answered
    TIMEOUT_AFTER = "timeout_after"  # carried out, never answered
    RESET_BEFORE = "reset_before"  # read, not carried out, connection reset
    RESET_AFTER = "reset_after"  # carried out, connection reset
    CLOSED_BEFORE = "closed_before"  # read, not carried out, connection closed without a byte
    CLOSED_AFTER = "closed_after"  # carried out, connection closed without a byte
    GARBAGE = "garbage"  # carried out, answered with the right status and a body that is no JSON
    SLOW = "slow"  # carried out, answered after `seconds` real seconds (5)
    DRIPPING = "dripping"  # carried out, the body comes a byte every `seconds` real seconds (1)

    EXPIRED_TOKEN = "expired_token"  # noqa: S105 - the call is answered 401, however good its token or signature

    PARTIAL_PAGE = "partial_page"  # a list answers with half of its page, the totals unchanged
    JOB_LIST_FORGETS = "job_list_forgets"  # the job list is empty, a single job is unknown
    EMPTY_METRICS = "empty_metrics"  # Cloud Eye answers without datapoints, and lists no metric
    LOST_DATAPOINTS = "lost_datapoints"  # every second minute is missing; of `node` only, where given
    NAN_DATAPOINTS = "nan_datapoints"  # the values are NaN; of `node` only, where given
    STALE_DATAPOINTS = "stale_datapoints"  # nothing after the moment the fault was armed; of `node`, where given
    LATE_DATAPOINTS = "late_datapoints"  # the lag is `seconds` (600) longer; of `node` only, where given
    DUPLICATED_DATAPOINTS = "duplicated_datapoints"  # each comes twice, first with half of its value; `node`, too

    FAILED_JOB = "failed_job"  # the accepted job ends Failed and changes nothing
    ENLARGEFAIL = "enlargefail"  # the enlarge job ends Failed; `nodes` (0) arrive, the others stay enlargefail
    JOB_NEVER_ENDS = "job_never_ends"  # the accepted job runs for ever

    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - every token and temporary key given out so far ends now
    SOLD_OUT = "sold_out"  # every flavor is sold out in `zone` (all), for `seconds` of t (for ever); enlarges fail
    DATA_NODE_BUSY = "data_node_busy"  # every data node is BACKING UP, for `seconds` of t (600)
    DATA_NODE_HOT = "data_node_hot"  # every data node's CPU is `cpu` percent (95), for `seconds` of t (600)
    FOREIGN_SCALE_OUT = "foreign_scale_out"  # somebody else adds `nodes` (1) to the first (or `group`) group
    FOREIGN_SCALE_IN = "foreign_scale_in"  # somebody else removes `nodes` (1)
    ORDERS_PAID = "orders_paid"  # somebody pays every order that waits for payment


_STAGES = {
    Stage.ACCESS: {Kind.EXPIRED_TOKEN},
    Stage.CONTENT: {
        Kind.PARTIAL_PAGE,
        Kind.JOB_LIST_FORGETS,
        Kind.EMPTY_METRICS,
        Kind.LOST_DATAPOINTS,
        Kind.NAN_DATAPOINTS,
        Kind.STALE_DATAPOINTS,
        Kind.LATE_DATAPOINTS,
        Kind.DUPLICATED_DATAPOINTS,
    },
    Stage.JOB: {Kind.FAILED_JOB, Kind.ENLARGEFAIL, Kind.JOB_NEVER_ENDS},
    Stage.WORLD: {
        Kind.TOKEN_REVOKED,
        Kind.SOLD_OUT,
        Kind.DATA_NODE_BUSY,
        Kind.DATA_NODE_HOT,
        Kind.FOREIGN_SCALE_OUT,
        Kind.FOREIGN_SCALE_IN,
        Kind.ORDERS_PAID,
    },
}
# Where a content fault makes no sense it does not strike, so that its count is not used up by other calls.
_JOB_READS = frozenset({"list_jobs", "show_job"})
_METRIC_READS = frozenset({"metric_data", "batch_metric_data"})
_ONLY_IN: dict[Kind, frozenset[str]] = {
    Kind.JOB_LIST_FORGETS: _JOB_READS,
    Kind.EMPTY_METRICS: _METRIC_READS | {"list_metrics"},
    Kind.LOST_DATAPOINTS: _METRIC_READS,
    Kind.NAN_DATAPOINTS: _METRIC_READS,
    Kind.STALE_DATAPOINTS: _METRIC_READS,
    Kind.LATE_DATAPOINTS: _METRIC_READS,
    Kind.DUPLICATED_DATAPOINTS: _METRIC_READS,
    Kind.FAILED_JOB: frozenset({"enlarge", "reduce"}),
    Kind.ENLARGEFAIL: frozenset({"enlarge"}),
    Kind.JOB_NEVER_ENDS: frozenset({"enlarge", "reduce"}),
}
_HTTP = re.compile(r"(?:http_)?([45]\d\d)(_after)?")


def stage(kind: Kind) -> Stage:
    """The stage that obeys this kind."""
    return next((stage for stage, kinds in _STAGES.items() if kind in kinds), Stage.TRANSPORT)


class Request(pydantic.BaseModel):
    """A fault as a scenario or `POST /_emulator/faults` asks for it.

    It strikes `count` calls (null: all) of `service` and `operation` (null: any), after it let `after` of them pass.
    `http_503` or `503` is short for `http_error` with that status, `http_503_after` likewise, `429` for `throttled`.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Annotated[Kind, pydantic.Field(strict=False)]
    service: str | None = None
    operation: str | None = None
    count: Annotated[int, pydantic.Field(ge=1)] | None = 1
    after: Annotated[int, pydantic.Field(ge=0)] = 0
    status: Annotated[int, pydantic.Field(ge=400, le=599)] = 500
    code: str | None = None
    message: str | None = None
    retry_after: Annotated[float, pydantic.Field(ge=0)] | None = None
    seconds: Annotated[float, pydantic.Field(gt=0)] | None = None
    nodes: Annotated[int, pydantic.Field(ge=0, le=32)] | None = None
    cpu: Annotated[float, pydantic.Field(ge=0, le=100)] | None = None
    node: str | None = None
    group: str | None = None
    zone: str | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short_names(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("kind") is None:
            return data
        short = _HTTP.fullmatch(str(data["kind"]))
        if not short:
            return data
        if short[1] == "429" and not short[2]:
            return {**data, "kind": Kind.THROTTLED}
        return {**data, "kind": Kind.HTTP_ERROR_AFTER if short[2] else Kind.HTTP_ERROR, "status": int(short[1])}


@dataclass
class Armed:
    """A fault that waits: how many calls it still lets pass, and how many it still strikes (None: all)."""

    request: Request
    at: float  # the moment of t it was armed, seconds since the epoch
    to_pass: int
    left: int | None

    def meets(self, service: str, operation: str) -> bool:
        """Whether this call is one it waits for."""
        wanted = self.request
        return (
            wanted.service in (None, service)
            and wanted.operation in (None, operation)
            and operation in _ONLY_IN.get(wanted.kind, {operation})
            and (wanted.kind is not Kind.PARTIAL_PAGE or operation.startswith("list_"))
        )


@dataclass
class Box:
    """The armed faults, in the order they were armed."""

    armed: list[Armed] = field(default_factory=list)

    def arm(self, request: Request, at: float) -> None:
        """Let the fault wait for its calls, from the moment `at` of t on."""
        self.armed.append(Armed(request, at, request.after, request.count))

    def take(self, wanted: Stage, service: str, operation: str) -> Armed | None:
        """The first fault of this stage that strikes this call, used up by one; others that wait count it as passed."""
        struck = None
        for fault in [fault for fault in self.armed if stage(fault.request.kind) is wanted]:
            if not fault.meets(service, operation):
                continue
            if fault.to_pass:
                fault.to_pass -= 1
            elif struck is None:
                struck = fault
        if struck is not None and struck.left is not None:
            struck.left -= 1
            if struck.left == 0:
                self.armed.remove(struck)
        return struck
