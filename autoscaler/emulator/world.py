"""The truth about the emulated cloud: what exists, what is being done, and what time makes of it."""

import hashlib
import math
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from autoscaler.emulator import faults, load, records, scenario
from autoscaler.emulator.records import JobName, JobStatus, NodeStatus

_LONG_AGO = timedelta(days=365)
_FOREVER = datetime.max.replace(tzinfo=UTC)
_BUSY_SECONDS = 600.0
_HOT = 95.0  # percent


@dataclass(frozen=True)
class Refusal(Exception):
    """The cloud says no to an operation: the HTTP status, DDM's code and a text."""

    status: int
    code: str
    message: str


@dataclass(frozen=True)
class Accepted:
    """What an operation that was taken on is known by: a job, or (prepaid) an order."""

    job_id: str | None = None
    order_id: str | None = None


@dataclass
class World:
    """All state, changed only by its methods; each is given `now`, and `advance(now)` was called before.

    The draw of what becomes of a job is `faults`' business: `_ending` asks the box.
    """

    settings: scenario.Scenario
    start: datetime
    box: faults.Box = field(default_factory=faults.Box)
    instances: dict[str, records.Instance] = field(default_factory=dict)
    data_nodes: dict[str, records.DataNode] = field(default_factory=dict)
    jobs: list[records.Job] = field(default_factory=list)
    orders: list[records.Order] = field(default_factory=list)
    nodes: dict[str, tuple[records.Group, records.Node]] = field(default_factory=dict)  # also those that are gone
    sold_out: dict[str, datetime] = field(default_factory=dict)  # zone -> until when, by a fault
    revocations: int = 0  # credentials given out before the last one are worth nothing

    def __post_init__(self) -> None:
        self.load = load.build(self.settings.load, self.start)
        self._numbers: Counter[str] = Counter()
        self._timed = sorted(self.settings.faults, key=lambda fault: fault.at)
        for wanted in self.settings.data_nodes:
            self.data_nodes[wanted.id] = records.DataNode(wanted.id, wanted.name, wanted.status, wanted.cpu)
        for instance in self.settings.instances:
            self.instances[instance.id] = self._instance(instance)
        self.advance(self.start)

    # What time does

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due by `now`, in its order."""
        while self._timed and self.start + self._timed[0].at <= now:
            fault = self._timed.pop(0)
            self._finish_jobs(self.start + fault.at)
            self.arm(fault, self.start + fault.at)
        self._finish_jobs(now)

    def arm(self, request: faults.Request, now: datetime) -> None:
        """Let a fault wait for its calls, or happen at once where it is none of a call."""
        if faults.stage(request.kind) is faults.Stage.WORLD:
            self._events()[request.kind](request, now)
        else:
            self.box.arm(request, now.timestamp())

    def _finish_jobs(self, now: datetime) -> None:
        for job in sorted(filter(_not_done, self.jobs), key=lambda job: job.ending.at or _FOREVER):
            if not job.shown and job.shows_at <= now:
                self._show(job)
            settles_at = job.ending.settles_at or job.ending.at
            if settles_at is not None and settles_at <= now and not job.settled:
                self._settle(job, settles_at)
            if job.running and job.ending.at is not None and job.ending.at <= now:
                job.status = job.ending.status
                self.instances[job.instance_id].updated_at = job.ending.at

    def _show(self, job: records.Job) -> None:
        """The status and the new nodes can be seen from now on."""
        job.shown = True
        self.instances[job.instance_id].updated_at = job.shows_at
        if job.name is JobName.ENLARGE:
            self.group(job.instance_id, job.group_id).nodes.extend(job.nodes)

    def _settle(self, job: records.Job, at: datetime) -> None:
        if not job.shown:
            self._show(job)
        job.settled = True
        group = self.group(job.instance_id, job.group_id)
        if job.name is JobName.ENLARGE:
            self._add(group, job, at)
        elif job.ending.status is JobStatus.COMPLETED:
            self._remove(group, job.nodes, at)

    def _add(self, group: records.Group, job: records.Job, at: datetime) -> None:
        """The nodes that arrived serve; the others stay as failed ones, or (a job that just failed) are gone."""
        for node in job.nodes[: job.ending.arriving]:
            node.status, node.ready_at = NodeStatus.NORMAL, at
        rest = job.nodes[job.ending.arriving :]
        if job.ending.fail_reason == _FAILED_PLAINLY:
            group.nodes = [node for node in group.nodes if node not in rest]
        else:
            for node in rest:
                node.status = NodeStatus.ENLARGEFAIL

    def _remove(self, group: records.Group, nodes: list[records.Node], at: datetime) -> None:
        for node in nodes:
            group.nodes.remove(node)
            node.deleted_at = at
            group.gone.append(node)

    # What can be asked

    def instance(self, instance_id: str) -> records.Instance:
        """The instance.

        Raises:
            Refusal: there is none of that id (404; DDM API reference, appendix: Status Codes).
        """
        if instance_id not in self.instances:
            raise Refusal(404, "DBS.200001", "The DB instance does not exist.")
        return self.instances[instance_id]

    def group(self, instance_id: str, group_id: str) -> records.Group:
        """The group of the instance.

        Raises:
            Refusal: there is none of that id.
        """
        for group in self.instance(instance_id).groups:
            if group.id == group_id:
                return group
        raise Refusal(400, "DBS.280001", "Parameter error.")

    def running_job(self, instance_id: str) -> records.Job | None:
        """The job that keeps the instance busy, whether its status shows it yet or not."""
        return next((job for job in self.jobs if job.running and job.instance_id == instance_id), None)

    def status(self, instance: records.Instance) -> str:
        """The instance's status as it shows: GROWING and REDUCING come late.

        DDM API reference, appendix: Status Description.
        """
        job = self.running_job(instance.id)
        if job is None or not job.shown:
            return instance.base_status
        return "GROWING" if job.name is JobName.ENLARGE else "REDUCING"

    def flavor(self, flavor_id: str) -> scenario.Flavor:
        """The node class."""
        return next(flavor for flavor in self.settings.flavors if flavor.id == flavor_id)

    def on_sale(self, flavor: scenario.Flavor, zone: str, now: datetime) -> bool:
        """Whether a node of the class can be had in the zone."""
        return zone not in flavor.sold_out and self.sold_out.get(zone, now) <= now

    # What can be done

    def enlarge(
        self, instance_id: str, group_id: str | None, zones: tuple[str, ...], *, auto_pay: bool, now: datetime
    ) -> Accepted:
        """Take on the adding of one node per zone.

        Raises:
            Refusal: busy, too many nodes, a data node that is not available, no such group.
        """
        instance = self.instance(instance_id)
        group = self.chosen_group(instance, group_id)
        self._check_free(instance, now)
        if not zones or len(instance.nodes) + len(zones) > records.MAX_NODES:
            raise Refusal(400, "DBS.280001", "Parameter error.")
        if not instance.prepaid:
            return Accepted(job_id=self._start_enlarge(instance, group, zones, now=now).id)
        order = records.Order(self.new_id("order").replace("-", "").upper()[:14], instance.id, group.id, zones)
        if auto_pay:
            self._start_enlarge(instance, group, zones, now=now)
        else:
            self.orders.append(order)
        return Accepted(order_id=order.id)

    def reduce_by(self, instance_id: str, group_id: str | None, count: int, now: datetime) -> Accepted:
        """Take on the removing of the newest `count` nodes (which ones the cloud picks is not documented).

        Raises:
            Refusal: busy, prepaid, nobody would be left, a data node that is not available, no such group.
        """
        instance = self.instance(instance_id)
        group = self.chosen_group(instance, group_id)
        if count < 1 or count >= len(group.nodes):
            raise Refusal(400, "DBS.280001", "Parameter error.")
        return self._start_reduce(instance, group, group.nodes[-count:], now)

    def reduce_nodes(self, instance_id: str, node_ids: tuple[str, ...], now: datetime) -> Accepted:
        """Take on the removing of exactly these nodes, all of one group, which keeps at least one.

        Raises:
            Refusal: busy, prepaid, nobody would be left, unknown or mixed nodes, a data node that is not available.
        """
        instance = self.instance(instance_id)
        for group in instance.groups:
            nodes = [node for node in group.nodes if node.id in node_ids]
            if nodes and len(nodes) == len(set(node_ids)) and len(nodes) < len(group.nodes):
                return self._start_reduce(instance, group, nodes, now)
        raise Refusal(400, "DBS.280001", "Parameter error.")

    def new_id(self, kind: str) -> str:
        """The next identifier of its kind, a UUID that depends on the seed alone."""
        self._numbers[kind] += 1
        text = f"{self.settings.seed}/{kind}/{self._numbers[kind]}"
        return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))

    # How it is done

    def chosen_group(self, instance: records.Instance, group_id: str | None) -> records.Group:
        """The group meant; `group_id` is needed where there is more than one.

        Raises:
            Refusal: it is missing or unknown (DDM API reference: Scaling Out a DDM Instance).
        """
        if group_id is None and len(instance.groups) == 1:
            return instance.groups[0]
        if group_id is None:
            raise Refusal(400, "DBS.280001", "Parameter error.")
        return self.group(instance.id, group_id)

    def _check_free(self, instance: records.Instance, now: datetime) -> None:
        """No other operation may run, and all associated data nodes must be available (the same page, Constraints)."""
        if self.running_job(instance.id) or instance.base_status != "RUNNING":
            raise Refusal(409, "DBS.200019", "Another operation is being performed on the DB instance.")
        used = {node for schema in instance.schemas for node in schema.data_nodes}
        if any(self.data_nodes[node].status_at(now) != "ACTIVE" for node in used):
            raise Refusal(
                400, "DBS.300323", "The associated RDS instance is unavailable or does not allow the operation."
            )

    def _start_enlarge(
        self,
        instance: records.Instance,
        group: records.Group,
        zones: tuple[str, ...],
        *,
        now: datetime,
        foreign: bool = False,
    ) -> records.Job:
        nodes = [self._node(group, zone, NodeStatus.CREATING) for zone in zones]
        ending = self._ending(JobName.ENLARGE, len(nodes), now, foreign=foreign)
        flavor = self.flavor(group.flavor_id)
        if ending.status is JobStatus.COMPLETED and not all(self.on_sale(flavor, zone, now) for zone in zones):
            ending = records.Ending(ending.at, JobStatus.FAILED, 0, "The underlying resources are insufficient.")
        return self._start(JobName.ENLARGE, instance, group, nodes, ending, now)

    def _start_reduce(
        self, instance: records.Instance, group: records.Group, nodes: list[records.Node], now: datetime
    ) -> Accepted:
        self._check_free(instance, now)
        if instance.prepaid:  # DDM API reference (zh): yearly/monthly instances do not support this operation
            raise Refusal(400, "DBS.300360", "The associated instance does not support this operation.")
        ending = self._ending(JobName.REDUCE, 0, now, foreign=False)
        return Accepted(job_id=self._start(JobName.REDUCE, instance, group, nodes, ending, now).id)

    def _start(
        self,
        name: JobName,
        instance: records.Instance,
        group: records.Group,
        nodes: list[records.Node],
        ending: records.Ending,
        now: datetime,
    ) -> records.Job:
        job_id, shows_at = self.new_id("job"), now + self.settings.jobs.status_delay
        job = records.Job(job_id, name, instance.id, group.id, now, shows_at, ending, nodes)
        self.jobs.append(job)
        self._finish_jobs(now)
        return job

    def _ending(self, name: JobName, count: int, now: datetime, *, foreign: bool) -> records.Ending:
        """What will become of a job that starts now; a fault that waits for such a job is used up by it."""
        enlarges = name is JobName.ENLARGE
        at = now + (self.settings.jobs.enlarge if enlarges else self.settings.jobs.reduce)
        fault = None if foreign else self.box.take(faults.Stage.JOB, "ddm", "enlarge" if enlarges else "reduce")
        match fault and fault.request.kind:
            case faults.Kind.FAILED_JOB:
                return records.Ending(at, JobStatus.FAILED, 0, _FAILED_PLAINLY)
            case faults.Kind.ENLARGEFAIL:
                arriving = min(fault.request.nodes or 0, count - 1) if fault else 0
                return records.Ending(at, JobStatus.FAILED, arriving, "The node could not be added.")
            case faults.Kind.JOB_NEVER_ENDS:
                return records.Ending(None, JobStatus.RUNNING, 0)
        early, late = self.settings.jobs.completion_delay, self.settings.jobs.serving_delay if enlarges else timedelta()
        return records.Ending(at, JobStatus.COMPLETED, count, settles_at=max(now, at - early + late))

    # What happens without a call

    def _events(self) -> dict[faults.Kind, Callable[[faults.Request, datetime], None]]:
        return {
            faults.Kind.TOKEN_REVOKED: self._revoke,
            faults.Kind.SOLD_OUT: self._sell_out,
            faults.Kind.DATA_NODE_BUSY: self._busy_data_nodes,
            faults.Kind.DATA_NODE_HOT: self._heat_data_nodes,
            faults.Kind.FOREIGN_SCALE_OUT: self._foreign_out,
            faults.Kind.FOREIGN_SCALE_IN: self._foreign_in,
            faults.Kind.ORDERS_PAID: self._pay,
        }

    def _revoke(self, _request: faults.Request, _now: datetime) -> None:
        self.revocations += 1

    def _sell_out(self, request: faults.Request, now: datetime) -> None:
        until = now + timedelta(seconds=request.seconds) if request.seconds else _FOREVER
        for zone in (request.zone,) if request.zone else self.settings.zone_codes:
            self.sold_out[zone] = until

    def _busy_data_nodes(self, request: faults.Request, now: datetime) -> None:
        for node in self.data_nodes.values():
            node.busy_until = now + timedelta(seconds=request.seconds or _BUSY_SECONDS)

    def _heat_data_nodes(self, request: faults.Request, now: datetime) -> None:
        until = now + timedelta(seconds=request.seconds or _BUSY_SECONDS)
        for node in self.data_nodes.values():
            node.hot.append((now, until, _HOT if request.cpu is None else request.cpu))

    def _foreign_out(self, request: faults.Request, now: datetime) -> None:
        instance, group = self._foreign_group(request)
        zones = self.spread(group, 1 if request.nodes is None else request.nodes)
        self._start_enlarge(instance, group, zones, now=now, foreign=True)

    def _foreign_in(self, request: faults.Request, now: datetime) -> None:
        instance, group = self._foreign_group(request)
        count = 1 if request.nodes is None else request.nodes
        if count >= len(group.nodes):  # as to us: a group keeps at least one
            raise Refusal(400, "DBS.280001", "Parameter error.")
        nodes = group.nodes[len(group.nodes) - count :]
        ending = self._ending(JobName.REDUCE, 0, now, foreign=True)
        self._start(JobName.REDUCE, instance, group, nodes, ending, now)

    def _foreign_group(self, request: faults.Request) -> tuple[records.Instance, records.Group]:
        """Where somebody else acts.

        Raises:
            Refusal: no such group, or its instance is busy.
        """
        for instance in self.instances.values():
            for group in instance.groups:
                if request.group in (None, group.id):
                    if self.running_job(instance.id):
                        raise Refusal(409, "DBS.200019", "Another operation is being performed on the DB instance.")
                    return instance, group
        raise Refusal(400, "DBS.280001", f"There is no group {request.group}.")

    def _pay(self, _request: faults.Request, now: datetime) -> None:
        waiting, self.orders = self.orders, []
        for order in waiting:
            instance = self.instances[order.instance_id]
            self._start_enlarge(instance, self.group(instance.id, order.group_id), order.zones, now=now)

    # How things are made

    def spread(self, group: records.Group, count: int) -> tuple[str, ...]:
        """Zones for new nodes, those with the fewest nodes of the group first."""
        used = Counter(dict.fromkeys(self.settings.zone_codes, 0))
        used.update(node.zone for node in group.nodes)
        chosen = []
        for _ in range(count):
            zone = min(self.settings.zone_codes, key=lambda zone: used[zone])
            used[zone] += 1
            chosen.append(zone)
        return tuple(chosen)

    def _instance(self, wanted: scenario.Instance) -> records.Instance:
        born = self.start - _LONG_AGO
        order = self.new_id("order").replace("-", "").upper()[:14] if wanted.prepaid else ""
        groups = [self._group(wanted.id, group, born) for group in wanted.groups]
        return records.Instance(wanted.id, wanted.name, wanted.status, order, born, born, groups, wanted.schemas)

    def _group(self, instance_id: str, wanted: scenario.Group, born: datetime) -> records.Group:
        group = records.Group(wanted.id, instance_id, wanted.name, wanted.role, wanted.flavor, wanted.load_share)
        for zone in self.spread(group, wanted.nodes):
            node = self._node(group, zone, NodeStatus.NORMAL)
            node.ready_at = born
            group.nodes.append(node)
        return group

    def _node(self, group: records.Group, zone: str, status: NodeStatus) -> records.Node:
        """A new node; its load is up to 2 % off its group's mean."""
        digest = hashlib.sha256(f"{self.settings.seed}/{self.new_id('node')}".encode()).hexdigest()
        number = self._numbers["node"]
        factor = 1 + 0.02 * math.sin(int(digest[:8], 16))
        ip = f"192.168.{number // 250}.{number % 250 + 2}"
        node = records.Node(digest[:32] + "no09", f"{group.name}_node_{number:02}", zone, ip, factor, status)
        self.nodes[node.id] = (group, node)
        return node


_FAILED_PLAINLY = "The task failed."


def _not_done(job: records.Job) -> bool:
    return job.running or not job.settled
