"""What the daemon says about its cloud: where it is, who we are, how long to wait. Secrets are not printed."""

from dataclasses import dataclass, field
from enum import StrEnum


class Dialect(StrEnum):
    """Whose edition of the API it is."""

    HUAWEI = "huawei"  # Huawei Cloud: Cloud Eye takes 500 metrics a call
    OTC = "otc"  # Open Telekom Cloud: Cloud Eye takes 10 metrics a call, all instances are pay-per-use


class DdmApi(StrEnum):
    """Which pair of calls changes the number of nodes."""

    V2 = "v2"  # action/enlarge, action/reduce: by count
    V3 = "v3"  # nodes, nodes/batch-delete: by zone and by node id


@dataclass(frozen=True)
class Password:
    """An IAM user's sign-in."""

    username: str
    password: str = field(repr=False)
    domain: str  # the account's name


@dataclass(frozen=True)
class AccessKey:
    """A key pair that signs every request; with `security_token` a temporary one."""

    access_key: str
    secret_key: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Agency:
    """Temporary keys of the agency that the ECS (virtual machine) we run on was given."""

    metadata_url: str = "http://169.254.169.254"


Credentials = Password | AccessKey | Agency


@dataclass(frozen=True)
class Timeouts:
    """Real seconds. httpx's own read time-out is per chunk, so each call also has a total."""

    read_connect: float = 3.0
    read_total: float = 10.0  # per try
    mutation_connect: float = 5.0
    mutation_total: float = 30.0  # connecting included


@dataclass(frozen=True)
class Retries:
    """How a read that failed for a passing reason is tried again; real seconds."""

    tries: int = 3
    first_wait: float = 0.25  # doubled each time, and shortened at random (full jitter)
    longest_wait: float = 2.0
    longest_retry_after: float = 5.0  # a service that asks for more gets no second try now


@dataclass(frozen=True)
class Endpoints:
    """Base URLs, without a slash at the end; None where the region's own is meant."""

    iam: str | None = None
    ddm: str | None = None
    cloud_eye: str | None = None
    rds: str | None = None


@dataclass(frozen=True)
class Connection:
    """Everything needed to reach one project of one region."""

    region: str
    credentials: Credentials
    dialect: Dialect = Dialect.HUAWEI
    ddm_api: DdmApi | None = None  # None: v2 at huawei, v3 at otc
    project_id: str | None = None  # None: found by signing in
    endpoints: Endpoints = Endpoints()
    proxy: str | None = field(default=None, repr=False)  # may hold a password
    ca_file: str | None = None  # certificates to trust besides the public ones
    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()
