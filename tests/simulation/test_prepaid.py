"""Days of a prepaid instance: orders pay themselves, and one waits for days until somebody pays it."""

from datetime import timedelta

from tests.simulation import history, plans
from tests.simulation.plans import HOUR, Disturbance, Plan


def test_orders_of_a_prepaid_instance_that_pay_themselves(disk):
    report = history.play(Plan(seed=1, length=6 * HOUR, prepaid=True, peak_nodes=10), disk)

    assert report.problems == []
    assert report.accepted > 0


def test_an_order_that_is_unpaid_for_days_is_waited_for_and_nothing_is_ordered_beside_it(disk):
    unpaid = Disturbance(0.0, "unpaid", {"seconds": 50 * HOUR})
    plan = Plan(seed=1, length=54 * HOUR, prepaid=True, steady=2.4, nodes=3, most=10, disturbances=(unpaid,))
    played = history.History(plan, disk)
    report = played.play()

    assert report.problems == []
    assert (report.accepted, report.nodes) == (1, 4)
    assert [job.created_at - plans.START for job in played.world.jobs] == [timedelta(hours=50)]
