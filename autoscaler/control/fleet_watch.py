"""The fleet watch: the newest reading of every group, so that one target's decision knows what all others have.

Only readings are kept, the newest of each target; what they and the stored operations come to is counted each time.
"""

from collections.abc import Sequence
from datetime import datetime

from autoscaler.control.poller import Poll
from autoscaler.core import fleet
from autoscaler.core.fleet import HOUR, Group, Use
from autoscaler.core.history import DAY
from autoscaler.core.operation import Operation
from autoscaler.core.policy import Fleet, Policy
from autoscaler.core.target import InstanceKey, Mode
from autoscaler.errors import CloudError, NotFound, StoreError
from autoscaler.ports import Cloud, Monitor, Store


class FleetWatch:
    """Knows all targets that are not off, whatever their interval; asks nothing where no policy has a fleet."""

    def __init__(self, *, cloud: Cloud, store: Store, monitor: Monitor) -> None:
        self._cloud = cloud
        self._store = store
        self._monitor = monitor
        self._policies: dict[str, Policy] = {}
        self._groups: dict[str, Group] = {}
        self._absent: set[str] = set()  # targets whose group does not exist: no nodes
        self._warned = False

    def targets(self, policies: Sequence[Policy]) -> None:
        """These are the targets from now on; one that is off is not read, and does not count."""
        self._policies = {policy.name: policy for policy in policies if policy.mode is not Mode.OFF}
        self._absent = set()
        self._groups = {name: group for name, group in self._groups.items() if self._is_group_of(name, group)}

    def _is_group_of(self, name: str, group: Group) -> bool:
        target = self._policies[name].target if name in self._policies else None
        return (
            target is not None
            and target.instance_id == group.instance.instance_id
            and target.group_id in (None, group.snapshot.group_id)
        )

    @property
    def _fleet(self) -> Fleet | None:
        return next((policy.fleet for policy in self._policies.values()), None)

    def saw(self, poll: Poll, asked: Sequence[Policy]) -> None:
        """These groups were read, or are gone; of one that could not be read the last reading stands.

        The targets may have changed since they were asked about: what was read of another group tells nothing.
        """
        for one in poll.seen:
            self._take(one.policy.name, Group(one.instance, one.snapshot))
        for policy in asked:
            if isinstance(poll.errors.get(policy.name), NotFound):
                self._gone(policy)

    def _take(self, name: str, group: Group) -> None:
        if not self._is_group_of(name, group):
            return
        known = self._groups.get(name)
        if known is None or known.snapshot.taken_at <= group.snapshot.taken_at:
            self._groups[name] = group

    def _gone(self, asked: Policy) -> None:
        name = asked.name
        if name in self._policies and self._policies[name].target == asked.target:
            self._groups.pop(name, None)
            self._absent.add(name)

    async def look(self, now: datetime) -> Use | None:
        """What the fleet has and has used, for a whole cycle; groups that were never read are read first."""
        settings = self._fleet
        if settings is None:
            return None
        await self._read_the_rest()
        use = await self._used(now)
        self._tell(settings, use)
        return use

    async def use(self, now: datetime) -> Use | None:
        """The same once more, without asking the cloud: for the moment before an intent is committed."""
        return None if self._fleet is None else await self._used(now)

    async def _read_the_rest(self) -> None:
        """Before its own first cycle a target has nodes as well; after a restart all would seem to have none."""
        unread = {name: self._policies[name] for name in self._unread}
        scope = self._cloud.scope
        if not unread or scope is None:
            return
        for name, answer in (await self._cloud.describe([one.target for one in unread.values()])).items():
            if isinstance(answer, NotFound):
                self._gone(unread[name])
            elif not isinstance(answer, CloudError):
                key = InstanceKey(scope.region, scope.project_id, unread[name].target.instance_id)
                self._take(name, Group(key, answer))

    @property
    def _unread(self) -> list[str]:
        return [name for name in self._policies if name not in self._groups and name not in self._absent]

    async def _used(self, now: datetime) -> Use:
        unknown, groups = self._unread, dict(self._groups)  # another cycle may bring more meanwhile
        operations: dict[InstanceKey, tuple[Operation, ...]] = {}
        for name, group in groups.items():
            try:
                if group.instance not in operations:
                    operations[group.instance] = await self._store.operations(group.instance, since=now - DAY - HOUR)
            except StoreError:  # told where the target itself is decided
                unknown.append(name)
        everything = [op for each in operations.values() for op in each]
        return fleet.used(groups.values(), everything, now, unknown=unknown)

    def _tell(self, settings: Fleet, use: Use) -> None:
        """The numbers each time; that the budget gets scarce once, until it no longer is."""
        self._monitor.fleet(settings, use)
        warning = fleet.budget_warning(settings, use)
        if warning is not None and not self._warned:
            self._monitor.event("warning", f"the fleet's budget gets scarce: {warning}")
        self._warned = warning is not None
