"""A record explained, for `explain` and the dashboard: its sentence, a table of rules and vetoes, what else holds."""

from typing import Any

from autoscaler.core import figures, sentence, standing_words

Json = dict[str, Any]
Row = tuple[str, ...]


def head(record: Json) -> str:
    """The sentence: it alone should do at night."""
    return f"{figures.moment(record['at'])} UTC  {record['target']}: {sentence.sentence(record)}."


def table(record: Json) -> list[Row]:
    """A line for each rule and veto."""
    return [(row.kind, row.name, row.outcome, row.words) for row in sentence.rows(record) if row.kind != "stage"]


def facts(record: Json, target: Json, *, newest: bool) -> list[Row]:
    """Name and words of what else holds; what is only known of now is left out for an earlier record."""
    found = [
        ("stages", sentence.path(record)),
        ("nodes", _nodes(record["nodes"])),
        ("mode", _mode(record, target, newest=newest)),
    ]
    if newest:
        found += [("cooldown", _cooldowns(target["cooldowns"])), ("limits", _limits(target))]
    found.append(("policy", target["policy"]["place"]))
    return [(name, words) for name, words in found if words]


def _nodes(nodes: Json) -> str:
    ready = "all ready" if nodes["ready"] == nodes["current"] else f"{nodes['ready']} ready"
    return f"{nodes['current']}, {ready}; min {nodes['min']}, max {nodes['max']}"


def _mode(record: Json, target: Json, *, newest: bool) -> str:
    mode, wanted = str(record.get("mode", "")), target["policy"]["mode"]
    if not newest or mode == wanted:
        return mode
    return f"{mode} (the policy says {wanted}; mode_ceiling in the configuration lowers it)"


def _cooldowns(cooldowns: Json) -> str:
    left = [f"{way} {standing_words.span(seconds)} left" for way, seconds in cooldowns.items() if seconds > 0]
    return ", ".join(left) or "none"


def _limits(target: Json) -> str:
    """How much of the day's limits is used, where there are any."""
    limits, used = target["policy"].get("limits", {}), target.get("last_day", {})
    words = [
        f"{used[key]} of {limits[limit]} {limit}"
        for limit, key in (("added_per_day", "added"), ("actions_per_day", "actions"))
        if limits.get(limit) is not None and key in used
    ]
    return f"{', '.join(words)} used in the last 24 h" if words else ""
