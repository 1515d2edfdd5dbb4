"""What every store promises of letters (autoscaler/ports.py): with their change or not at all, once, until settled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from autoscaler.core.by_hand import Intervention, Kind
from autoscaler.core.decision import Decision
from autoscaler.core.letter import Letter
from autoscaler.core.operation import Operation, State
from autoscaler.errors import StoreError
from autoscaler.ports import Backlog, OperationOpenError
from tests.storage import samples
from tests.storage.samples import NOW

MINUTE = timedelta(minutes=1)
LONGEST = timedelta(hours=1)


def letter(identity: str = "e1", webhook: str = "pager", **fields: Any) -> Letter:
    values: dict[str, Any] = {"kind": "decision", "target": "orders", "at": NOW, "body": '{"a":1}', "due": NOW}
    return Letter(webhook=webhook, id=identity, **(values | fields))


@dataclass
class Told:
    """A correspondence that tells the pager of everything."""

    asked: list[str] = field(default_factory=list)

    def _one(self, identity: str) -> Sequence[Letter]:
        self.asked.append(identity)
        return [letter(identity)]

    def of_intent(self, operation: Operation, decision: Decision) -> Sequence[Letter]:
        return self._one(f"{operation.id}-{decision.decision}")

    def of_step(self, operation: Operation) -> Sequence[Letter]:
        return self._one(f"{operation.id}-{operation.state}")

    def of_interventions(self, begun: Sequence[Intervention], ended: Sequence[Intervention]) -> Sequence[Letter]:
        return self._one(f"by hand {len(begun)} {len(ended)}")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def store(make_store: Callable[..., Any], told: Told) -> Any:
    return make_store(told)


async def due(store: Any, webhook: str = "pager", at: datetime = NOW, limit: int = 100) -> list[str]:
    return [one.id for one in await store.due_letters(webhook, at=at, longest=LONGEST, limit=limit)]


async def test_a_change_and_its_letter_are_stored_together(store):
    planned = samples.operation()
    await store.commit_intent(planned, samples.decision())
    await store.update(planned.step(State.UNKNOWN, at=NOW), was=planned)
    await store.intervene([samples.intervention()])
    assert await due(store) == ["op1-out", "op1-unknown", "by hand 1 0"]


async def test_a_change_that_is_refused_leaves_no_letter(store):
    planned = samples.operation()
    await store.commit_intent(planned, samples.decision())
    with pytest.raises(OperationOpenError):
        await store.commit_intent(samples.operation("op2"), samples.decision())
    with pytest.raises(StoreError):
        await store.update(planned, was=replace(planned, state=State.UNKNOWN))
    await store.intervene([samples.intervention()])
    with pytest.raises(StoreError):
        await store.intervene([samples.intervention()])
    assert await due(store) == ["op1-out", "by hand 1 0"]


async def test_a_letter_that_is_there_keeps_no_change_from_being_stored(store):
    await store.post([letter("op1-out", body="an earlier one")])
    await store.commit_intent(samples.operation(), samples.decision())
    assert await due(store) == ["op1-out"]
    assert [one.body for one in await store.due_letters("pager", at=NOW, longest=LONGEST, limit=1)] == [
        "an earlier one"
    ]
    assert len(await store.open_operations()) == 1


async def test_a_letter_is_kept_once_for_each_webhook_whoever_tells_it(store):
    await store.post([letter(), letter(webhook="chat"), letter()])
    await store.post([letter(body="again")])
    assert (await due(store), await due(store, "chat"), await due(store, "nobody")) == (["e1"], ["e1"], [])


async def test_no_letters_are_no_change(store):
    await store.post([])
    assert await store.backlogs() == {}


async def test_every_field_of_a_letter_comes_back(store):
    one = letter(
        target=None, at=NOW - MINUTE, body='{"words":"gr\\u00f6\\u00dfer \\ud83d"}', attempts=3, error="größer"
    )
    await store.post([one])
    assert await store.due_letters("pager", at=NOW, longest=LONGEST, limit=1) == (one,)


async def test_letters_come_in_the_order_in_which_they_were_posted_and_no_more_than_asked_for(store):
    await store.post([letter("b"), letter("a")])
    await store.post([letter("c", at=NOW - MINUTE)])
    assert await due(store) == ["b", "a", "c"]
    assert await due(store, limit=2) == ["b", "a"]


async def test_those_that_failed_more_often_come_later(store):
    await store.post([letter("a"), letter("b"), letter("c")])
    await store.settle(letter("a").failed(NOW, "no answer"))
    assert await due(store) == ["b", "c", "a"]


async def test_a_letter_is_due_from_its_time_on(store):
    await store.post([letter("now"), letter("later", due=NOW + MINUTE)])
    assert await due(store) == ["now"]
    assert await due(store, at=NOW + MINUTE - timedelta(microseconds=1)) == ["now"]
    assert await due(store, at=NOW + MINUTE) == ["now", "later"]


async def test_a_clock_that_was_set_back_puts_no_letter_off_for_longer_than_the_longest_wait(store):
    await store.post([letter("an hour", due=NOW + LONGEST), letter("a day", due=NOW + timedelta(days=1))])
    assert await due(store) == ["a day"]


@pytest.mark.parametrize("settled", ["delivered", "given up"])
async def test_a_settled_letter_waits_no_more_and_is_not_posted_again(store, settled):
    await store.post([letter()])
    await store.settle(letter().delivered() if settled == "delivered" else letter().given_up("gone"))
    await store.post([letter()])
    assert await due(store, at=NOW + timedelta(days=400)) == []
    assert await store.backlogs() == {}


async def test_a_letter_that_failed_comes_again_when_it_is_due_and_knows_how_often_it_was_tried(store):
    await store.post([letter()])
    await store.settle(letter().failed(NOW + MINUTE, "no answer"))
    assert await due(store) == []
    (again,) = await store.due_letters("pager", at=NOW + MINUTE, longest=LONGEST, limit=1)
    assert (again.attempts, again.error, again.body) == (1, "no answer", letter().body)


async def test_what_is_settled_stays_as_it_is(store):
    await store.post([letter()])
    await store.settle(letter().delivered())
    await store.settle(letter().failed(NOW, "a slow other one"))
    await store.settle(letter("never posted").delivered())
    assert await due(store) == []


async def test_backlogs_tell_how_many_wait_and_since_when(store):
    await store.post([letter("a"), letter("b", at=NOW - MINUTE), letter("c", webhook="chat")])
    await store.settle(letter("a").failed(NOW + MINUTE, "no answer"))
    assert await store.backlogs() == {"pager": Backlog(2, NOW - MINUTE), "chat": Backlog(1, NOW)}


async def test_prune_forgets_letters_of_before_delivered_or_not(store):
    await store.post([letter("old", at=NOW - MINUTE), letter("done", at=NOW - MINUTE), letter("young")])
    await store.settle(letter("done", at=NOW - MINUTE).delivered())
    assert await store.prune(before=NOW) == 2
    assert await due(store) == ["young"]


async def test_prune_of_more_letters_than_one_transaction_takes(store):
    await store.post([letter(f"e{number}", at=NOW - MINUTE) for number in range(5001)])
    assert await store.prune(before=NOW) == 5001


async def test_words_that_no_text_can_hold_do_not_keep_an_attempt_from_being_written_down(store):
    await store.post([letter()])
    await store.settle(letter().failed(NOW, "half \ud83d a\0character"))
    assert await due(store) == ["e1"]


async def test_a_closed_breaker_alone_is_asked_about_too(store, told):
    await store.intervene([samples.intervention(kind=Kind.BREAKER_RESET)])
    assert told.asked == ["by hand 1 0"]
