"""The ports: what the daemon needs of the outside, as small Protocols named by role, all batch-shaped.

Adapters live in `huaweicloud/`, `storage/`, `telemetry/` and `web/`; fakes that pass the same suites in
`tests/fakes.py`. Every instant is aware and UTC. Errors are those of `autoscaler.errors`, nothing else leaves a port.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol, Self

from autoscaler.core.by_hand import ByHand, Intervention
from autoscaler.core.checks import DataNode, Job, Offer
from autoscaler.core.decision import Decision
from autoscaler.core.fleet import Use
from autoscaler.core.history import Standing
from autoscaler.core.letter import Letter
from autoscaler.core.operation import Operation
from autoscaler.core.policy import CLOUD_EYE, Direction, Fleet, Metric, Policy, Statistic
from autoscaler.core.target import InstanceKey, Scope, Snapshot, Target
from autoscaler.errors import CloudError, Problem


@dataclass(frozen=True)
class MetricQuery:
    """One metric, one value per `period`: at Cloud Eye of some nodes of one instance, elsewhere what a query gives.

    A query in a language of its source says itself what it is of: it names no instance and no nodes, so that targets
    with the same query share one call.
    """

    name: str  # of SYS.DDMS, e.g. ddm_cpu_util; or the query
    statistic: Statistic
    period: timedelta
    instance_id: str
    node_ids: tuple[str, ...]
    source: str = CLOUD_EYE
    node_label: str | None = None  # of a query: the label that holds the node's id; None: one series, of the group

    @classmethod
    def of(cls, metric: Metric, instance_id: str, node_ids: tuple[str, ...]) -> Self:
        """As the source of a metric is asked, for some nodes of one instance."""
        if metric.is_query:
            instance_id, node_ids = "", ()
        return cls(
            metric.name, metric.statistic, metric.period, instance_id, node_ids, metric.source, metric.node_label
        )


Points = Mapping[datetime, Decimal]
"""Values by the start of their period. A missing, NaN or infinite value is not in it: missing is never zero."""


class MetricSource(Protocol):
    """Where load comes from."""

    async def fetch(
        self, queries: Sequence[MetricQuery], start: datetime, end: datetime
    ) -> Mapping[MetricQuery, Mapping[str, Points] | CloudError]:
        """Every point of [start, end) for every query: node id → points, in as few calls as the API allows.

        The points of a query without a node label are under `sample.GROUP`.

        A node without data, or that an answer does not mention, has no entry or an empty one. A call that fails makes
        the queries it carried a CloudError (Throttled, Unavailable, Unreadable, AccessRefused), and so does an answer
        that mentions nothing of a query; the other queries keep their answers. Never raises CloudError itself.
        """
        ...


@dataclass(frozen=True)
class Accepted:
    """The cloud took a mutation: a job (pay-per-use) or an order (prepaid); at least one is set."""

    job_id: str | None = None
    order_id: str | None = None


BeforeSend = Callable[[], None]
"""Called when the connection stands, just before the request is written; raises Unsent to stop it."""


class Cloud(Protocol):
    """The DDM service, its data nodes, and the clock they keep. Reads are retried inside; mutations never."""

    @property
    def scope(self) -> Scope | None:
        """Region and project, known after the first sign-in (or from the settings)."""
        ...

    @property
    def skew(self) -> timedelta | None:
        """The cloud's clock minus ours, by the `Date` of the newest answer; None before the first."""
        ...

    @property
    def names_nodes(self) -> bool:
        """Whether the API is told zones for new nodes and ids of those to remove (v3), not just a number (v2)."""
        ...

    async def sign_in(self, *, good_for: timedelta = timedelta(0)) -> None:
        """Make sure of credentials that last that much longer (t).

        Raises:
            AccessRefused: the credentials are wrong: trying again is of no use.
            Unavailable: IAM cannot be reached or is failing: try again later.
        """
        ...

    async def describe(self, targets: Sequence[Target]) -> Mapping[str, Snapshot | CloudError]:
        """What each target (by name) is now. One bad target is an error in its place, never an exception.

        NotFound: no such instance or group, or no group_id where there are several (the text names them).
        """
        ...

    async def jobs(self, start: datetime, end: datetime) -> tuple[Job, ...]:
        """All jobs of the project created in [start, end], every page.

        Raises:
            CloudError: any page failed or the pages do not add up; there is no partial answer.
        """
        ...

    async def job(self, job_id: str) -> Job | None:
        """One job; None where the cloud has forgotten it (or never knew it).

        Raises:
            CloudError: it could not be asked.
        """
        ...

    async def data_nodes(self, target: Target) -> tuple[DataNode, ...]:
        """The associated RDS instances, as DDM lists them and as RDS says they are; empty where there is no schema.

        Raises:
            CloudError: either could not be asked.
        """
        ...

    async def data_node_cpu(
        self, data_node_ids: Collection[str], start: datetime, end: datetime
    ) -> Mapping[str, Points]:
        """The CPU of RDS instances in percent, a value a minute, of [start, end); all in as few calls as allowed.

        One that Cloud Eye does not list, or has nothing of, is not in it, or empty: it is not known, never zero.

        Raises:
            CloudError: Cloud Eye could not be asked.
        """
        ...

    async def offer(self, target: Target, snapshot: Snapshot) -> Offer:
        """What could be bought for the target's group now.

        Raises:
            CloudError: it could not be asked; NotFound where the flavor is not known or not the group's.
        """
        ...

    async def node_zones(self, target: Target, snapshot: Snapshot) -> Mapping[str, str]:
        """Node id → availability zone, for the nodes of the group; {} where the API does not tell.

        Raises:
            CloudError: it could not be asked.
        """
        ...

    async def add_nodes(self, target: Target, operation: Operation, before_send: BeforeSend) -> Accepted:
        """Enlarge, once: `operation.change` nodes, in `operation.zones` where the API takes zones.

        Raises:
            Unsent, Refused (and its kinds): surely nothing changed.
            Ambiguous: every other end.
        """
        ...

    async def remove_nodes(self, target: Target, operation: Operation, before_send: BeforeSend) -> Accepted:
        """Reduce, once: `operation.removing` where the API takes ids, else `change` nodes. Raises as add_nodes."""
        ...


@dataclass(frozen=True)
class SeenNode:
    """What the store remembers of a node of a group."""

    id: str
    first_ready_at: datetime | None  # None: not ready yet
    warm: bool = False  # was there when the store was empty: counted from the start


class Lease(Protocol):
    """Who of several processes on one store leads: held for a while by the *store's* clock, and renewed meanwhile."""

    async def claim(self, holder: str, lasts: timedelta) -> int | None:
        """Take the lease where it is free or over, or renew our own, for so long from now; its fencing number.

        The number is greater at each take-over and the same at each renewal. None: somebody else holds it, and what we
        held is lost. `holder` names a process to people; a process begun anew under a name takes over like another.

        Raises:
            StoreError: the store did not answer; whether the lease was taken or renewed is not known.
        """
        ...

    async def holder(self) -> str:
        """Who holds it, as that process named itself; "" where nobody does. May raise StoreError."""
        ...

    async def release(self) -> None:
        """Let others take it at once; nothing where it is not ours (any more). May raise StoreError: it runs out."""
        ...


class Correspondence(Protocol):
    """Which letters go with a change: asked within the transaction that stores both, perhaps in another thread.

    Never raises, never waits: a change that is to be told of must not depend on how it is told.
    """

    def of_intent(self, operation: Operation, decision: Decision) -> Sequence[Letter]:
        """An intent is committed."""
        ...

    def of_step(self, operation: Operation) -> Sequence[Letter]:
        """An operation became what it now is."""
        ...

    def of_interventions(self, begun: Sequence[Intervention], ended: Sequence[Intervention]) -> Sequence[Letter]:
        """An operator did something, or took it back."""
        ...


class Nobody:
    """The correspondence of a daemon without webhooks."""

    def of_intent(self, operation: Operation, decision: Decision) -> Sequence[Letter]:
        del operation, decision
        return ()

    def of_step(self, operation: Operation) -> Sequence[Letter]:
        del operation
        return ()

    def of_interventions(self, begun: Sequence[Intervention], ended: Sequence[Intervention]) -> Sequence[Letter]:
        del begun, ended
        return ()


NOBODY = Nobody()


@dataclass(frozen=True)
class Backlog:
    """The letters to one webhook that are still to be delivered."""

    waiting: int  # at least one
    oldest: datetime  # when that happened which the oldest of them tells of


class Store(Protocol):
    """What must outlive the process. Every method is one transaction; any of them may raise StoreError.

    A call that was cancelled, or that raised because the store did not answer, may or may not have been carried out.

    `commit_intent`, `update` and `intervene` keep the letters that the store's correspondence says go with them, in
    the same transaction: what happened and that it is to be told are stored together, or neither is.

    Where there is a lease, `commit_intent`, `import_operations`, `record`, `save_seen_nodes` and `intervene` are for
    whoever holds it: to others they raise NotLeader and store nothing. `update` is for anybody, since it says itself
    which state it replaces: an answer that comes late is worth having.
    """

    @property
    def lease(self) -> Lease | None:
        """Of a store that several processes may share; None: this process has it for itself."""
        ...

    async def commit_intent(self, operation: Operation, decision: Decision) -> None:
        """Make a PLANNED operation and its decision durable, before anything is sent.

        Where there is a lease, it is held fast in the same transaction: nobody takes over before the intent is there.

        Raises:
            OperationOpenError: another operation is open on that instance (a unique index says so).
            NotLeader: the store has a lease, and it is not ours, or is over; nothing was stored.
        """
        ...

    async def update(self, operation: Operation, *, was: Operation, beside: Sequence[Operation] = ()) -> None:
        """Replace `was` by `operation` (same id), and import those `beside`, in one or nothing of it.

        Raises:
            StoreError: the stored state is not that of `was`.
        """
        ...

    async def import_operations(self, operations: Sequence[Operation]) -> None:
        """Add operations that already ended (somebody else's); one already there by id is left as it is."""
        ...

    async def open_operations(self) -> tuple[Operation, ...]:
        """Every operation in an open state, oldest first."""
        ...

    async def operations(self, instance: InstanceKey, *, since: datetime) -> tuple[Operation, ...]:
        """Operations of an instance that are open or ended at or after `since`, oldest first.

        Also, whatever their age, the last per target and direction that ended in each state: a cooldown may be longer
        than any window.
        """
        ...

    async def record(self, decisions: Sequence[Decision]) -> None:
        """Append the records of a cycle."""
        ...

    async def seen_nodes(self, instance: InstanceKey, group_id: str) -> tuple[SeenNode, ...] | None:
        """The group's nodes as last seen; None where the group was never seen with this store."""
        ...

    async def save_seen_nodes(
        self, instance: InstanceKey, group_id: str, nodes: Sequence[SeenNode], *, beside: Sequence[Operation] = ()
    ) -> None:
        """Replace what is remembered of the group's nodes, and import those `beside`, in one or nothing of it."""
        ...

    async def intervene(self, begun: Sequence[Intervention], *, ended: Sequence[Intervention] = ()) -> None:
        """Make durable what an operator did by hand, and what it takes back; one that was taken back stays as it is."""
        ...

    async def standing(self, *, at: datetime) -> tuple[Intervention, ...]:
        """What was done by hand and is not over, and the last closed breaker of each target (and of all); oldest first.

        Whatever is stored has begun, even where its time is later than `at`.
        """
        ...

    async def post(self, letters: Sequence[Letter]) -> None:
        """Keep letters until they are delivered; one whose webhook and id are there already is left as it is.

        For anybody: two daemons that tell the same tell it once.
        """
        ...

    async def due_letters(self, webhook: str, *, at: datetime, longest: timedelta, limit: int) -> tuple[Letter, ...]:
        """A webhook's waiting letters that are due, no more than so many: by their failures, then as they came.

        Due is also what would be due only more than `longest` after `at`: the clock was set back since.
        """
        ...

    async def settle(self, letter: Letter) -> None:
        """Keep what became of an attempt; a letter that is not waiting any more is left as it is."""
        ...

    async def backlogs(self) -> Mapping[str, Backlog]:
        """Of each webhook that letters wait for, whether or not it is still in the settings."""
        ...

    async def prune(self, *, before: datetime) -> int:
        """Forget records, letters, ended operations and what by hand was over before that; how many rows went.

        Never the last operation of a target, direction and state, nor the last closed breaker of a target.
        """
        ...

    def close(self) -> None:
        """Release the file and its lock, or the connections, once what is under way has ended."""
        ...


class Courier(Protocol):
    """Takes letters to one webhook."""

    async def deliver(self, letter: Letter) -> str:
        """One attempt, no longer than some seconds; the code with which the receiver took it.

        Raises:
            Undelivered: it did not, or that is not known.
        """
        ...

    async def aclose(self) -> None:
        """Close what is open; nothing is delivered any more."""
        ...


class History(Protocol):
    """What the API reads of the past; a connection of its own, read-only. May raise StoreError."""

    def decisions(
        self,
        target: str,
        *,
        before: datetime | None = None,
        since: datetime | None = None,
        limit: int = 100,
        oldest_first: bool = False,
    ) -> tuple[dict[str, Any], ...]:
        """Records as JSON, newest first unless asked otherwise: at < before, at >= since."""
        ...

    def records(self, target: str, *, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        """All records of a span as JSON, oldest first: at >= since, at < until; read in parts as they are taken.

        For threads: nobody waits for it but who asks.
        """
        ...

    def operations(
        self,
        target: str | None = None,
        *,
        before: datetime | None = None,
        since: datetime | None = None,
        limit: int = 100,
        oldest_first: bool = False,
    ) -> tuple[Operation, ...]:
        """Operations by the time of their commit, as decisions; of all targets without a name."""
        ...

    def open_operations(self) -> tuple[Operation, ...]:
        """Every operation in an open state, oldest first."""
        ...

    def standing(self, *, at: datetime) -> tuple[Intervention, ...]:
        """As the store's, for showing."""
        ...

    def interventions(self, target: str | None = None, *, limit: int = 100) -> tuple[Intervention, ...]:
        """What operators did by hand, the last first; with a name, to that target or to all."""
        ...


class Cause(StrEnum):
    """Why the configuration is read anew."""

    FILES = "files"  # they changed
    SIGNAL = "signal"  # SIGHUP
    REQUEST = "request"  # POST /-/reload


@dataclass(frozen=True)
class Change:
    """One key that reads otherwise than before; None: it is not there."""

    key: str
    was: Any
    now: Any

    def as_json(self) -> dict[str, Any]:
        """As the API and events show it."""
        return {"key": self.key, "was": self.was, "now": self.now}


@dataclass(frozen=True, kw_only=True)
class Reload:
    """The configuration was read anew: what is other than before, or (with `problems`) why all stays as it was."""

    cause: Cause
    by: str = ""  # who asked for it
    problems: tuple[Problem, ...] = ()
    added: tuple[str, ...] = ()  # targets
    removed: tuple[str, ...] = ()
    changed: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)  # of targets that stay, by name
    fleet: tuple[Change, ...] = ()
    settings: tuple[Change, ...] = ()  # of the process's own, that hold from now on
    needs_restart: tuple[str, ...] = ()  # keys that read otherwise than at the start, and hold only after the next one
    warnings: tuple[str, ...] = ()

    @property
    def obeyed(self) -> bool:
        """Whether what was read holds now."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """As the API and events show it."""
        outcome = {"obeyed": self.obeyed, "cause": self.cause.value, "by": self.by}
        if not self.obeyed:
            return outcome | {"problems": [vars(problem) | {"text": str(problem)} for problem in self.problems]}
        return outcome | {
            "added": list(self.added),
            "removed": list(self.removed),
            "changed": [
                {"target": name, "changes": [one.as_json() for one in changes]}
                for name, changes in self.changed.items()
            ],
            "fleet": [one.as_json() for one in self.fleet],
            "settings": [one.as_json() for one in self.settings],
            "needs_restart": list(self.needs_restart),
            "warnings": list(self.warnings),
        }


class Monitor(Protocol):
    """Whom the daemon tells what happens, for metrics and the log. Never raises, never waits."""

    def cycle(self, *, interval: timedelta, seconds: float, lateness: float, targets: int, errors: int) -> None:
        """A cycle ended: real seconds it took, real seconds it began late."""
        ...

    def observed(self, policy: Policy, snapshot: Snapshot | None, now: datetime) -> None:
        """What the cloud showed of a target; None where it could not be described."""
        ...

    def by_hand(self, target: str, held: ByHand) -> None:
        """This holds for a target by an operator's hand, until it ends by itself or something else is told."""
        ...

    def decided(self, policy: Policy, decision: Decision, cooldowns: Mapping[Direction, timedelta]) -> None:
        """An evaluation ended in a record; `cooldowns`: what is left per direction, t."""
        ...

    def breakers(self, target: str, standing: Mapping[Direction, Standing]) -> None:
        """How a target's breakers stood in the evaluation that just ended in a record."""
        ...

    def fleet(self, fleet: Fleet, use: Use) -> None:
        """What all targets together have and have used was counted."""
        ...

    def failed(self, target: str, error: Exception) -> None:
        """An evaluation ended in an error instead."""
        ...

    def operation(self, operation: Operation, *, overdue: bool = False) -> None:
        """An operation changed (or became overdue)."""
        ...

    def call(self, service: str, name: str, code: str, seconds: float) -> None:
        """A cloud call ended: service iam|ddm|cloud_eye|rds, the operation's name, `200` or an error's name."""
        ...

    def skew(self, seconds: float) -> None:
        """The cloud's clock minus ours was measured."""
        ...

    def targets(self, policies: Sequence[Policy]) -> None:
        """These are the targets from now on; series of others go."""
        ...

    def reloaded(self, reload: Reload) -> None:
        """The configuration was read anew, or was refused."""
        ...

    def leads(self, *, leader: bool) -> None:
        """Whether this process may act, from now on."""
        ...

    def delivery(self, webhook: str, code: str, seconds: float, *, given_up: bool) -> None:
        """An attempt to deliver a letter ended, after so many real seconds; whether no further one is made."""
        ...

    def backlogs(self, backlogs: Mapping[str, Backlog | None]) -> None:
        """What waits for each webhook; none where this process does not deliver."""
        ...

    def event(self, level: str, message: str, **fields: object) -> None:
        """Anything else worth a log line; level debug|info|warning|error."""
        ...


class EventKind(StrEnum):
    """What those who watch are told of."""

    DECISION = "decision"  # an evaluation ended: its record
    OPERATION = "operation"  # an operation changed, or became overdue: it, with `overdue`
    INTERVENTION = "intervention"  # an operator did something, or took it back
    RELOAD = "reload"  # the configuration was read anew, or was refused
    CYCLE = "cycle"  # a round over all targets of an interval ended
    LOST = "lost"  # events between the follower's last and now are not known any more


@dataclass(frozen=True)
class Event:
    """One of them; its data is written as JSON when somebody wants it."""

    id: int  # greater than that of every earlier event
    kind: EventKind
    target: str | None  # None: of all, or of none
    write: Callable[[], str]

    @cached_property
    def data(self) -> str:
        """A JSON object on one line."""
        return self.write()


class Following(Protocol):
    """One reader's place among the events."""

    async def take(self, seconds: float) -> tuple[Event, ...] | None:
        """The next events, waiting so many real seconds for one; none where none came; None at the end of all."""
        ...

    def close(self) -> None:
        """Give the place up."""
        ...


class Console(Protocol):
    """What the web pages, the API and its callers may ask of a running daemon, and what they may change."""

    def healthy(self) -> tuple[bool, str]:
        """Whether the scheduler's beat is younger than 60 s and no due cycle is late by 3 intervals; and a sentence."""
        ...

    def ready(self) -> tuple[bool, str]:
        """Whether configuration, store and sign-in are good; and a sentence."""
        ...

    def led_by(self) -> str | None:
        """Who may act instead of this daemon ("" where that is not known); None: this one may."""
        ...

    def unobeyed(self) -> dict[str, Any] | None:
        """Of changed files that are not valid, so that the last good ones go on: `since`, `problems`, the `first`.

        None: what the files said last holds.
        """
        ...

    def now(self) -> datetime:
        """The daemon's time t."""
        ...

    def names(self) -> tuple[str, ...]:
        """The targets' names."""
        ...

    def targets(self) -> Iterator[dict[str, Any]]:
        """Every target as JSON: name, mode, nodes, last decision, open operation, cooldowns, last error.

        For threads. Each is made as it is taken: ten thousand at once would be too much for the garbage collector.
        """
        ...

    def recent(self) -> Mapping[str, Sequence[tuple[float, Mapping[str, float | None]]]]:
        """Of each target that has any: minutes (seconds since 1970), oldest first, and what its rules read in them.

        The greatest value of the minute, None where it was missing; an hour or more, since the start of the process.
        """
        ...

    def target(self, name: str) -> dict[str, Any] | None:
        """One of them, with its policy as parsed; None where there is none of that name."""
        ...

    def decisions(
        self,
        target: str,
        *,
        before: datetime | None,
        since: datetime | None,
        limit: int,
        oldest_first: bool = False,
    ) -> tuple[dict[str, Any], ...]:
        """History of a target, newest first unless asked otherwise: at < before, at >= since."""
        ...

    def samples(self, target: str, *, since: datetime | None, until: datetime | None, points: int) -> dict[str, Any]:
        """What a chart of a target shows; by default the last hour, in no more than so many stretches. For threads.

        Raises:
            QuestionInvalidError: the span is empty, or too much.
        """
        ...

    def operations(
        self,
        target: str | None,
        *,
        limit: int,
        before: datetime | None = None,
        since: datetime | None = None,
        oldest_first: bool = False,
    ) -> tuple[dict[str, Any], ...]:
        """Operations as JSON by the time of their commit, as decisions; of all targets without a name."""
        ...

    def last_event(self) -> int:
        """The id of the newest event: who reads the state after it, and follows after it, misses nothing."""
        ...

    def follow(self, after: int | None) -> Following:
        """Read along what happens, after the event of that id, or from now on.

        Raises:
            FeedFullError: no more can.
        """
        ...

    def config(self) -> dict[str, Any]:
        """The settings, secrets masked."""
        ...

    def interventions(self, target: str | None = None, *, limit: int) -> tuple[dict[str, Any], ...]:
        """What operators did by hand as JSON, the last first; with a name, to that target or to all."""
        ...

    async def pause(self, target: str | None, *, lasts: timedelta | None, reason: str, who: str) -> dict[str, Any]:
        """Have nothing changed for so long, or until resumed: a target, or (None) all; what holds then as JSON.

        Raises:
            ChangeInvalidError: it would not last.
        """
        ...

    async def resume(
        self, target: str | None, *, breaker: bool, override: bool, who: str, reason: str = ""
    ) -> dict[str, Any]:
        """End the pauses of a target, or (None) every pause there is; and close breakers, end overrides where asked.

        Raises:
            ChangeRefusedError: all targets are paused, so one of them cannot be resumed.
        """
        ...

    async def override(self, target: str, *, nodes: int, lasts: timedelta, reason: str, who: str) -> dict[str, Any]:
        """Have so many nodes for so long, in place of any earlier override; what holds then as JSON.

        Raises:
            ChangeInvalidError: so many are outside the policy's bounds, or it would not last, or too long.
            ChangeRefusedError: the target is off.
        """
        ...

    async def reload(self, *, who: str, reason: str = "") -> Reload:
        """Read the configuration anew: it holds as a whole, or (with problems) nothing of it does.

        Raises:
            ChangeRefusedError: this daemon was given no files to read.
        """
        ...

    async def resolve(self, target: str, *, outcome: str, reason: str, who: str) -> dict[str, Any]:
        """Close the target's open operation by hand: succeeded, failed or never_happened; the operation as JSON.

        Raises:
            ChangeRefusedError: no open operation, or the instance is at work, or it cannot be asked.
        """
        ...


class OperationOpenError(Exception):
    """An operation is already open on the instance; the intent was not stored."""


class ChangeRefusedError(Exception):
    """What an operator asks for cannot be done now; the text says why and what to do."""


class FeedFullError(Exception):
    """Events cannot be followed now; the text says why."""


class QuestionInvalidError(Exception):
    """What somebody asks cannot be answered; the text says what can be asked."""


class ChangeInvalidError(Exception):
    """What an operator asks for can never be done; the text says what is allowed."""
