"""Every Prometheus metric of the daemon, in one class with a registry of its own (reference: docs/metrics.md).

What is known of a target is kept as its latest values and turned into series only when a page is rendered: no value, no
series; a removed target takes all of its series with it. Labels are enums, names of calls, and target names only.
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, openmetrics

from autoscaler import __version__
from autoscaler.clock import Clock
from autoscaler.core.by_hand import ByHand
from autoscaler.core.decision import Decision
from autoscaler.core.fleet import Use
from autoscaler.core.history import Standing
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction, Fleet, Policy
from autoscaler.core.target import Mode, Snapshot
from autoscaler.ports import Backlog
from autoscaler.telemetry import error_name, fleet_series, target_page, webhook_series
from autoscaler.telemetry.latest import Latest
from autoscaler.telemetry.steps import Steps

CYCLE_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Seconds: from one target to a fleet that fills its interval."""

OPERATION_BUCKETS = (60, 120, 180, 300, 450, 600, 900, 1200, 1800, 2700, 3600, 7200)
"""Seconds: an enlarge takes 5 to 30 minutes; from 60 minutes it is overdue."""

CALL_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds: up to the longest total time-out of a call."""

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


END = b"# EOF\n"
"""Of a page in OpenMetrics."""

READ_WITHIN = 300.0
"""Real seconds since a format was asked for, after which it is not kept fresh any more."""

SHARE = 0.05
"""Of the time, at most, that is spent on rendering between cycles."""


class Metrics:
    """The numeric part of the port `Monitor`; told on the loop's thread, rendered in any.

    Told of a target that `targets()` did not name, it keeps nothing: a cycle may end after a target was removed.
    """

    def __init__(self, clock: Clock, *, ceiling: Mode = Mode.ENFORCE, leader: bool = True) -> None:
        # Each counter would otherwise have a second series that only says when the process began.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's
        self._clock = clock
        self._ceiling = ceiling
        self.born = clock.now()
        self._targets: dict[str, Latest] = {}
        self._fleet = fleet_series.FleetCollector()
        self._backlogs = webhook_series.BacklogCollector(clock)
        self._steps = Steps()
        self._pages: dict[str, bytes] = {}
        self._asked_at: dict[str, float] = {}  # of each of them; monotonic
        self._again_at = float("-inf")
        self._ended = 0  # cycles
        self._registry = CollectorRegistry()
        self._build_instruments()
        ProcessCollector(registry=self._registry)
        self._registry.register(self._fleet)
        self._registry.register(self._backlogs)
        self.leads(leader=leader)

    def _build_instruments(self) -> None:
        registry = self._registry
        self._leader = Gauge(
            "autoscaler_leader", "Whether this process may act (1) or stands by (0).", registry=registry
        )
        build = Gauge(
            "autoscaler_build_info", "Always 1; the labels say what runs.", ["version", "python"], registry=registry
        )
        build.labels(__version__, platform.python_version()).set(1)
        self._cycles = Histogram(
            "autoscaler_cycle_duration_seconds",
            "Real time that a cycle took.",
            buckets=CYCLE_BUCKETS,
            registry=registry,
        )
        self._operation_durations = Histogram(
            "autoscaler_operation_duration_seconds",
            "Time from the intent to the end of own operations that succeeded or failed.",
            ["direction"],
            buckets=OPERATION_BUCKETS,
            registry=registry,
        )
        for direction in Direction:  # from 0 on, as what is submitted
            self._operation_durations.labels(direction.value)
        self._calls = Counter(
            "autoscaler_cloud_requests",
            "Calls to the cloud by how they ended: an HTTP status, or an error's name.",
            ["service", "operation", "code"],
            registry=registry,
        )
        self._call_durations = Histogram(
            "autoscaler_cloud_request_duration_seconds",
            "Real time that calls to the cloud took.",
            ["service", "operation"],
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self._deliveries = Counter(
            "autoscaler_webhook_requests",
            "Attempts to deliver a letter by how they ended: an HTTP status, or an error's name.",
            ["webhook", "code"],
            registry=registry,
        )
        self._delivery_durations = Histogram(
            "autoscaler_webhook_request_duration_seconds",
            "Real time that attempts to deliver a letter took.",
            ["webhook"],
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self._given_up = Counter(
            "autoscaler_webhook_letters_given_up",
            "Letters that were not delivered and are tried no more.",
            ["webhook"],
            registry=registry,
        )
        self._lateness = _Late("autoscaler_cycle_lateness_seconds", "How late the last cycle began.", registry)
        self._last_cycle = _Late(
            "autoscaler_last_cycle_timestamp_seconds", "When the last cycle ended, in Unix time.", registry
        )
        self._skew = _Late("autoscaler_cloud_clock_skew_seconds", "The cloud's clock minus ours.", registry)
        self._reload_ok = _Late(
            "autoscaler_config_last_reload_successful", "Whether the last load of the policies was obeyed.", registry
        )
        self._reload_at = _Late(
            "autoscaler_config_last_reload_success_timestamp_seconds",
            "When policies were last loaded and obeyed, in Unix time.",
            registry,
        )

    # What the daemon tells.

    def targets(self, policies: Sequence[Policy]) -> None:
        """These are the targets from now on; a target that is off keeps only its mode and bounds.

        Of one that is removed while an operation of it is open, the series of that stay until it has ended.
        """
        for name in self._targets.keys() - {policy.name for policy in policies}:
            self._targets[name].remove()
            self._drop_if_removed(name)
        if all(policy.fleet is None for policy in policies):
            self._fleet.latest = {}
        for told in policies:
            capped = self._ceiling is Mode.OBSERVE and told.mode is not Mode.OFF
            policy = replace(told, mode=Mode.OBSERVE) if capped else told
            known = self._targets.get(policy.name)
            if known is None:
                self._targets[policy.name] = Latest(policy)
            else:
                known.adopt(policy)

    def under(self, ceiling: Mode) -> None:
        """The most that targets may do; for those that are named from now on."""
        self._ceiling = ceiling

    def _drop_if_removed(self, name: str) -> None:
        if self._targets[name].removed and not self._targets[name].open:
            del self._targets[name]

    def cycle(self, *, interval: timedelta, seconds: float, lateness: float, targets: int, errors: int) -> None:  # noqa: ARG002  # the port's; the log uses them
        self._cycles.observe(seconds)
        self._lateness.set(lateness)
        self._last_cycle.set(self._clock.now().timestamp())
        self._ended += 1
        self._again_at = float("-inf")

    def observed(self, policy: Policy, snapshot: Snapshot | None, now: datetime) -> None:  # noqa: ARG002  # the port's
        if target := self._targets.get(policy.name):
            target.snapshot = snapshot

    def by_hand(self, target: str, held: ByHand) -> None:
        """This holds by hand; its end is seen when a page is rendered."""
        if known := self._targets.get(target):
            known.by_hand = held

    def decided(self, policy: Policy, decision: Decision, cooldowns: Mapping[Direction, timedelta]) -> None:
        if target := self._targets.get(policy.name):
            target.decision = decision
            target.cooldowns = dict(cooldowns)
            target.decisions[decision.decision, decision.reason] += 1

    def breakers(self, target: str, standing: Mapping[Direction, Standing]) -> None:
        """How a target's breakers stand; the end of a rest is seen when a page is rendered."""
        if known := self._targets.get(target):
            known.breakers = standing

    def fleet(self, fleet: Fleet, use: Use) -> None:
        """What all targets together have and have used, and what they may."""
        self._fleet.latest = fleet_series.values_of(fleet, use)

    def failed(self, target: str, error: Exception) -> None:
        if known := self._targets.get(target):
            known.decision = None  # what it said holds no longer
            known.errors[error_name.of(error)] += 1

    def operation(self, operation: Operation, *, overdue: bool = False) -> None:
        """Count a step of an own operation, or a change by somebody else; shadows are neither."""
        target = self._targets.get(operation.target)
        if target is None or operation.shadow:
            return
        target.follow(operation, overdue=overdue)
        self._drop_if_removed(operation.target)
        heard = self._steps.knows(operation)
        if not self._steps.is_news(operation) or self._before_our_time(operation, heard=heard):
            return
        target.count(operation)
        timed = operation.state in (State.SUCCEEDED, State.FAILED) and not operation.foreign
        if timed and operation.ended_at is not None:
            took = operation.ended_at - operation.committed_at
            self._operation_durations.labels(operation.direction.value).observe(took.total_seconds())

    def call(self, service: str, name: str, code: str, seconds: float) -> None:
        self._calls.labels(service, name, code).inc()
        self._call_durations.labels(service, name).observe(seconds)

    def skew(self, seconds: float) -> None:
        self._skew.set(seconds)

    def delivery(self, webhook: str, code: str, seconds: float, *, given_up: bool) -> None:
        """An attempt to deliver a letter ended."""
        self._deliveries.labels(webhook, code).inc()
        self._delivery_durations.labels(webhook).observe(seconds)
        self._given_up.labels(webhook).inc(float(given_up))

    def backlogs(self, backlogs: Mapping[str, Backlog | None]) -> None:
        """What waits for each webhook; how old it is is seen when a page is rendered."""
        self._backlogs.latest = dict(backlogs)

    def config_loaded(self, *, successful: bool) -> None:
        """The policies were loaded, or refused."""
        self._reload_ok.set(float(successful))
        if successful:
            self._reload_at.set(self._clock.now().timestamp())

    def leads(self, *, leader: bool) -> None:
        """Whether this process may act; who stands by follows no operations."""
        self._leader.set(float(leader))
        if not leader:
            for target in self._targets.values():
                target.lose_sight()

    # What a scrape is given.

    def render(self) -> None:
        """Renew every page that somebody reads; for a thread, at the end of a cycle and at every beat.

        Between cycles little is new, so a twentieth of the time is spent on it at most.
        """
        begun = self._clock.monotonic()
        if begun < self._again_at:
            return
        cycles = self._ended
        read = [one for one, asked in tuple(self._asked_at.items()) if begun - asked < READ_WITHIN]
        written = self._written() if read else ()
        self._pages = {content_type: self._page(content_type, written) for content_type in read}
        if cycles == self._ended:
            ended = self._clock.monotonic()
            self._again_at = ended + (ended - begun) * (1 / SHARE - 1)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The page last rendered, in the format that the Accept header prefers, and its content type.

        A format that nobody has asked for lately is rendered here; from then on `render` keeps it fresh.
        """
        content_type = OPENMETRICS if _prefers_openmetrics(accept) else TEXT
        self._asked_at[content_type] = self._clock.monotonic()
        page = self._pages.get(content_type)
        if page is None:
            page = self._pages[content_type] = self._page(content_type, self._written())
        return page, content_type

    def _written(self) -> target_page.Lines:
        return target_page.lines(self._targets, self._clock.now())

    def _page(self, content_type: str, written: target_page.Lines) -> bytes:
        if content_type == OPENMETRICS:
            page: bytes = openmetrics.exposition.generate_latest(self._registry)  # type: ignore[no-untyped-call]  # same
            return page.removesuffix(END) + target_page.page(written, openly=True) + END
        return prometheus_client.generate_latest(self._registry) + target_page.page(written, openly=False)

    def _before_our_time(self, operation: Operation, *, heard: bool) -> bool:
        """Whether an earlier process saw this step: a counter that starts at 0 would count it twice over restarts."""
        if operation.state is State.UNKNOWN:  # nothing tells when it became so; found so, it was before
            return not heard and operation.committed_at < self.born
        entered = operation.submitted_at if operation.state is State.SUBMITTED else operation.ended_at
        return entered is not None and entered < self.born


class _Late:
    """A gauge without labels that has no series before its first value."""

    def __init__(self, name: str, words: str, registry: CollectorRegistry) -> None:
        self._gauge = Gauge(name, words, registry=None)
        self._registry = registry
        self._registered = False

    def set(self, value: float) -> None:
        self._gauge.set(value)
        if not self._registered:
            self._registry.register(self._gauge)
            self._registered = True


def _prefers_openmetrics(accept: str) -> bool:
    """Whether the header ranks OpenMetrics above plain text; of equals the first wins (RFC 9110, 12.5.1)."""
    best, openly = 0.0, False
    for entry in accept.lower().split(","):
        media, *parameters = (part.strip() for part in entry.split(";"))
        quality = _quality(parameters)
        if quality > best and media in ("application/openmetrics-text", "text/plain", "text/*", "*/*"):
            best, openly = quality, media == "application/openmetrics-text"
    return openly


def _quality(parameters: Sequence[str]) -> float:
    try:
        return next((float(one[2:]) for one in parameters if one.startswith("q=")), 1.0)
    except ValueError:
        return 0.0
