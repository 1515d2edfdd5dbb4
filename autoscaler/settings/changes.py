"""What other settings change: which keys, and which of those a running process can obey."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from autoscaler.settings.values import Settings, masked

RELOADED = ("mode_ceiling", "log", "sources", "webhooks", "policy_files")
"""Keys that hold at once where a file is changed; the others are what the process is built on."""


@dataclass(frozen=True)
class ChangedKey:
    """One key that reads otherwise; secrets are masked, so that both may look alike. None: it is not there."""

    key: str
    was: Any
    now: Any


def between(was: Settings, now_is: Settings) -> tuple[ChangedKey, ...]:
    """Every key that reads otherwise, whether or not it can be obeyed."""
    before, after = dict(_leaves(was.by_key())), dict(_leaves(now_is.by_key()))
    return tuple(
        ChangedKey(key, _shown(key, before.get(key)), _shown(key, after.get(key)))
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    )


def obeyed(started: Settings, now_is: Settings) -> Settings:
    """What holds: of what was read what can be reloaded, and else what the process was started with."""
    return replace(
        started,
        mode_ceiling=now_is.mode_ceiling,
        log_level=now_is.log_level,
        log_format=now_is.log_format,
        sources=now_is.sources,
        webhooks=now_is.webhooks,
        policy_patterns=now_is.policy_patterns,
        warnings=now_is.warnings,
    )


def needs_restart(started: Settings, now_is: Settings) -> tuple[str, ...]:
    """The keys that hold only after a restart, and read otherwise than at the start."""
    return tuple(one.key for one in between(started, now_is) if one.key.partition(".")[0] not in RELOADED)


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _shown(key: str, value: Any) -> Any:
    return masked(value, key.rpartition(".")[2])
