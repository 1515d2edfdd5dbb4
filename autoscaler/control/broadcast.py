"""A monitor that passes everything on to another, and tells those who watch what concerns them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from autoscaler.control.announcer import Announcer
from autoscaler.control.feed import Feed
from autoscaler.core.by_hand import ByHand
from autoscaler.core.decision import Decision
from autoscaler.core.fleet import Use
from autoscaler.core.history import Standing
from autoscaler.core.operation import Operation
from autoscaler.core.operation_json import operation_json
from autoscaler.core.policy import Direction, Fleet, Policy
from autoscaler.core.target import Snapshot
from autoscaler.ports import Backlog, EventKind, Monitor, Reload


@dataclass(frozen=True)
class Broadcast:
    """Implements `ports.Monitor`."""

    told: Monitor
    feed: Feed
    announcer: Announcer

    def cycle(self, *, interval: timedelta, seconds: float, lateness: float, targets: int, errors: int) -> None:
        self.told.cycle(interval=interval, seconds=seconds, lateness=lateness, targets=targets, errors=errors)
        data = {
            "interval_seconds": interval.total_seconds(),
            "seconds": round(seconds, 3),
            "lateness_seconds": round(lateness, 3),
            "targets": targets,
            "errors": errors,
        }
        self.feed.publish(EventKind.CYCLE, None, lambda: data)

    def observed(self, policy: Policy, snapshot: Snapshot | None, now: datetime) -> None:
        self.told.observed(policy, snapshot, now)

    def by_hand(self, target: str, held: ByHand) -> None:
        self.told.by_hand(target, held)

    def decided(self, policy: Policy, decision: Decision, cooldowns: Mapping[Direction, timedelta]) -> None:
        self.told.decided(policy, decision, cooldowns)
        self.feed.publish(EventKind.DECISION, decision.target, decision.as_json)

    def breakers(self, target: str, standing: Mapping[Direction, Standing]) -> None:
        self.told.breakers(target, standing)
        self.announcer.breakers(target, standing)

    def fleet(self, fleet: Fleet, use: Use) -> None:
        self.told.fleet(fleet, use)

    def failed(self, target: str, error: Exception) -> None:
        self.told.failed(target, error)

    def operation(self, operation: Operation, *, overdue: bool = False) -> None:
        self.told.operation(operation, overdue=overdue)
        if overdue:
            self.announcer.overdue(operation)
        self.feed.publish(
            EventKind.OPERATION, operation.target, lambda: operation_json(operation) | {"overdue": overdue}
        )

    def call(self, service: str, name: str, code: str, seconds: float) -> None:
        self.told.call(service, name, code, seconds)

    def skew(self, seconds: float) -> None:
        self.told.skew(seconds)

    def targets(self, policies: Sequence[Policy]) -> None:
        self.told.targets(policies)
        self.announcer.keep({policy.name for policy in policies})
        self.feed.make_room(len(policies))

    def reloaded(self, reload: Reload) -> None:
        self.told.reloaded(reload)
        self.announcer.reloaded(reload)
        self.feed.publish(EventKind.RELOAD, None, reload.as_json)

    def leads(self, *, leader: bool) -> None:
        self.told.leads(leader=leader)

    def delivery(self, webhook: str, code: str, seconds: float, *, given_up: bool) -> None:
        self.told.delivery(webhook, code, seconds, given_up=given_up)

    def backlogs(self, backlogs: Mapping[str, Backlog | None]) -> None:
        self.told.backlogs(backlogs)

    def event(self, level: str, message: str, **fields: object) -> None:
        self.told.event(level, message, **fields)
