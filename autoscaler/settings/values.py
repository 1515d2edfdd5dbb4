"""The settings as the rest of the program sees them: resolved, frozen, secrets wrapped."""

import glob
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from autoscaler import errors
from autoscaler.core.announcement import Kind
from autoscaler.settings import store_url
from autoscaler.settings.keys import Ceiling, CredentialKind, DdmApi, Dialect, LogFormat, LogLevel, SourceKind
from autoscaler.yamlfile.node import Place

MASK = "***"


@dataclass(frozen=True)
class EndpointSettings:
    """Base addresses without a slash at the end; None where the region's own is meant."""

    iam: str | None = None
    ddm: str | None = None
    cloud_eye: str | None = None
    rds: str | None = None


@dataclass(frozen=True)
class CloudSettings:
    """The cloud, and who we are there. What `credentials` names is complete; `proxy` may hold a password."""

    region: str
    dialect: Dialect
    ddm_api: DdmApi
    project_id: str | None
    endpoints: EndpointSettings
    credentials: CredentialKind
    proxy: SecretStr | None
    ca_file: Path | None
    username: SecretStr | None = None
    password: SecretStr | None = None
    domain: SecretStr | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    security_token: SecretStr | None = None


@dataclass(frozen=True)
class SourceSettings:
    """One Prometheus server, and who we are to it; `proxy` may hold a password."""

    name: str
    url: str  # without a slash at the end
    proxy: SecretStr | None = None
    ca_file: Path | None = None
    token: SecretStr | None = None
    username: SecretStr | None = None
    password: SecretStr | None = None

    def by_key(self) -> dict[str, Any]:
        """By its keys; secrets, and the proxy, which may hold one, stay wrapped."""
        return {
            "type": SourceKind.PROMETHEUS.value,
            "url": self.url,
            "proxy": self.proxy,
            "ca_file": None if self.ca_file is None else str(self.ca_file),
            **{name: getattr(self, name) for name in SOURCE_SECRET_NAMES},
        }


@dataclass(frozen=True)
class WebhookSettings:
    """Somebody who is told what happens; `url` may hold a secret, and `proxy` a password."""

    name: str
    url: SecretStr
    events: tuple[Kind, ...] = tuple(Kind)
    targets: tuple[str, ...] = ("*",)
    proxy: SecretStr | None = None
    ca_file: Path | None = None
    secret: SecretStr | None = None  # there, once it is complete

    def by_key(self) -> dict[str, Any]:
        """By its keys; secrets, and addresses, which may hold one, stay wrapped."""
        return {
            "url": self.url,
            "events": [kind.value for kind in self.events],
            "targets": list(self.targets),
            "proxy": self.proxy,
            "ca_file": None if self.ca_file is None else str(self.ca_file),
            "secret": self.secret,
        }


@dataclass(frozen=True)
class PolicyPattern:
    """One entry of policy_files, and where it stands."""

    pattern: str
    place: Place


def find_policy_files(folder: Path, patterns: Iterable[PolicyPattern]) -> tuple[Path, ...]:
    """The files that the patterns match in a folder, each once, in the order of the patterns and then by name.

    Raises:
        BadConfig: a pattern matches no file.
    """
    found: dict[Path, None] = {}
    problems: list[errors.Problem] = []
    for entry in patterns:
        files = _matches(folder, entry.pattern)
        found.update(dict.fromkeys(files))
        if not files:
            message = f"{entry.pattern} matches no file; write a policy file there, or correct it"
            problems.append(entry.place.problem(message))
    if problems:
        raise errors.BadConfig(problems)
    return tuple(found)


def _matches(folder: Path, pattern: str) -> list[Path]:
    names = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns
    return [path for name in sorted(names) if (path := folder / name).is_file()]


@dataclass(frozen=True)
class Settings:
    """Everything that the process needs to know about itself."""

    file: Path  # as it was given
    cloud: CloudSettings
    store: SecretStr  # sqlite:////absolute/path, or postgresql+psycopg://…, perhaps with a password
    store_file: Path | None  # of SQLite
    listen_host: str
    listen_port: int
    hosts: tuple[str, ...]  # names, or *. and the end of names
    token: SecretStr | None
    mode_ceiling: Ceiling
    log_level: LogLevel
    log_format: LogFormat
    policy_patterns: tuple[PolicyPattern, ...]
    sources: tuple[SourceSettings, ...] = ()
    webhooks: tuple[WebhookSettings, ...] = ()
    warnings: tuple[str, ...] = ()

    def find_policy_files(self) -> tuple[Path, ...]:
        """The policy files that are there now.

        Raises:
            BadConfig: a pattern matches no file.
        """
        return find_policy_files(self.file.parent, self.policy_patterns)

    def masked(self) -> dict[str, Any]:
        """The settings by their keys, every secret replaced by `***`."""
        shown: dict[str, Any] = masked(self.by_key())
        return shown

    def by_key(self) -> dict[str, Any]:
        """The settings by their keys; secrets, and addresses that may hold one, stay wrapped."""
        cloud = self.cloud
        return {
            "cloud": {
                "region": cloud.region,
                "dialect": cloud.dialect.value,
                "ddm_api": cloud.ddm_api.value,
                "project_id": cloud.project_id,
                "endpoints": {
                    "iam": cloud.endpoints.iam,
                    "ddm": cloud.endpoints.ddm,
                    "cloud_eye": cloud.endpoints.cloud_eye,
                    "rds": cloud.endpoints.rds,
                },
                "credentials": cloud.credentials.value,
                "proxy": cloud.proxy,
                "ca_file": None if cloud.ca_file is None else str(cloud.ca_file),
                **{name: getattr(cloud, name) for name in SECRET_NAMES},
            },
            "store": self.store,
            "server": {"listen": self.listen, "hosts": list(self.hosts), "token": self.token},
            "mode_ceiling": self.mode_ceiling.value,
            "log": {"level": self.log_level.value, "format": self.log_format.value},
            "sources": {source.name: source.by_key() for source in self.sources},
            "webhooks": {webhook.name: webhook.by_key() for webhook in self.webhooks},
            "policy_files": [entry.pattern for entry in self.policy_patterns],
        }

    def secrets(self) -> tuple[str, ...]:
        """Every secret, so that the log can mask them wherever they might turn up."""
        cloud = self.cloud
        held = (cloud.password, cloud.secret_key, cloud.security_token, cloud.proxy, self.token)
        of_sources = [secret for each in self.sources for secret in (each.token, each.password, each.proxy)]
        of_webhooks = [secret for each in self.webhooks for secret in (each.secret, each.proxy, each.url)]
        return tuple(secret.get_secret_value() for secret in (*held, *of_sources, *of_webhooks) if secret is not None)

    @property
    def listen(self) -> str:
        """`HOST:PORT`, an IPv6 host in brackets."""
        host = f"[{self.listen_host}]" if ":" in self.listen_host else self.listen_host
        return f"{host}:{self.listen_port}"


SECRET_NAMES = ("username", "password", "domain", "access_key", "secret_key", "security_token")
"""Of `cloud`: never in YAML, never shown."""

SOURCE_SECRET_NAMES = ("token", "username", "password")
"""Of each of `sources`: never in YAML, never shown."""


def masked(value: Any, key: str = "") -> Any:
    """A part of `by_key`, every secret in it replaced by `***`; of an address only the password is one."""
    if isinstance(value, dict):
        return {name: masked(each, name) for name, each in value.items()}
    if isinstance(value, SecretStr) and key == "store":
        return store_url.without_password(value.get_secret_value())
    if isinstance(value, SecretStr) and key == "url":
        return without_path(value.get_secret_value())
    if isinstance(value, SecretStr):
        return _without_password(value.get_secret_value()) if key == "proxy" else MASK
    return value


def without_path(url: str) -> str:
    """Who is told, but not where exactly: of many webhooks the path is the secret."""
    parts = urlsplit(url)
    bare = parts.path in {"", "/"} and not parts.query
    return url if bare else f"{parts.scheme}://{parts.netloc}/{MASK}"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{MASK}@{host}" if "@" in parts.netloc else host))
