"""The lines that the log has of a reload: what changed, key by key, or everything that is wrong."""

from collections.abc import Iterator
from itertools import islice

from autoscaler.core import reload_words
from autoscaler.ports import Reload

MOST_LINES = 50
"""Of changes, or of problems; a fleet of a thousand targets may have one in each."""

Line = tuple[str, str, dict[str, object]]
"""Level, message, fields."""


def of(reload: Reload) -> Iterator[Line]:
    """In the order in which they are read: what happened, its parts, what somebody should look at."""
    asked: dict[str, object] = {"cause": reload.cause.value, **({"by": reload.by} if reload.by else {})}
    if not reload.obeyed:
        words = "the configuration is not valid: nothing of it is obeyed, the last good one goes on"
        yield "error", words, asked | {"problems": len(reload.problems)}
        yield from _shortened("error", map(str, reload.problems), len(reload.problems))
        return
    changes = list(reload_words.changes(reload.as_json()))
    if not (reload.added or reload.removed or changes):
        yield "info", "the configuration was read anew: nothing changed", asked
    else:
        yield "info", "the configuration was read anew", asked | _counts(reload)
        yield from _shortened("info", changes, len(changes))
    if reload.needs_restart:
        words = f"restart the daemon to have it obey what else was changed: {', '.join(reload.needs_restart)}"
        yield "warning", words, {}
    yield from (("warning", warning, {}) for warning in reload.warnings)


def _counts(reload: Reload) -> dict[str, object]:
    named = {"added": reload.added, "removed": reload.removed, "changed": tuple(reload.changed)}
    return {name: _few(targets) for name, targets in named.items() if targets}


def _few(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - MOST_LINES} more" if len(names) > MOST_LINES else ""
    return ", ".join(names[:MOST_LINES]) + more


def _shortened(level: str, lines: Iterator[str] | list[str], count: int) -> Iterator[Line]:
    yield from ((level, line, {}) for line in islice(lines, MOST_LINES))
    if count > MOST_LINES:
        yield level, f"and {count - MOST_LINES} more", {}
