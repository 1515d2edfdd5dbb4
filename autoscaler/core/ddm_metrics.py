"""The metrics that Cloud Eye has of each DDM node, in namespace SYS.DDMS, at one point a minute.

Source: DDM user manual, "DDM Instance Metrics" (Open Telekom Cloud) and "Supported Metrics" (Huawei Cloud). Metrics of
a whole instance are left out: they cannot be folded over the nodes of a group.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

NAMESPACE = "SYS.DDMS"
"""DDM 2.0; SYS.DDM is only for the discontinued 1.0."""


@dataclass(frozen=True)
class MetricFact:
    """What is known of one metric: its unit and the range that a node's value can have."""

    name: str
    description: str
    unit: str
    highest: Decimal | None = None  # None: no upper end; the lower end is always 0
    period: timedelta = timedelta(minutes=1)  # of the raw points

    @property
    def range(self) -> str:
        """The range as a sentence shows it."""
        return "0 or more" if self.highest is None else f"0 to {self.highest}"


_HUNDRED = Decimal(100)

_FACTS = (
    MetricFact("ddm_cpu_util", "CPU in use on a node", "%", _HUNDRED),
    MetricFact("ddm_mem_util", "memory in use on a node", "%", _HUNDRED),
    MetricFact("ddm_bytes_in", "network traffic into a node", "bytes/s"),
    MetricFact("ddm_bytes_out", "network traffic out of a node", "bytes/s"),
    MetricFact("ddm_qps", "requests that a node serves per second", "requests/s"),
    MetricFact("ddm_read_count", "reads that a node serves", "reads/s"),
    MetricFact("ddm_write_count", "writes that a node serves", "writes/s"),
    MetricFact("ddm_slow_log", "slow SQL statements on a node", "count"),
    MetricFact("ddm_rt_avg", "mean latency of SQL statements on a node", "ms"),
    MetricFact("ddm_connections", "connections to a node", "count"),
    MetricFact("ddm_active_connections", "connections of a node that execute a statement", "count"),
    MetricFact("ddm_connection_util", "connections to a node, of those it allows", "%", _HUNDRED),
    MetricFact("ddm_backend_connection_ratio", "connections of a node to data nodes, of its pool", "%", _HUNDRED),
    MetricFact("ddm_node_status_alarm_code", "0 where a node is available, 1 where it is not", "", Decimal(1)),
    MetricFact("ddm_kernel_fgc_cnt", "full garbage collections of a node per minute", "count"),
    MetricFact("ddm_rw_ratio", "reads of a node against its writes (older instances)", "%", _HUNDRED),
)

FACTS = {fact.name: fact for fact in _FACTS}
"""By name."""

CLOUD_EYE_PERIODS = tuple(timedelta(seconds=seconds) for seconds in (60, 300, 1200, 3600, 14400, 86400))
"""The periods that Cloud Eye can be asked for (Cloud Eye API reference, "Querying Monitoring Data of a Metric")."""
