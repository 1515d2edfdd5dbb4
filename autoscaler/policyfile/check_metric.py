"""Whether a metric can be had: a name that Cloud Eye knows, or a query to a source that there is."""

from collections.abc import Collection, Iterator
from datetime import timedelta

from autoscaler import errors
from autoscaler.core import ddm_metrics
from autoscaler.core.policy import CLOUD_EYE
from autoscaler.policyfile import model
from autoscaler.policyfile.draft import Draft
from autoscaler.yamlfile import quantities, shape
from autoscaler.yamlfile.node import Place

SHORTEST_PERIOD, LONGEST_PERIOD = timedelta(seconds=1), timedelta(hours=24)
"""Of a query."""

_PERIODS = ", ".join(quantities.write_duration(period) for period in ddm_metrics.CLOUD_EYE_PERIODS)


def problems(
    draft: Draft,
    index: int,
    rule: model.ThresholdKeys | model.TargetTrackingKeys,
    sources: Collection[str] | None,
) -> Iterator[errors.Problem]:
    """All that makes no sense in a rule's metric; `sources` are those of the configuration, None where any may be."""
    one = _Metric(draft, index, rule.metric)
    yield from one.named() if rule.metric.source == CLOUD_EYE else one.asked(sources)


def fact(metric: model.MetricKeys) -> ddm_metrics.MetricFact | None:
    """What is known of a metric; nothing of a query."""
    return ddm_metrics.FACTS.get(metric.name or "") if metric.source == CLOUD_EYE else None


def has_period(metric: model.MetricKeys) -> bool:
    """Whether its source can be asked for values at that distance."""
    if metric.source == CLOUD_EYE:
        return metric.period in ddm_metrics.CLOUD_EYE_PERIODS
    return SHORTEST_PERIOD <= metric.period <= LONGEST_PERIOD


def periods(metric: model.MetricKeys) -> str:
    """The distances that there are, for a sentence."""
    return f"Cloud Eye; allowed: {_PERIODS}" if metric.source == CLOUD_EYE else "a query; allowed: 1s to 1d"


class _Metric:
    """A rule's metric, and where its parts stand."""

    def __init__(self, draft: Draft, index: int, keys: model.MetricKeys) -> None:
        self._draft = draft
        self._index = index
        self._keys = keys

    def named(self) -> Iterator[errors.Problem]:
        """A metric of Cloud Eye has a name that is known, and nothing that belongs to a query."""
        for key in ("query", "node_label"):
            if getattr(self._keys, key) is not None:
                yield self._place(key).problem(
                    f"{key} belongs to a prometheus source; name that in source, or give the name of a Cloud Eye metric"
                )
        name = self._keys.name
        if name is None:
            if self._keys.query is None:
                yield self._missing("name", "name of the metric in namespace SYS.DDMS, such as ddm_cpu_util")
        elif fact(self._keys) is None:
            near = shape.nearest(name, ddm_metrics.FACTS)
            allowed = "" if near else f"; known: {', '.join(ddm_metrics.FACTS)}"
            yield self._place("name").problem(
                f"{quantities.shown(name)} is not a metric of {ddm_metrics.NAMESPACE}{near}{allowed}"
            )

    def asked(self, sources: Collection[str] | None) -> Iterator[errors.Problem]:
        """A query goes to a source that there is, and has nothing that belongs to Cloud Eye."""
        source, query = self._keys.source, self._keys.query
        if sources is not None and source not in sources:
            known = sorted({CLOUD_EYE, *sources})
            yield self._place("source").problem(
                f"{quantities.shown(source)} is no metric source{shape.nearest(source, known)}; known: "
                f"{', '.join(known)}; add others under sources in the configuration"
            )
        if query is None:
            yield self._missing("query", "the query, in PromQL")
        elif not query.strip():
            yield self._place("query").problem("is empty; write a query in PromQL")
        for key in ("name", "statistic"):
            if key in self._keys.model_fields_set:
                yield self._place(key).problem(f"{key} belongs to cloud_eye; {_REMEDIES[key]}")

    def _place(self, key: str) -> Place:
        """Where a key stands, or the metric's short name."""
        found = self._draft.tree.at("rules", self._index, "metric", key)
        return self._draft.place("rules", self._index, "metric") if found is None else found.place

    def _missing(self, key: str, what: str) -> errors.Problem:
        metric = self._draft.tree.at("rules", self._index, "metric") or self._draft.tree
        return metric.key.below(key).problem(f"is missing; it says: {what}")


_REMEDIES = {"name": "write the query in query", "statistic": "take it out, a query folds its points itself"}
