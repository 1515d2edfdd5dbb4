import pytest

from autoscaler.core.ddm_metrics import CLOUD_EYE_PERIODS, FACTS
from tests.core.given import MINUTE


@pytest.mark.parametrize(
    ("name", "unit", "values"),
    [
        ("ddm_cpu_util", "%", "0 to 100"),
        ("ddm_qps", "requests/s", "0 or more"),
        ("ddm_node_status_alarm_code", "", "0 to 1"),
    ],
)
def test_a_metric_has_a_unit_and_a_range(name, unit, values):
    assert (FACTS[name].name, FACTS[name].unit, FACTS[name].range) == (name, unit, values)


def test_every_metric_can_be_asked_for_by_the_period_of_its_points():
    assert {fact.period for fact in FACTS.values()} == {MINUTE}
    assert MINUTE in CLOUD_EYE_PERIODS
    assert list(CLOUD_EYE_PERIODS) == sorted(CLOUD_EYE_PERIODS)
