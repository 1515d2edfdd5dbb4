"""What one rule read, in words: the value, what it was compared with, and how far a step has come that waits for more.

From the rule's part of a record; one of an earlier version has no `above`, `below`, `target` and `progress`.
"""

from typing import Any

from autoscaler.core import figures

Rule = dict[str, Any]
"""An entry of a record's `rules`."""


def waits(rule: Rule) -> bool:
    """Whether its value is beyond a limit and yet nothing is wanted: a window is not filled, or does not count yet."""
    return "progress" in rule and rule["reason"] == "within_bounds"


def compared(rule: Rule) -> bool:
    """Whether the record says what the value was compared with."""
    return any(name in rule for name in ("above", "below", "target"))


def may_scale_in(rule: Rule) -> bool:
    """Whether it may want fewer: a schedule never does, nor a threshold without `in` (where the record tells)."""
    return rule["value"] is not None and ("below" in rule or "target" in rule or not compared(rule))


def words(rule: Rule, at: str) -> str:
    """`81.2 is above 75 for 2 of 5 samples`, `60 is between 30 and 75`, `81.2`."""
    if "progress" not in rule:
        return f"{figures.number(rule['value'])}{_calm(rule)}"
    return f"{figures.number(rule['value'])} is {_limit(rule)}{_how_far(rule, at)}"


def moved(rule: Rule, at: str) -> str:
    """Of a rule that wants a change: `cpu 81.2 above 75 for 5 of 5 samples`."""
    value, progress = figures.number(rule["value"]), rule["progress"]
    name = f"{rule['rule']} {value}" if _newest_is_beyond(rule) else f"{rule['rule']} (now {value})"
    if "target" in rule:
        mean = f", the mean of {progress['have']} samples" if progress["of"] > 1 else ""
        return f"{name} {_limit(rule)}{mean}"
    return f"{name} {_limit(rule)}{_how_far(rule, at)}"


def _newest_is_beyond(rule: Rule) -> bool:
    if "target" in rule or rule["value"] is None:
        return True
    out = rule["progress"]["direction"] == "out"
    return bool(rule["value"] > rule["above"] if out else rule["value"] < rule["below"])


def _limit(rule: Rule) -> str:
    """`above 75`, `below its target 60`."""
    out = rule["progress"]["direction"] == "out"
    side = "above" if out else "below"
    limit = f"its target {figures.number(rule['target'])}" if "target" in rule else figures.number(rule[side])
    return f"{side} {limit}"


def _calm(rule: Rule) -> str:
    if "target" in rule:
        return f" is within {figures.number(100 * rule['tolerance'])} % of its target {figures.number(rule['target'])}"
    above, below = rule.get("above"), rule.get("below")
    if above is None and below is None:
        return ""
    if above is None or below is None:
        return f" is not above {figures.number(above)}" if below is None else f" is not below {figures.number(below)}"
    return f" is between {figures.number(below)} and {figures.number(above)}"


def _how_far(rule: Rule, at: str) -> str:
    """How many samples hold, how many must, and which do not count."""
    progress = rule["progress"]
    since = figures.short_time(progress["counts_from"], at) if "counts_from" in progress else ""
    if since and not progress["have"] and not progress.get("half"):
        return f", but samples before the last change ({since}) do not count"
    counts = _mean(rule) if "target" in rule else _window(progress)
    cut = f"; those before the last change ({since}) do not count" if since else ""
    return counts + _left_out(progress) + cut


def _window(progress: dict[str, Any]) -> str:
    have, needed, of = progress["have"], progress["needed"], progress["of"]
    if of == 1:
        return ""
    some_suffice = have < needed < of - progress.get("missing", 0)
    return f" for {have} of {of} samples" + (f", {needed} are needed" if some_suffice else "")


def _mean(rule: Rule) -> str:
    progress = rule["progress"]
    if progress["have"] >= progress["needed"]:
        return ", yet no other number of nodes comes nearer"
    return f", but only {progress['have']} of {progress['of']} samples are there" if progress["of"] > 1 else ""


def _left_out(progress: dict[str, Any]) -> str:
    missing = progress.get("missing", 0) if progress["have"] < progress["needed"] else 0
    half = progress.get("half", 0)
    words = [f", {missing} missing"] if missing else []
    words += [f", {half} without the values of some nodes (such never scale in)"] if half else []
    return "".join(words)
