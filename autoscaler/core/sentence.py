"""A decision record in words: one sentence first, then rows for a table; from its JSON alone, as it was stored.

Used by `explain`, the page and the log, so that all three say the same. A record may come from another version: a
reason that is not known here is said as it is written.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autoscaler.core import figures, reading
from autoscaler.core.decision import Reason

Record = dict[str, Any]
"""`Decision.as_json()`, perhaps of an earlier version."""

_MOVES: dict[str, str] = {
    Reason.ABOVE_THRESHOLD: "{rule} was {value}, above its threshold",
    Reason.BELOW_THRESHOLD: "{rule} was {value}, below its threshold",
    Reason.ABOVE_TARGET: "{rule} was {value}, above its target",
    Reason.BELOW_TARGET: "{rule} was {value}, below its target",
    Reason.SCHEDULE: "the schedule {rule} is open and wants at least as many",
    Reason.OVERRIDE: "it was set by hand",
    Reason.BELOW_MIN: "there were fewer nodes than min, which is {min}",
    Reason.ABOVE_MAX: "there were more nodes than max, which is {max}",
    Reason.FOREIGN: "somebody else did it",
    Reason.NO_DATA: "{rule} has brought no data for too long, and its policy says out",
}
"""Why something moves, or would."""

_STILL: dict[str, str] = {
    Reason.WITHIN_BOUNDS: "no rule wants a change",
    Reason.NO_DATA: "{rule} has no data, and missing is never taken for zero",
    Reason.STALE_DATA: "the newest data of {rule} is too old",
}
"""Why nothing is wanted."""

_STOPS: dict[str, str] = {
    Reason.STABILIZING: "a higher wish is too recent to scale in",
    Reason.DAILY_LIMIT: "the limit of the last 24 hours is used up",
    Reason.AT_MAX: "no more than {max} may be had (max, or the instance's 32)",
    Reason.AT_MIN: "min is {min}",
    Reason.PAUSED: "it is paused",
    Reason.UNKNOWN_OUTCOME: "the outcome of an operation is not known",
    Reason.IN_PROGRESS: "an operation or job is under way",
    Reason.BREAKER_OPEN: "too many operations in a row have failed",
    Reason.NOT_READY: "the instance or a node is not ready",
    Reason.COOLDOWN: "a cooldown is running",
    Reason.DIRECTION_LOCKED: "the mode is out_only",
    Reason.NO_SCALE_IN: "the cloud does not scale in prepaid instances",
    Reason.PAYMENT_REQUIRED: "an order of a prepaid instance would wait for somebody to pay it",
    Reason.BLACKOUT: "a blackout is on",
    Reason.FLEET_LIMIT: "all targets together have, or have lately added, as many nodes as they may",
    Reason.BUDGET: "all targets together have used their node-hours of the last 24 hours",
    Reason.DATA_NODE_BOTTLENECK: "a data node is at its limit: more DDM nodes cannot help",
    Reason.DATA_NODE_BUSY: "a data node is not available",
    Reason.SOLD_OUT: "the flavor is sold out",
    Reason.NOT_LEADER: "another daemon leads, this one stands by",
    Reason.OBSERVE_ONLY: "the mode is observe",
}
"""What stood in the way of a change."""

KNOWN = frozenset({*_MOVES, *_STILL, *_STOPS})
"""Every reason that has words of its own."""


@dataclass(frozen=True)
class Row:
    """One line of the table under the sentence."""

    kind: str  # rule, stage, veto
    name: str
    outcome: str  # what it wanted, or left
    words: str  # why


def sentence(record: Record) -> str:
    """What was decided and why, without a full stop: `held at 3 nodes: cpu wants 4, but cooldown until 10:17 UTC`."""
    return f"{headline(record)}: {_why(record)}"


def headline(record: Record) -> str:
    """Only what was decided: `out from 3 to 4 nodes`, `held at 3 nodes`."""
    current = record["nodes"]["current"]
    if record["decision"] == "hold":
        return f"held at {figures.nodes(current)}"
    return f"scaling {record['decision']} from {current} to {figures.nodes(record['desired'])}"


def rows(record: Record) -> tuple[Row, ...]:
    """Every rule, stage and veto of the record, in its order."""
    return (
        *(_rule_row(record, rule) for rule in record["rules"]),
        *(_stage_row(record, stage) for stage in record["stages"]),
        *(Row("veto", veto, "hold", _stop(record, veto)) for veto in record["vetoes"]),
        *_budget_row(record),
    )


def path(record: Record) -> str:
    """What every stage left, a reason where it changed: `3 nodes → combine 6 (cpu) → … → guards 3 (cooldown)`."""
    before, words = record["nodes"]["current"], [figures.nodes(record["nodes"]["current"])]
    for stage in record["stages"]:
        because = _because(record, stage) if stage["desired"] != before else ""
        words.append(f"{stage['stage']} {stage['desired']}" + (f" ({because})" if because else ""))
        before = stage["desired"]
    return " → ".join(words)


def _budget_row(record: Record) -> tuple[Row, ...]:
    """A warning, where the budget is told of and vetoes nothing."""
    warned = Reason.BUDGET in record.get("details", {}) and Reason.BUDGET not in record["vetoes"]
    return (Row("warning", Reason.BUDGET.value, "scarce", _stop(record, Reason.BUDGET)),) if warned else ()


def _why(record: Record) -> str:
    reason = record["reason"]
    if reason == Reason.OVERRIDE:
        return _by_hand(record)
    if record["decision"] != "hold":
        return _moved(record) or _say(_MOVES, reason, record)
    if reason == Reason.WITHIN_BOUNDS and "wanted_reason" not in record:
        return _kept(record) or _waiting(record) or _disagreed(record) or _say(_STILL, reason, record) + _calm(record)
    if reason in _STILL and "wanted_reason" not in record:
        return _say(_STILL, reason, record) + _readings(record)
    return f"{_wish(record)}, but {_stop(record, reason)}"


def _moved(record: Record) -> str | None:
    """What the rule that moves it read; None where no metric does, or an earlier version did not record it."""
    rule = _speaker(record)
    if rule is None or "progress" not in rule or rule["reason"] != record["reason"]:
        return None
    return reading.moved(rule, record["at"])


def _waiting(record: Record) -> str | None:
    """Rules whose value is beyond a limit, for too few samples yet; then what the others read."""
    waiting = [rule for rule in _heard(record) if reading.waits(rule)]
    if not waiting:
        return None
    others = [rule for rule in record["rules"] if rule not in waiting]
    said = [f"{rule['rule']} {reading.words(rule, record['at'])}" for rule in waiting]
    return "; ".join(said) + _readings(record | {"rules": others})


def _disagreed(record: Record) -> str | None:
    """A scale-in that not every rule wants."""
    ready = record["nodes"]["ready"]
    fewer = [rule for rule in _heard(record) if rule["wants"] < ready]
    others = [rule for rule in _heard(record) if rule["wants"] >= ready and reading.may_scale_in(rule)]
    if not fewer or not others:
        return None
    first = fewer[0]
    stay = ", ".join(f"{rule['rule']} {reading.words(rule, record['at'])}" for rule in others)
    return f"{first['rule']} ({figures.number(first['value'])}) wants {first['wants']}, but not every rule does: {stay}"


def _heard(record: Record) -> list[Record]:
    return [rule for rule in record["rules"] if not rule.get("observe")]


def _calm(record: Record) -> str:
    """What the rules read; where the record tells, also between what."""
    read = [rule for rule in record["rules"] if rule["value"] is not None]
    if not all(map(reading.compared, read)):
        return _readings(record)
    known = [f"{rule['rule']} {reading.words(rule, record['at'])}" for rule in read]
    return f" ({', '.join(known)})" if known else ""


def _kept(record: Record) -> str | None:
    """Who wants exactly what is there: an override, or a schedule over rules that wanted fewer."""
    name = (_stage(record, "combine") or {}).get("because", "")
    if name == Reason.OVERRIDE:
        return _by_hand(record)
    rule = _rule(record, name)
    if rule is None or rule["value"] is not None:
        return None
    return f"the schedule {name} wants no fewer" + _readings(record)


def _by_hand(record: Record, short: str = "it was set by hand") -> str:
    """`6 nodes set by hand by ann until 13:00 UTC: a sale`."""
    detail = record.get("details", {}).get(Reason.OVERRIDE)
    return short if detail is None else figures.short_times(detail, record["at"]).rstrip(".")


def _wish(record: Record) -> str:
    """`cpu wants 4 (81.2)`: who wanted what before anything else had a say."""
    combined = _stage(record, "combine")
    if combined is None:
        return "a change is wanted"
    name, wants = combined.get("because", ""), combined["desired"]
    rule = _rule(record, name)
    if rule is not None:
        value = "" if rule["value"] is None else f" ({figures.number(rule['value'])})"
        return f"{name}{value} wants {wants}"
    if name == Reason.OVERRIDE:
        return _by_hand(record, f"{figures.nodes(wants)} were set by hand")
    return f"{name} is {record['nodes'][name]}" if name in ("min", "max") else f"{figures.nodes(wants)} would be wanted"


def _stop(record: Record, reason: str) -> str:
    detail = record.get("details", {}).get(reason)
    if detail is None:
        return _say(_STOPS, reason, record)
    words = figures.short_times(detail, record["at"]).rstrip(".")
    return f"cooldown {words}" if reason == Reason.COOLDOWN else words


def _say(words: dict[str, str], reason: str, record: Record) -> str:
    rule = _speaker(record)
    return words.get(reason, reason.replace("_", " ")).format(
        rule=rule["rule"] if rule else "the metric",
        value=figures.number(rule["value"]) if rule else "—",
        min=record["nodes"]["min"],
        max=record["nodes"]["max"],
    )


def _speaker(record: Record) -> Record | None:
    """The rule that gave the reason: the one named by combine, else the first with that reason."""
    combined = _stage(record, "combine")
    named = _rule(record, combined.get("because", "")) if combined else None
    same = (rule for rule in record["rules"] if rule["reason"] == record["reason"])
    return named or next(same, None)


def _readings(record: Record) -> str:
    known = [f"{rule['rule']} {figures.number(rule['value'])}" for rule in record["rules"] if rule["value"] is not None]
    return f" ({', '.join(known)})" if known else ""


def _rule_row(record: Record, rule: Record) -> Row:
    words = [_read(record, rule)] if reading.compared(rule) else [str(rule["reason"]).replace("_", " ")]
    if rule["as_of"] is not None:
        value = "" if reading.compared(rule) else f"{figures.number(rule['value'])} "
        words.append(f"{value}as of {figures.short_time(rule['as_of'], record['at'])}")
    if not reading.compared(rule) and (rule["samples"] or rule["reason"] in (Reason.NO_DATA, Reason.STALE_DATA)):
        words.append(figures.counted(rule["samples"], "sample"))  # a schedule looks at none
    if rule.get("warming"):
        words.append(f"{figures.nodes(rule['warming'])} warming up")
    if rule.get("observe"):
        words.append("observed only, without a say")
    return Row("rule", rule["rule"], f"wants {rule['wants']}", ", ".join(words))


def _read(record: Record, rule: Record) -> str:
    """Beyond what it is, and for how long; of a rule that moves it without its name."""
    if reading.waits(rule) or "progress" not in rule:
        return reading.words(rule, record["at"])
    return reading.moved(rule, record["at"]).removeprefix(f"{rule['rule']} ")


def _stage_row(record: Record, stage: Record) -> Row:
    return Row("stage", stage["stage"], str(stage["desired"]), _because(record, stage))


def _because(record: Record, stage: Record) -> str:
    because = str(stage.get("because", ""))
    return because if _rule(record, because) else because.replace("_", " ")


def _stage(record: Record, name: str) -> Record | None:
    return _first(record["stages"], lambda stage: stage["stage"] == name)


def _rule(record: Record, name: str) -> Record | None:
    return _first(record["rules"], lambda rule: rule["rule"] == name)


def _first(entries: list[Record], wanted: Callable[[Record], bool]) -> Record | None:
    return next((entry for entry in entries if wanted(entry)), None)
