"""The whole configuration, settings and policies, read and validated together: all problems at once.

`autoscaler check`, the start of the daemon and each reload read it in this one way.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from autoscaler import errors, policyfile, settings
from autoscaler.core.policy import Policy
from autoscaler.settings import files, variables


@dataclass(frozen=True)
class Configuration:
    """One that can be obeyed: the settings, all policies, and what looks odd about them."""

    settings: settings.Settings
    policies: tuple[Policy, ...]
    warnings: tuple[str, ...]


def read(
    config: Path, environ: Mapping[str, str], now: datetime, *, running: settings.Settings | None = None
) -> Configuration:
    """Read the settings and all policies; what will look odd is told as of `now`.

    A process that runs goes on with the cloud of its settings (`running`), whatever the file says: then the policies
    have to be right for that one, too.

    Raises:
        BadConfig: with all that is wrong in the settings and in the policies.
    """
    problems: list[errors.Problem] = []
    found: settings.Settings | None = None
    try:
        found = settings.load(config, environ)
    except errors.BadConfig as bad:
        problems += bad.problems
    outline = settings.outline(config, environ)
    paths = _files(config.parent, outline, problems)
    policies = _policies(paths, _kind(outline), outline, problems)
    if not problems and running is not None and _kind(running.cloud) != _kind(outline):
        _policies(paths, _kind(running.cloud), outline, problems)
    if problems or found is None:
        raise errors.BadConfig(problems)
    odd = (*found.warnings, *_idle_patterns(found, policies), *policyfile.warnings(policies, now))
    return Configuration(found, policies, odd)


def _idle_patterns(found: settings.Settings, policies: tuple[Policy, ...]) -> Iterator[str]:
    """Targets that a webhook is to be told of, and that there are not."""
    for webhook in found.webhooks:
        for pattern in webhook.targets:
            if pattern != "*" and not any(fnmatchcase(policy.name, pattern) for policy in policies):
                yield f"{found.file}: webhooks: {webhook.name}: targets: {pattern} is the name of no target"


def _policies(
    paths: tuple[Path, ...],
    kind: policyfile.CloudKind | None,
    outline: settings.Outline,
    problems: list[errors.Problem],
) -> tuple[Policy, ...]:
    try:
        return policyfile.load(paths, cloud=kind, sources=outline.sources)
    except errors.BadConfig as bad:
        problems += bad.problems
        return ()


def _kind(cloud: settings.Outline | settings.CloudSettings) -> policyfile.CloudKind | None:
    if cloud.dialect is None or cloud.ddm_api is None:
        return None
    return policyfile.CloudKind(dialect=cloud.dialect.value, ddm_api=cloud.ddm_api.value)


def _files(folder: Path, outline: settings.Outline, problems: list[errors.Problem]) -> tuple[Path, ...]:
    """The policy files of the patterns that match any; the others are problems."""
    found: list[Path] = []
    for pattern in outline.policy_patterns:
        try:
            found += settings.find_policy_files(folder, [pattern])
        except errors.BadConfig as bad:
            problems += bad.problems
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Files:
    """The files of a daemon that runs, to be watched and read anew."""

    config: Path
    environ: Mapping[str, str]
    now: Callable[[], datetime]
    _fingerprints: files.Fingerprints = field(default_factory=files.Fingerprints)

    def first(self) -> tuple[Configuration, "Origin"]:
        """What a daemon is to be started with, and what it reads anew later.

        Raises:
            BadConfig: with all that is wrong.
        """
        fingerprint = self.fingerprint()  # before: what changes while it is read is seen to change
        found = self.read()
        return found, Origin(self, found.settings, fingerprint)

    def read(self, running: settings.Settings | None = None) -> Configuration:
        """As they are now.

        Raises:
            BadConfig: with all that is wrong.
        """
        return read(self.config, self.environ, self.now(), running=running)

    def fingerprint(self) -> str:
        """Another one than before where any of them, or which of them there are, has changed."""
        return self._fingerprints.of(self._paths())

    def _paths(self) -> Iterator[Path]:
        yield self.config
        yield from _files(self.config.parent, settings.outline(self.config, self.environ), [])
        yield from variables.secret_files(self.environ)


@dataclass(frozen=True)
class Origin:
    """Where the configuration of a daemon came from."""

    files: Files
    settings: settings.Settings  # as they were at the start
    fingerprint: str  # of what was read then
