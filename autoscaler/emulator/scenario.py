"""What the emulated cloud holds at its start: a strict YAML file, or the enlarge page's example."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml

from autoscaler import errors
from autoscaler.emulator import faults
from autoscaler.yamlfile import shape

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def duration(text: object) -> timedelta:
    """Read `90s`, `5m`, `1h30m`, `2d` or `0s`.

    Raises:
        ValueError: it is something else; the message says what is allowed.
    """
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise ValueError("a duration is written like 90s, 5m, 1h30m or 2d")
    return timedelta(seconds=sum(float(count) * _SECONDS[unit] for count, unit in _PART.findall(text)))


Duration = Annotated[timedelta, pydantic.BeforeValidator(duration)]
Positive = Annotated[float, pydantic.Field(gt=0)]


class _Part(pydantic.BaseModel):
    """A mapping of the scenario: frozen, and unknown keys are errors."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)


class Project(_Part):
    """The one project of the account; a sign-in may call it by any name."""

    id: str = "0123456789abcdef0123456789abcdef"
    name: str | None = None  # by default the region's


class User(_Part):
    """Who may sign in with a password."""

    name: str = "emulator"
    password: str = "emulator"  # noqa: S105 - the emulator's documented password, no secret
    domain: str = "emulator"


class AccessKey(_Part):
    """The permanent access key pair."""

    access: str = "EMULATORACCESSKEY"
    secret: str = "emulator-secret-key"  # noqa: S105 - the emulator's documented key, no secret


class Metrics(_Part):
    """How Cloud Eye behaves."""

    lag: Duration = timedelta(minutes=6)  # from the end of a minute to its point being visible
    kept_after_delete: Duration = timedelta(hours=3)
    calls_per_minute: Annotated[int, pydantic.Field(ge=1)] = 500  # batch queries, per real minute
    dimensions: Literal["node_id", "instance_id,node_id", "ddm_node_id"] = "node_id"


class Jobs(_Part):
    """How long things take."""

    enlarge: Duration = timedelta(minutes=5)
    reduce: Duration = timedelta(minutes=5)
    status_delay: Duration = timedelta(seconds=30)  # until GROWING or REDUCING, and the new nodes, can be seen
    completion_delay: Duration = timedelta()  # of the above, from nodes that serve (or are gone) to the job's end …
    serving_delay: Duration = timedelta()  # … or, after it, from the end of an enlarge to nodes that serve


class Flavor(_Part):
    """A node class on sale."""

    id: str
    code: str
    vcpus: int
    ram: int  # GB
    architecture: Literal["X86", "ARM"] = "X86"
    sold_out: tuple[str, ...] = ()  # zones


class DataNode(_Part):
    """An RDS for MySQL instance behind the middleware."""

    id: str
    name: str = "rds-test"
    status: str = "ACTIVE"
    cpu: Annotated[float, pydantic.Field(ge=0, le=100)] = 30.0  # percent


class Schema(_Part):
    """A logic database, spread over data nodes."""

    name: str = "orders"
    status: str = "RUNNING"
    data_nodes: tuple[str, ...]


class Group(_Part):
    """A node group and how it starts."""

    id: str
    name: str = "group-default"
    role: Literal["rw", "r"] = "rw"
    flavor: str  # an id of `flavors`
    nodes: Annotated[int, pydantic.Field(ge=1, le=32)] = 2
    load_share: Annotated[float, pydantic.Field(ge=0)] = 1.0  # of the scenario's load


class Instance(_Part):
    """A DDM instance and how it starts."""

    id: str
    name: str = "ddm-test"
    status: str = "RUNNING"
    prepaid: bool = False
    groups: Annotated[tuple[Group, ...], pydantic.Field(min_length=1)]
    schemas: tuple[Schema, ...] = ()


class Load(_Part):
    """The load on the groups: a recorded trace that loops, or a constant."""

    trace: str | None = None  # a shipped one, by its name without .csv
    file: Annotated[Path | None, pydantic.Field(strict=False)] = None  # `timestamp,value`, relative to the scenario
    constant: Annotated[float, pydantic.Field(ge=0)] | None = None
    begin: Annotated[datetime | None, pydantic.Field(strict=False)] = (
        None  # the moment of the trace that is played first; by default its first row
    )
    peak_nodes: Positive = 8
    utilisation_at_peak: Positive = 100  # percent, at the trace's p99 on `peak_nodes` nodes
    capacity_per_node: Positive | None = None  # load that uses a node up; told instead of the two above

    @pydantic.model_validator(mode="after")
    def _one_source(self) -> "Load":
        if sum(source is not None for source in (self.trace, self.file, self.constant)) != 1:
            raise ValueError("give exactly one of trace, file and constant")
        if self.constant is not None and self.capacity_per_node is None:
            raise ValueError("a constant load needs capacity_per_node")
        return self


class TimedFault(faults.Request):
    """A fault of the scenario; `at` is how long after the start it is armed."""

    at: Duration = timedelta(0)


_DEFAULT_FLAVOR = Flavor(id="8f2e696c-a9c1-30bd-af90-25522bc67606", code="ddm.c6.xlarge.2", vcpus=4, ram=8)
_DEFAULT_DATA_NODE = DataNode(id="c6f68fed9e74478c8679479a07d7d568in01")
_DEFAULT_INSTANCE = Instance(
    id="28e8841d0b9c4f6a9a30742ee60e1068in09",
    groups=(Group(id="f080abf2010d45118068c28c8958f5fcgr09", flavor=_DEFAULT_FLAVOR.id),),
    schemas=(Schema(data_nodes=(_DEFAULT_DATA_NODE.id,)),),
)


class Scenario(_Part):
    """Everything that may be told about the cloud; the default is the instance of the enlarge call's own page."""

    region: str = "cn-north-4"
    dialect: Literal["huawei", "otc"] = "huawei"
    seed: int = 1
    project: Project = Project()
    user: User = User()
    access_key: AccessKey = AccessKey()
    token_life: Duration = timedelta(hours=24)
    temporary_key_life: Duration = timedelta(hours=6)
    signature_tolerance: Duration = timedelta(minutes=15)
    zones: tuple[str, ...] = ()  # by default three of the region
    engine_version: str = "3.1.0.8"
    metrics: Metrics = Metrics()
    jobs: Jobs = Jobs()
    flavors: tuple[Flavor, ...] = (_DEFAULT_FLAVOR,)
    data_nodes: tuple[DataNode, ...] = (_DEFAULT_DATA_NODE,)
    instances: tuple[Instance, ...] = (_DEFAULT_INSTANCE,)
    load: Load = Load(trace="nasa_http_5min")
    faults: tuple[TimedFault, ...] = ()

    @property
    def zone_codes(self) -> tuple[str, ...]:
        """The availability zones, named as the dialect's cloud names them."""
        ends = ("a", "b", "c") if self.dialect == "huawei" else ("-01", "-02", "-03")
        return self.zones or tuple(self.region + end for end in ends)

    @pydantic.model_validator(mode="after")
    def _known_names(self) -> "Scenario":
        flavors, data_nodes = {flavor.id for flavor in self.flavors}, {node.id for node in self.data_nodes}
        for instance in self.instances:
            for group in instance.groups:
                if group.flavor not in flavors:
                    raise ValueError(f"group {group.id} has flavor {group.flavor}, which is not in flavors")
            for node in (node for schema in instance.schemas for node in schema.data_nodes):
                if node not in data_nodes:
                    raise ValueError(f"a schema of {instance.id} uses {node}, which is not in data_nodes")
        return self


def read(path: Path) -> Scenario:
    """Read a scenario file.

    Raises:
        errors.BadConfig: it cannot be read, is no YAML, or says something that means nothing; every problem at once.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=yaml.CSafeLoader) if text.strip() else None
        data = {} if tree is None else yaml.load(text, Loader=yaml.CSafeLoader)
    except OSError as error:
        raise errors.BadConfig([errors.Problem(str(path), 0, 0, "", f"cannot be read: {error.strerror}")]) from error
    except yaml.MarkedYAMLError as error:
        raise errors.BadConfig([_yaml_problem(path, error)]) from error
    problems = [_problem(path, tree, loc, f"{key} is there twice") for loc, key in _duplicates(tree, ())]
    if problems:
        raise errors.BadConfig(problems)
    return _validate(path, tree, data)


def _validate(path: Path, tree: yaml.Node | None, data: Any) -> Scenario:
    """Check what the file says, and make the load's path absolute."""
    try:
        scenario = Scenario.model_validate_json(json.dumps(data, default=str))  # JSON mode: a list may be a tuple
    except pydantic.ValidationError as error:
        found = [_problem(path, tree, item["loc"], shape.sentence(item, Scenario)) for item in error.errors()]
        raise errors.BadConfig(found) from error
    if scenario.load.file is None:
        return scenario
    absolute = scenario.load.model_copy(update={"file": path.parent / scenario.load.file})
    return scenario.model_copy(update={"load": absolute})


def _yaml_problem(path: Path, error: yaml.MarkedYAMLError) -> errors.Problem:
    mark = error.problem_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return errors.Problem(str(path), line, column, "", f"is no YAML: {error.problem or error.context}")


def _problem(path: Path, tree: yaml.Node | None, loc: tuple[int | str, ...], message: str) -> errors.Problem:
    """One complaint, with the place of the deepest part of `loc` that the file has."""
    node = tree
    for step in loc:
        below = _child(node, step)
        if below is None:
            break
        node = below
    line, column = (node.start_mark.line + 1, node.start_mark.column + 1) if node is not None else (0, 0)
    return errors.Problem(str(path), line, column, ".".join(str(step) for step in loc), message)


def _child(node: yaml.Node | None, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        found: yaml.Node = node.value[step]
        return found
    return None


def _duplicates(node: yaml.Node | None, loc: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Where a key is written twice in one mapping, which YAML's loader would pass over in silence."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield loc, key.value
            seen.add(key.value)
            yield from _duplicates(value, (*loc, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _duplicates(item, (*loc, index))
