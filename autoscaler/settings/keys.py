"""The keys of autoscaler.yaml, as pydantic-settings validates them and as the JSON Schema describes them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

from autoscaler.core.announcement import Kind
from autoscaler.settings import written
from autoscaler.yamlfile import shape

USUAL_POLICY_FILES = "policies/*.yaml"


class Dialect(StrEnum):
    """Whose edition of the API the cloud speaks."""

    HUAWEI = "huawei"  # Huawei Cloud
    OTC = "otc"  # Open Telekom Cloud, T Cloud Public


class DdmApi(StrEnum):
    """Which pair of calls changes the number of nodes."""

    V2 = "v2"  # action/enlarge, action/reduce: by count
    V3 = "v3"  # nodes, nodes/batch-delete: by zone and by node id


class CredentialKind(StrEnum):
    """How we sign in."""

    PASSWORD = "password"  # noqa: S105 - the word, not one; an IAM user's name, password and domain
    ACCESS_KEY = "access_key"  # a key pair that signs every request
    AGENCY = "agency"  # temporary keys of the virtual machine we run on


class Ceiling(StrEnum):
    """The most that any target may do, whatever its policy says."""

    ENFORCE = "enforce"  # what the policies say
    OBSERVE = "observe"  # nothing acts


class LogLevel(StrEnum):
    """The least important line that is logged."""

    DEBUG = "debug"  # every call
    INFO = "info"  # a line a cycle, and what changed
    WARNING = "warning"  # what somebody should look at
    ERROR = "error"  # what does not work


class LogFormat(StrEnum):
    """How a log line looks."""

    JSON = "json"  # an object a line
    TEXT = "text"  # for people


Text = Annotated[str, StringConstraints(min_length=1)]


class EndpointKeys(shape.Keys):
    """Base addresses of the services, where they are not the region's own."""

    iam: written.EndpointUrl | None = Field(None, description="base address of IAM, where we sign in")
    ddm: written.EndpointUrl | None = Field(None, description="base address of DDM")
    cloud_eye: written.EndpointUrl | None = Field(None, description="base address of Cloud Eye, which has the metrics")
    rds: written.EndpointUrl | None = Field(None, description="base address of RDS, which has the data nodes")


class CloudKeys(shape.Keys):
    """The cloud, and who we are there."""

    secrets: ClassVar[frozenset[str]] = frozenset(
        {"username", "password", "domain", "access_key", "secret_key", "security_token", "proxy"}
    )

    region: written.Region = Field(description="code of the region, such as eu-de or cn-north-4")
    dialect: Dialect = Field(
        Dialect.HUAWEI, description="huawei, or otc for Open Telekom Cloud: endpoints and batch sizes follow from it"
    )
    ddm_api: DdmApi | None = Field(
        None, description="v2 (action/enlarge, action/reduce) or v3 (nodes); default v2 at huawei, v3 at otc"
    )
    project_id: written.ProjectId | None = Field(
        None, description="id of the project; needed only where the sign-in does not tell it"
    )
    endpoints: EndpointKeys = Field(
        default_factory=EndpointKeys, description="base addresses of services, where they are not the region's own"
    )
    credentials: CredentialKind = Field(
        CredentialKind.PASSWORD, description="how we sign in: password, access_key or agency"
    )
    proxy: written.ProxyUrl | None = Field(
        None, description="HTTP proxy for all calls; with a password in it only by AUTOSCALER_CLOUD__PROXY", repr=False
    )
    ca_file: Text | None = Field(None, description="PEM file of the authorities to trust instead of the system's")
    username: SecretStr | None = Field(None, description="password: the IAM user's name")
    password: SecretStr | None = Field(None, description="password: the IAM user's password")
    domain: SecretStr | None = Field(None, description="password: the account's name")
    access_key: SecretStr | None = Field(None, description="access_key: the access key id")
    secret_key: SecretStr | None = Field(None, description="access_key: the secret access key")
    security_token: SecretStr | None = Field(None, description="access_key: the token of a temporary key pair")


class ServerKeys(shape.Keys):
    """Our own HTTP side."""

    secrets: ClassVar[frozenset[str]] = frozenset({"token"})

    listen: written.ListenAddress = Field(
        "127.0.0.1:9178", description="HOST:PORT of metrics, API and page; port 0 is any free one"
    )
    hosts: tuple[written.HostName, ...] = Field(
        (),
        description="names under which it is asked, besides the usual ones; *.example.com is every name below that",
    )
    token: SecretStr | None = Field(None, description="lets callers change things; without it nobody can")


class LogKeys(shape.Keys):
    """The log, on stderr."""

    level: LogLevel = Field(LogLevel.INFO, description="debug, info, warning or error")
    format: LogFormat = Field(LogFormat.JSON, description="json (an object a line) or text")


class SourceKind(StrEnum):
    """What a metric source is."""

    PROMETHEUS = "prometheus"  # a server with the HTTP API of Prometheus, asked in PromQL


class SourceKeys(shape.Keys):
    """A metric source."""

    secrets: ClassVar[frozenset[str]] = frozenset({"token", "username", "password", "proxy"})

    type: SourceKind = Field(description="prometheus: a server with the HTTP API of Prometheus")
    url: written.SourceUrl = Field(description="its address, with the path that it is behind, if any")
    proxy: written.ProxyUrl | None = Field(
        None,
        description="HTTP proxy for its calls; with a password in it only by AUTOSCALER_SOURCES__NAME__PROXY",
        repr=False,
    )
    ca_file: Text | None = Field(None, description="PEM file of authorities to trust besides the public ones")
    token: SecretStr | None = Field(None, description="bearer token that it wants")
    username: SecretStr | None = Field(None, description="name that it wants (basic authentication), with password")
    password: SecretStr | None = Field(None, description="password that it wants (basic authentication)")


class WebhookKeys(shape.Keys):
    """Somebody who is told what happens."""

    secrets: ClassVar[frozenset[str]] = frozenset({"url", "secret", "proxy"})

    url: written.WebhookUrl = Field(
        description="where events are posted to; where it holds a secret itself, by AUTOSCALER_WEBHOOKS__NAME__URL",
        repr=False,
    )
    events: tuple[Kind, ...] = Field(tuple(Kind), min_length=1, description="what is told; by itself everything")
    targets: tuple[Text, ...] = Field(
        ("*",), min_length=1, description="of which targets, by name or pattern; by itself of all"
    )
    proxy: written.ProxyUrl | None = Field(
        None,
        description="HTTP proxy for its calls; with a password in it only by AUTOSCALER_WEBHOOKS__NAME__PROXY",
        repr=False,
    )
    ca_file: Text | None = Field(None, description="PEM file of authorities to trust besides the public ones")
    secret: SecretStr | None = Field(None, description="signs what is sent; required")


class ConfigKeys(BaseSettings, shape.Keys):
    """The process's own configuration of the DDM autoscaler."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    refused: ClassVar[Mapping[str, str]] = {
        "fleet": "belongs to a policy file, at its top",
        "targets": "belongs to a policy file; name that file in policy_files",
        "defaults": "belongs to a policy file; name that file in policy_files",
    }

    cloud: CloudKeys = Field(description="the cloud, and who we are there")
    store: written.StoreUrl = Field(
        "sqlite:///state/autoscaler.db",
        description="where operations and decisions are kept: a SQLite file, of one process, or a PostgreSQL database; "
        "with a password in it only by AUTOSCALER_STORE",
        repr=False,
    )
    server: ServerKeys = Field(default_factory=ServerKeys, description="our own HTTP side")
    mode_ceiling: Ceiling = Field(
        Ceiling.ENFORCE, description="enforce, or observe: nothing acts, whatever the policies say"
    )
    log: LogKeys = Field(default_factory=LogKeys, description="the log, on stderr")
    sources: dict[written.SourceName, SourceKeys] = Field(
        {}, description="where metrics come from besides cloud_eye, which is always there, by the names for policies"
    )
    webhooks: dict[written.WebhookName, WebhookKeys] = Field(
        {}, description="who is told what happens: a list, each with its name"
    )
    policy_files: tuple[Text, ...] = Field(
        (USUAL_POLICY_FILES,), min_length=1, description="policy files, by name or pattern, relative to this file"
    )
