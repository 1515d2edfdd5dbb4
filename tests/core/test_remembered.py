"""What is remembered of a target between its evaluations: sizes and wishes, when data was last there, shadows."""

from datetime import timedelta

from autoscaler.core import remembered
from autoscaler.core.decision import Reason
from autoscaler.core.observation import Wish
from autoscaler.core.operation import State
from autoscaler.core.policy import Direction
from autoscaler.core.remembered import Remembered
from autoscaler.core.target import Mode
from tests.core.given import HOT_OR_COLD, INSTANCE, MINUTE, NOW, ago, decided, observation, policy


def test_the_first_evaluation_enters_the_size_and_no_later_one_does():
    memory = Remembered().begun(NOW, 3).begun(NOW + MINUTE, 4)
    assert (memory.first_evaluated_at, memory.wishes) == (NOW, (Wish(NOW, 3),))


def test_wishes_are_kept_as_long_as_the_window_and_data_by_rule():
    memory = Remembered().entered(ago(5), 9).entered(ago(4), 8)
    after = memory.decided(decided(policy(HOT_OR_COLD), "80"), timedelta(minutes=5))
    assert after.wishes == (Wish(ago(4), 8), Wish(NOW, 4))
    assert after.fresh_at == {"cpu": NOW}


def test_missing_data_does_not_count_as_fresh():
    assert Remembered().decided(decided(policy(HOT_OR_COLD)), MINUTE).fresh_at == {}


def test_a_clock_that_was_set_back_hides_nothing():
    memory = Remembered(NOW, (Wish(NOW, 7), Wish(ago(9), 5)), {"cpu": NOW}).begun(ago(3), 2)
    assert memory == Remembered(ago(3), (Wish(ago(3), 7), Wish(ago(9), 5)), {"cpu": ago(3)})


def test_a_shadow_is_what_enforce_would_have_begun_and_succeeds_after_ten_minutes():
    decision = decided(policy(HOT_OR_COLD), observation("80", mode=Mode.OBSERVE))
    shadow = remembered.shadow_of(decision, INSTANCE, "group")
    assert (shadow.direction, shadow.change, shadow.reason) == (Direction.OUT, 1, Reason.ABOVE_THRESHOLD)
    assert (shadow.target, shadow.instance, shadow.group_id) == ("orders", INSTANCE, "group")
    assert (shadow.shadow, shadow.open) == (True, True)
    assert {shadow.committed_at, shadow.send_before, shadow.submitted_at} == {NOW}
    memory = Remembered().shadowed(shadow)
    assert memory.begun(NOW + 9 * MINUTE, 3).shadows == (shadow,)
    (done,) = memory.begun(NOW + 10 * MINUTE, 3).shadows
    assert (done.state, done.ended_at) == (State.SUCCEEDED, NOW + 10 * MINUTE)
    assert memory.begun(NOW + 12 * MINUTE, 3).begun(NOW + 13 * MINUTE, 3).shadows == (done,)


def test_a_shadow_of_a_scale_in_is_a_scale_in_with_a_name_of_its_own():
    seen = observation("20", mode=Mode.OBSERVE)
    shadows = [
        remembered.shadow_of(decided(policy(HOT_OR_COLD), seen, now=now), INSTANCE, "group")
        for now in (NOW, NOW + MINUTE)
    ]
    assert [(one.direction, one.change) for one in shadows] == [(Direction.IN, 1)] * 2
    assert shadows[0].id != shadows[1].id


def test_a_hundred_shadows_are_enough():
    decision = decided(policy(HOT_OR_COLD), observation("80", mode=Mode.OBSERVE))
    shadow = remembered.shadow_of(decision, INSTANCE, "group")
    memory = Remembered()
    for _ in range(101):
        memory = memory.shadowed(shadow)
    assert len(memory.shadows) == 100
