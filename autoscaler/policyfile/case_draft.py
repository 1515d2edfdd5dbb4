"""One policy test from its keys: what pydantic cannot know of it is asked here."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from autoscaler import errors
from autoscaler.core import ddm_metrics, sample
from autoscaler.core.decision import Reason
from autoscaler.core.observation import Override, Pause
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction, Policy
from autoscaler.core.target import Mode
from autoscaler.policyfile import case, series
from autoscaler.policyfile.case import CarryOut, Case, DataNodes, Expectation
from autoscaler.policyfile.case_keys import CaseKeys, OperationKeys, Outcome
from autoscaler.yamlfile import quantities, shape
from autoscaler.yamlfile.node import Node

MOST_INTERVALS = 100_000
"""Two months of minutes: more decisions than that are no unit test."""


class Draft:
    """One case on its way from its keys."""

    def __init__(self, tree: Node, keys: CaseKeys, index: int, policies: Sequence[Policy]) -> None:
        self._tree = tree
        self._keys = keys
        self._name = keys.name or f"test {index + 1}"
        self._policies = policies
        self._problems: list[errors.Problem] = []

    def built(self) -> Case:
        """The case.

        Raises:
            BadConfig: with all that makes no sense in it.
        """
        policy = self._policy()
        keys = self._keys
        interval = keys.interval or policy.interval
        current, ready = self._nodes(policy)
        built = Case(
            name=self._name,
            place=self._tree.place,
            policy=policy,
            mode=self._mode(policy),
            current=current,
            ready=ready,
            start=keys.start,
            interval=interval,
            metrics=self._metrics(policy),
            operations=tuple(self._operations(policy)),
            pauses=tuple(self._pauses()),
            overrides=tuple(self._overrides(policy)),
            data_nodes=DataNodes(busy=keys.data_nodes.state == "busy", cpu=keys.data_nodes.cpu),
            carry_out=CarryOut(keys.carry_out, keys.operation_time, keys.outcome),
            expectations=tuple(self._expectations(interval)),
        )
        if self._problems:
            raise errors.BadConfig(self._problems)
        return built

    def _wrong(self, message: str, *location: str | int) -> None:
        """Note what is wrong with a value, or that one is missing where it should stand."""
        found = self._tree.at(*location)
        above = self._tree.at(*location[:-1])
        place = found.place if found is not None else (above or self._tree).key.below(location[-1])
        self._problems.append(place.problem(message))

    def _policy(self) -> Policy:
        wanted = self._keys.target
        named = {policy.name: policy for policy in self._policies}
        if wanted is None:
            return self._policies[0]
        if wanted not in named:
            near = shape.nearest(wanted, named)
            self._wrong(f"there is no target {quantities.shown(wanted)}{near}; known: {', '.join(named)}", "target")
        return named.get(wanted, self._policies[0])

    def _mode(self, policy: Policy) -> Mode:
        """A target that only observes is tested as if it acted, unless the case says otherwise."""
        if self._keys.mode is not None:
            return Mode(self._keys.mode.value)
        if policy.mode is Mode.OFF:
            self._wrong(
                f"{policy.name} is off, so nothing is decided; write mode: enforce to test it all the same", "mode"
            )
        return Mode.ENFORCE if policy.mode is Mode.OBSERVE else policy.mode

    def _nodes(self, policy: Policy) -> tuple[int, int]:
        nodes = self._keys.nodes
        if nodes is None:
            return policy.bounds.min, policy.bounds.min
        ready = nodes.current if nodes.ready is None else nodes.ready
        if ready > nodes.current:
            self._wrong(f"{ready} ready nodes are more than there are ({nodes.current})", "nodes", "ready")
        return nodes.current, ready

    def _metrics(self, policy: Policy) -> Mapping[str, Mapping[str, series.Values]]:
        used = [metric.name for metric in policy.metrics]
        for name in self._keys.metrics:
            if name not in used and name not in ddm_metrics.FACTS:
                near = shape.nearest(name, [*used, *ddm_metrics.FACTS])
                self._wrong(f"no rule of {policy.name} looks at {quantities.shown(name)}{near}", "metrics", name)
        for metric in policy.metrics:
            if metric.of_group and set(self._keys.metrics.get(metric.name, {})) - {sample.GROUP}:
                self._wrong(
                    "has no node_label, so it gives one value for the group; write one series", "metrics", metric.name
                )
        return self._keys.metrics

    def _operations(self, policy: Policy) -> Iterator[Operation]:
        for index, keys in enumerate(self._keys.operations):
            ends = keys.finished is not None
            outcome = keys.outcome
            if outcome is None and ends and not keys.foreign:
                self._wrong("is missing; an operation that is finished has an outcome", "operations", index, "outcome")
            elif outcome is Outcome.UNKNOWN and ends:
                self._wrong(
                    "an operation of unknown outcome is not finished; take finished out",
                    "operations",
                    index,
                    "finished",
                )
            elif outcome not in {None, Outcome.UNKNOWN} and not ends:
                self._wrong("is missing; an operation that has ended has a time", "operations", index, "finished")
            else:
                yield self._operation(policy, keys, index)

    def _operation(self, policy: Policy, keys: OperationKeys, index: int) -> Operation:
        ended = None if keys.finished is None else self._keys.start + keys.finished
        at = ended or self._keys.start
        state = State.SUBMITTED if ended is None else State.SUCCEEDED
        if keys.outcome is not None:
            state = State(keys.outcome.value)
        return Operation(
            id=f"before-{index + 1}",
            target=policy.name,
            instance=case.instance_of(policy),
            group_id=case.group_of(policy),
            direction=keys.direction,
            change=keys.change,
            reason=Reason.FOREIGN if keys.foreign else _USUAL[keys.direction],
            state=state,
            committed_at=at,
            send_before=at,
            submitted_at=at if state is State.SUBMITTED else None,
            ended_at=ended,
            arrived=keys.change if state is State.SUCCEEDED else 0,
            foreign=keys.foreign,
        )

    def _pauses(self) -> Iterator[Pause]:
        for keys in self._keys.pauses:
            begins = self._keys.start + keys.from_
            yield Pause(begins, None if keys.for_ is None else begins + keys.for_, keys.reason)

    def _overrides(self, policy: Policy) -> Iterator[Override]:
        bounds = policy.bounds
        for index, keys in enumerate(self._keys.overrides):
            if not bounds.min <= keys.nodes <= bounds.max:
                self._wrong(
                    f"{keys.nodes} is refused; an override is between min and max, {bounds.min} to {bounds.max}",
                    *("overrides", index, "nodes"),
                )
            begins = self._keys.start + keys.from_
            yield Override(begins, begins + keys.for_, keys.nodes, keys.reason)

    def _expectations(self, interval: timedelta) -> Iterator[Expectation]:
        if not self._keys.expect:
            self._wrong("is empty, so the test could not fail; write what is decided when", "expect")
        for index, keys in enumerate(self._keys.expect):
            tree = self._tree.at("expect", index) or self._tree
            if keys.at % interval:
                self._wrong(
                    f"{quantities.write_duration(keys.at)} is no multiple of the interval "
                    f"{quantities.write_duration(interval)}, so nothing is decided then",
                    *("expect", index, "at"),
                )
            elif keys.at // interval >= MOST_INTERVALS:
                self._wrong(f"is more than {MOST_INTERVALS} intervals away; test a shorter time", "expect", index, "at")
            if keys.model_fields_set == {"at"}:
                self._problems.append(
                    tree.place.problem("expects nothing; write a key of the record, such as decision")
                )
            yield Expectation(keys.at, {k: v for k, v in tree.plain().items() if k != "at"}, tree.place)


_USUAL = {Direction.OUT: Reason.ABOVE_THRESHOLD, Direction.IN: Reason.BELOW_THRESHOLD}
"""Why an operation of ours is taken to have been made; only one for missing data would mean more."""
