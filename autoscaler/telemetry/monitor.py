"""The port `Monitor`: what happens goes to the metrics and, where a person would want to read it, to the log."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from autoscaler.core import sentence
from autoscaler.core.by_hand import ByHand
from autoscaler.core.decision import Decision, Verdict, rfc3339
from autoscaler.core.fleet import Use
from autoscaler.core.history import Standing
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction, Fleet, Policy
from autoscaler.core.target import Snapshot
from autoscaler.errors import AutoscalerError
from autoscaler.ports import Backlog, Reload
from autoscaler.telemetry import error_name, logs, reload_lines
from autoscaler.telemetry.metrics import Metrics
from autoscaler.telemetry.steps import Steps

_BAD_STATES = frozenset({State.UNKNOWN, State.FAILED, State.REJECTED, State.NEVER_HAPPENED})


class Telemetry:
    """Metrics and log in one.

    A hold is logged when its reason changes, an error when it changes, an operation at every step: what merely goes on
    is in the metrics and the history.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._verdicts: dict[timedelta, Counter[Verdict]] = {}
        self._last: dict[str, str] = {}  # per target: what was last said of it
        self._steps = Steps()

    def cycle(self, *, interval: timedelta, seconds: float, lateness: float, targets: int, errors: int) -> None:
        self.metrics.cycle(interval=interval, seconds=seconds, lateness=lateness, targets=targets, errors=errors)
        verdicts = self._verdicts.pop(interval, Counter())
        fields: dict[str, object] = {
            "interval": interval.total_seconds(),
            "seconds": round(seconds, 3),
            "lateness": round(lateness, 3),
            "targets": targets,
            **{verdict.value: verdicts[verdict] for verdict in Verdict},
            "errors": errors,
        }
        logs.write("info", "cycle", fields)

    def observed(self, policy: Policy, snapshot: Snapshot | None, now: datetime) -> None:
        self.metrics.observed(policy, snapshot, now)

    def by_hand(self, target: str, held: ByHand) -> None:
        self.metrics.by_hand(target, held)

    def decided(self, policy: Policy, decision: Decision, cooldowns: Mapping[Direction, timedelta]) -> None:
        self.metrics.decided(policy, decision, cooldowns)
        self._verdicts.setdefault(policy.interval, Counter())[decision.decision] += 1
        news = self._is_news(decision.target, f"{decision.decision} {decision.reason}")
        if news or decision.decision is not Verdict.HOLD:
            logs.write("info", sentence.sentence(decision.as_json()), _decision_fields(decision))

    def breakers(self, target: str, standing: Mapping[Direction, Standing]) -> None:
        self.metrics.breakers(target, standing)

    def fleet(self, fleet: Fleet, use: Use) -> None:
        self.metrics.fleet(fleet, use)

    def failed(self, target: str, error: Exception) -> None:
        self.metrics.failed(target, error)
        name = error_name.of(error)
        level = "warning" if self._is_news(target, f"{name} {error}") else "debug"
        surprise = None if isinstance(error, AutoscalerError) else error
        logs.write(level, f"not evaluated: {error}", {"target": target, "error": name}, error=surprise)

    def operation(self, operation: Operation, *, overdue: bool = False) -> None:
        self.metrics.operation(operation, overdue=overdue)
        goes_on = operation.open and operation.committed_at < self.metrics.born and not self._steps.knows(operation)
        if not self._steps.is_news(operation, overdue=overdue):
            return
        if goes_on:  # whoever is to be alarmed was so by the earlier run, and by the metric of what is overdue
            logs.write("info", _goes_on(operation, overdue=overdue), _operation_fields(operation))
            return
        level = "warning" if overdue or operation.state in _BAD_STATES else "info"
        logs.write(level, _step(operation, overdue=overdue), _operation_fields(operation))

    def call(self, service: str, name: str, code: str, seconds: float) -> None:
        self.metrics.call(service, name, code, seconds)
        fields = {"service": service, "operation": name, "code": code, "seconds": round(seconds, 3)}
        logs.write("debug", "cloud call", fields)

    def skew(self, seconds: float) -> None:
        self.metrics.skew(seconds)

    def targets(self, policies: Sequence[Policy]) -> None:
        self.metrics.targets(policies)
        names = {policy.name for policy in policies}
        self._last = {name: said for name, said in self._last.items() if name in names}
        logs.write("info", "targets", {"targets": len(names)})

    def reloaded(self, reload: Reload) -> None:
        self.metrics.config_loaded(successful=reload.obeyed)
        for level, words, fields in reload_lines.of(reload):
            logs.write(level, words, fields)

    def leads(self, *, leader: bool) -> None:
        self.metrics.leads(leader=leader)

    def delivery(self, webhook: str, code: str, seconds: float, *, given_up: bool) -> None:
        self.metrics.delivery(webhook, code, seconds, given_up=given_up)
        fields = {"webhook": webhook, "code": code, "seconds": round(seconds, 3)}
        logs.write("debug", "webhook call", fields)

    def backlogs(self, backlogs: Mapping[str, Backlog | None]) -> None:
        self.metrics.backlogs(backlogs)

    def event(self, level: str, message: str, **fields: object) -> None:
        logs.write(level, message, fields)

    def _is_news(self, target: str, said: str) -> bool:
        news = self._last.get(target) != said
        self._last[target] = said
        return news


def _decision_fields(decision: Decision) -> dict[str, Any]:
    return {
        "target": decision.target,
        "at": rfc3339(decision.at),
        "decision": decision.decision.value,
        "reason": decision.reason.value,
        "current": decision.nodes.current,
        "desired": decision.desired,
        "mode": decision.mode,
    }


def _operation_fields(operation: Operation) -> dict[str, Any]:
    return {
        "target": operation.target,
        "operation": operation.id,
        "direction": operation.direction.value,
        "change": operation.change,
        "state": operation.state.value,
        "reason": operation.reason.value,
        "job": operation.job_id,
        "order": operation.order_id,
        "arrived": operation.arrived,
        "foreign": operation.foreign,
        "shadow": operation.shadow,
    }


def _goes_on(operation: Operation, *, overdue: bool) -> str:
    state = f"{'overdue, ' if overdue else ''}{operation.state.value.replace('_', ' ')}"
    return f"an operation of an earlier run goes on: {state} since {rfc3339(operation.committed_at)}"


def _step(operation: Operation, *, overdue: bool) -> str:
    words = f"operation {operation.state.value.replace('_', ' ')}"
    if overdue:
        words = f"operation overdue, still {operation.state.value}"
    return f"{words}: {operation.detail}" if operation.detail else words
