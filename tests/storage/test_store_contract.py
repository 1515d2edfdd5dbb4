"""What every Store and its History promise (autoscaler/ports.py): the one in SQLite, and the fake in memory."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.core.by_hand import Intervention, Kind
from autoscaler.core.decision import Reason
from autoscaler.core.operation import OPEN_STATES, Operation, State
from autoscaler.core.policy import Direction
from autoscaler.core.target import InstanceKey
from autoscaler.errors import StoreError
from autoscaler.ports import OperationOpenError, SeenNode
from autoscaler.storage.database import DatabaseStore
from tests import fakes
from tests.storage import samples
from tests.storage.samples import INSTANCE, NOW

Store = DatabaseStore | fakes.MemoryStore

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
FAR_FUTURE = datetime(9000, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(make_store: Callable[[], Store]) -> Store:
    return make_store()


def ids(stored: tuple[Operation, ...] | tuple[Intervention, ...]) -> list[str]:
    return [one.id for one in stored]


# --- intents ---------------------------------------------------------------------------------------------------------


async def test_an_intent_and_its_decision_are_stored_together(store):
    await store.commit_intent(samples.operation(), samples.decision())

    assert await store.open_operations() == (samples.operation(),)
    assert store.history.operations() == (samples.operation(),)
    assert store.history.decisions("orders") == (samples.decision().as_json(),)


async def test_i1_of_many_intents_at_once_on_an_instance_one_is_stored(store):
    intents = [samples.operation(f"op{n}", target=f"target{n}", group_id=f"g{n}") for n in range(20)]
    results = await asyncio.gather(
        *(store.commit_intent(intent, samples.decision()) for intent in intents), return_exceptions=True
    )

    assert [type(result) for result in results].count(OperationOpenError) == 19
    assert len(await store.open_operations()) == 1
    assert len(store.history.decisions("orders")) == 1


@pytest.mark.parametrize("state", sorted(OPEN_STATES))
async def test_i1_no_intent_while_an_operation_is(store, state):
    planned = samples.operation("first")
    await store.commit_intent(planned, samples.decision())
    if state is not State.PLANNED:
        await store.update(planned.step(state, at=NOW), was=planned)

    with pytest.raises(OperationOpenError, match="first"):
        await store.commit_intent(samples.operation("second"), samples.decision())
    assert ids(store.history.operations()) == ["first"]


@pytest.mark.parametrize("state", [State.REJECTED, State.SUCCEEDED, State.FAILED, State.NEVER_HAPPENED])
async def test_the_next_intent_is_stored_once_the_last_operation_is(store, state):
    await store.import_operations([samples.ended("first", NOW, state)])
    await store.commit_intent(samples.operation("second"), samples.decision())

    assert ids(await store.open_operations()) == ["second"]


@pytest.mark.parametrize(
    "other",
    [InstanceKey("eu-de", "p1", "i2"), InstanceKey("eu-de", "p2", "i1"), InstanceKey("eu-nl", "p1", "i1")],
    ids=["instance", "project", "region"],
)
async def test_operations_may_be_open_side_by_side_when_they_differ_in(store, other):
    await store.commit_intent(samples.operation("a"), samples.decision())
    await store.commit_intent(samples.operation("b", instance=other), samples.decision())

    assert ids(await store.open_operations()) == ["a", "b"]


async def test_an_id_is_used_once(store):
    await store.import_operations([samples.ended("op1", NOW)])
    with pytest.raises(StoreError):
        await store.commit_intent(samples.operation("op1"), samples.decision())
    assert store.history.decisions("orders") == ()


@pytest.mark.parametrize(
    "fields",
    [{"state": State.SUBMITTED}, {"state": State.SUCCEEDED}, {"foreign": True}, {"shadow": True}],
    ids=["submitted", "ended", "foreign", "shadow"],
)
async def test_no_intent_is_an_operation_that_is(store, fields):
    with pytest.raises(ValueError, match="no intent"):
        await store.commit_intent(samples.operation(**fields), samples.decision())


# --- updates ---------------------------------------------------------------------------------------------------------


async def test_an_operation_goes_through_its_states(store):
    planned = samples.operation()
    submitted = planned.step(State.SUBMITTED, at=NOW + MICROSECOND, job_id="j3")
    ended = submitted.step(State.SUCCEEDED, at=NOW + HOUR, arrived=1, detail="the node was seen")
    await store.commit_intent(planned, samples.decision())
    await store.update(submitted, was=planned)
    assert await store.open_operations() == (submitted,)

    await store.update(ended, was=submitted)
    assert await store.open_operations() == ()
    assert store.history.operations() == (replace(ended, known_jobs=frozenset()),)


async def test_an_update_from_a_state_that_is_not_the_stored_one_changes_nothing(store):
    planned = samples.operation()
    submitted = planned.step(State.SUBMITTED, at=NOW)
    await store.commit_intent(planned, samples.decision())
    await store.update(submitted, was=planned)

    with pytest.raises(StoreError, match="op1"):
        await store.update(planned.step(State.REJECTED, at=NOW), was=planned)
    assert await store.open_operations() == (submitted,)


async def test_an_update_of_an_operation_that_is_not_there_is_refused(store):
    with pytest.raises(StoreError, match="op1"):
        await store.update(samples.operation(), was=samples.operation())


async def test_with_an_update_come_operations_of_others_each_once(store):
    planned, foreign = samples.operation(), samples.ended("f1", NOW, foreign=True)
    unknown = planned.step(State.UNKNOWN, at=NOW)
    await store.commit_intent(planned, samples.decision())
    await store.update(unknown, was=planned, beside=[foreign])
    await store.update(unknown.step(State.FAILED, at=NOW), was=unknown, beside=[replace(foreign, detail="again")])
    found = {operation.id: (operation.state, operation.detail) for operation in store.history.operations()}
    assert found == {"op1": (State.FAILED, planned.detail), "f1": (State.SUCCEEDED, foreign.detail)}


async def test_with_an_update_that_is_refused_nothing_comes(store):
    with pytest.raises(StoreError, match="op1"):
        await store.update(samples.operation(), was=samples.operation(), beside=[samples.ended("f1", NOW)])
    assert store.history.operations() == ()


async def test_an_update_keeps_the_id(store):
    await store.commit_intent(samples.operation(), samples.decision())
    with pytest.raises(StoreError):
        await store.update(samples.operation("op2", state=State.UNKNOWN), was=samples.operation())
    assert ids(await store.open_operations()) == ["op1"]


@pytest.mark.parametrize("detail", ["\ud83d", "\0"], ids=["half a character", "NUL"])
async def test_what_no_text_can_hold_does_not_keep_an_outcome_from_being_stored(store, detail):
    await store.commit_intent(samples.operation(), samples.decision())
    await store.update(samples.operation(state=State.UNKNOWN, detail=detail), was=samples.operation())
    assert [operation.state for operation in await store.open_operations()] == [State.UNKNOWN]


@pytest.mark.parametrize("name", ["\ud83d", "or\0ders", "\0"], ids=["half a character", "NUL within", "NUL"])
async def test_a_name_that_no_text_can_hold_is_nobodys(store, name):
    of_all = Intervention("all", Kind.PAUSE, None, NOW)
    await store.commit_intent(samples.operation(), samples.decision())
    await store.intervene([of_all])

    history = store.history
    assert history.decisions(name) == ()
    assert list(history.records(name, since=NOW - HOUR, until=NOW + HOUR)) == []
    assert history.operations(name) == ()
    assert history.interventions(name) == (of_all,)


# --- what is asked ---------------------------------------------------------------------------------------------------


async def test_open_operations_come_oldest_first_and_of_the_same_time_as_stored(store):
    for name, committed_at in [("later", NOW + MICROSECOND), ("z", NOW), ("a", NOW)]:
        instance = InstanceKey("eu-de", "p1", name)
        operation = samples.operation(name, instance=instance, committed_at=committed_at)
        await store.commit_intent(operation, samples.decision())

    assert ids(await store.open_operations()) == ["z", "a", "later"]
    assert ids(store.history.operations()) == ["later", "a", "z"]


async def test_operations_since_include_what_ended_exactly_then_and_all_that_is_open(store):
    await store.import_operations([samples.ended("newest", NOW)])  # the last of its kind, so the others are not
    await store.import_operations([samples.ended("before", NOW - HOUR - MICROSECOND)])
    await store.import_operations([samples.ended("then", NOW - HOUR)])
    await store.commit_intent(samples.operation("open", committed_at=NOW - 100 * HOUR), samples.decision())

    assert ids(await store.operations(INSTANCE, since=NOW - HOUR)) == ["open", "then", "newest"]


async def test_operations_are_those_of_the_instance(store):
    await store.import_operations([samples.ended("here", NOW)])
    await store.import_operations([samples.ended("there", NOW, instance=InstanceKey("eu-de", "p1", "i2"))])

    assert ids(await store.operations(INSTANCE, since=NOW)) == ["here"]


KINDS: dict[str, dict[str, Any]] = {
    "a": {},
    "b": {"target": "users"},
    "c": {"direction": Direction.IN},
    "d": {"state": State.FAILED},
    "e": {"state": State.FAILED, "arrived": 1},
    "f": {"state": State.REJECTED},
    "g": {"state": State.NEVER_HAPPENED},
}


async def test_the_last_operation_of_each_target_direction_and_end_is_there_whatever_its_age(store):
    for age, prefix in [(100, "old-"), (50, "last-")]:
        for name, fields in KINDS.items():
            await store.import_operations([samples.ended(prefix + name, NOW - age * HOUR, **fields)])

    assert ids(await store.operations(INSTANCE, since=NOW)) == [f"last-{name}" for name in KINDS]


async def test_of_two_that_ended_together_the_one_stored_last_is_the_last(store):
    await store.import_operations([samples.ended("one", NOW - HOUR), samples.ended("two", NOW - HOUR)])
    assert ids(await store.operations(INSTANCE, since=NOW)) == ["two"]


async def test_an_imported_operation_that_is_there_is_left_as_it_is(store):
    await store.import_operations([samples.ended("j1", NOW, foreign=True)])
    await store.import_operations([samples.ended("j1", NOW, foreign=True, detail="again"), samples.ended("j2", NOW)])

    assert [(operation.id, operation.detail) for operation in store.history.operations()] == [("j2", ""), ("j1", "")]


async def test_history_of_operations_is_of_one_target_or_all_and_limited(store):
    await store.import_operations([samples.ended(f"op{n}", NOW + n * HOUR) for n in range(5)])
    await store.import_operations([samples.ended("users", NOW, target="users")])

    assert ids(store.history.operations("orders", limit=2)) == ["op4", "op3"]
    assert len(store.history.operations()) == 6
    assert store.history.operations(limit=0) == ()


# --- decisions -------------------------------------------------------------------------------------------------------


async def test_decisions_come_newest_first_since_included_before_excluded(store):
    decisions = [samples.decision(NOW + n * MICROSECOND) for n in range(5)]
    await store.record([*decisions, samples.decision(target="users")])

    found = store.history.decisions("orders", since=NOW + MICROSECOND, before=NOW + 4 * MICROSECOND)
    assert found == tuple(decision.as_json() for decision in (decisions[3], decisions[2], decisions[1]))


async def test_decisions_are_limited_to_the_newest(store):
    await store.record([samples.decision(NOW, details={"n": str(n)}) for n in range(5)])
    assert [record["details"]["n"] for record in store.history.decisions("orders", limit=2)] == ["4", "3"]


async def test_the_oldest_may_come_first(store):
    await store.record([samples.decision(NOW, details={"n": str(n)}) for n in range(3)])
    await store.import_operations([samples.ended(f"op{n}", NOW + n * HOUR) for n in range(3)])

    records = store.history.decisions("orders", limit=2, oldest_first=True)
    assert [record["details"]["n"] for record in records] == ["0", "1"]
    assert ids(store.history.operations(limit=2, oldest_first=True)) == ["op0", "op1"]


async def test_operations_of_a_span_since_included_before_excluded(store):
    times = {f"op{n}": NOW + n * MICROSECOND for n in range(4)}
    await store.import_operations([samples.ended(name, NOW + HOUR, committed_at=at) for name, at in times.items()])

    assert ids(store.history.operations(since=times["op1"], before=times["op3"])) == ["op2", "op1"]


async def test_the_api_reads_what_is_open_however_much_ended_since(store):
    await store.commit_intent(samples.operation("open", committed_at=NOW - HOUR), samples.decision())
    await store.import_operations([samples.ended(f"op{n}", NOW, foreign=True) for n in range(3)])

    assert ids(store.history.open_operations()) == ["open"]


@pytest.mark.parametrize("times", [1, 450], ids=["at different times", "at the same time"])
async def test_records_of_a_span_come_oldest_first_each_once(store, times):
    decisions = [samples.decision(NOW + n // times * MICROSECOND, details={"n": str(n)}) for n in range(1000)]
    await store.record([*decisions, samples.decision(target="users")])

    found = list(store.history.records("orders", since=NOW + MICROSECOND, until=NOW + 700 * MICROSECOND))
    span = decisions[times:] if times > 1 else decisions[1:700]
    assert [record["details"]["n"] for record in found] == [one.details["n"] for one in span]


async def test_a_cycle_without_decisions_records_nothing(store):
    await store.record([])
    assert store.history.decisions("orders") == ()


# --- seen nodes ------------------------------------------------------------------------------------------------------


async def test_seen_nodes_of_a_group_never_seen_are_not_the_same_as_of_one_seen_empty(store):
    await store.save_seen_nodes(INSTANCE, "empty", [])
    assert await store.seen_nodes(INSTANCE, "empty") == ()
    assert await store.seen_nodes(INSTANCE, "never") is None
    assert await store.seen_nodes(InstanceKey("eu-de", "p1", "i2"), "empty") is None


async def test_seen_nodes_are_replaced_in_their_order(store):
    nodes = (SeenNode("n2", NOW), SeenNode("n1", None), SeenNode("n3", NOW + MICROSECOND, warm=True))
    await store.save_seen_nodes(INSTANCE, "g1", [SeenNode("gone", NOW)])
    await store.save_seen_nodes(INSTANCE, "g1", nodes)
    assert await store.seen_nodes(INSTANCE, "g1") == nodes


async def test_with_seen_nodes_come_operations_of_others_each_once(store):
    for nodes in ([], [SeenNode("n1", NOW)]):
        await store.save_seen_nodes(INSTANCE, "g1", nodes, beside=[samples.ended("f1", NOW, foreign=True)])
    assert await store.seen_nodes(INSTANCE, "g1") == (SeenNode("n1", NOW),)
    assert ids(store.history.operations()) == ["f1"]


# --- by hand ---------------------------------------------------------------------------------------------------------

STANDS: dict[str, tuple[dict[str, Any], bool]] = {
    "until it is taken back": ({}, True),
    "its end is excluded": ({"until": NOW}, False),
    "just before its end": ({"until": NOW + MICROSECOND}, True),
    "begun later by the clock": ({"from_": NOW + HOUR}, True),
    "of all": ({"target": None}, True),
    "an override": ({"kind": Kind.OVERRIDE, "nodes": 6, "until": NOW + HOUR}, True),
    "a closed breaker, the last": ({"kind": Kind.BREAKER_RESET, "from_": NOW - 1000 * HOUR}, True),
    "taken back": ({"ended_at": NOW - HOUR, "ended_by": "bob"}, False),
    "taken back later by the clock": ({"ended_at": NOW + HOUR, "ended_by": "bob"}, False),
}


@pytest.mark.parametrize(("fields", "stands"), STANDS.values(), ids=STANDS)
async def test_what_was_done_by_hand_stands_until_it_is_over(store, fields, stands):
    one = samples.intervention(**fields)
    await store.intervene([one])
    assert await store.standing(at=NOW) == store.history.standing(at=NOW) == ((one,) if stands else ())
    assert store.history.interventions() == (one,)


async def test_what_is_taken_back_keeps_who_and_when_and_is_replaced_in_one_go(store):
    first, second = samples.intervention(), samples.intervention("h2", until=NOW + HOUR)
    await store.intervene([first])
    await store.intervene([second], ended=[first.ended(NOW, "bob", "it moved")])
    assert await store.standing(at=NOW) == (second,)
    assert store.history.interventions() == (second, first.ended(NOW, "bob", "it moved"))
    assert store.history.interventions(limit=1) == (second,)


async def test_what_was_taken_back_stays_as_it_is(store):
    one = samples.intervention()
    await store.intervene([one])
    await store.intervene([], ended=[one.ended(NOW, "bob")])
    await store.intervene([], ended=[one.ended(NOW + HOUR, "eve"), samples.intervention("gone").ended(NOW, "eve")])
    assert store.history.interventions() == (one.ended(NOW, "bob"),)


async def test_an_intervention_that_cannot_be_stored_takes_nothing_back(store):
    one = samples.intervention()
    await store.intervene([one])
    with pytest.raises(StoreError):
        await store.intervene([one], ended=[one.ended(NOW, "bob")])
    assert await store.standing(at=NOW) == (one,)


async def test_of_closed_breakers_the_last_of_each_target_and_of_all_stands(store):
    resets = [("a", "orders"), ("b", None), ("c", "orders"), ("d", "users"), ("e", None)]
    await store.intervene([samples.intervention(name, Kind.BREAKER_RESET, target) for name, target in resets])
    assert ids(await store.standing(at=NOW + HOUR)) == ["c", "d", "e"]


async def test_interventions_of_a_target_are_its_own_and_those_of_all(store):
    made = [("a", "orders"), ("b", None), ("c", "users"), ("d", "orders")]
    await store.intervene([samples.intervention(name, target=target) for name, target in made])
    assert ids(store.history.interventions("orders")) == ["d", "b", "a"]
    assert ids(store.history.interventions("orders", limit=1)) == ["d"]


async def test_prune_forgets_what_was_over_and_keeps_what_stands_and_the_last_closed_breakers(store):
    long_ago = NOW - 1000 * HOUR
    await store.intervene(
        [
            samples.intervention("over", from_=long_ago, until=NOW - MICROSECOND),
            samples.intervention("over then", from_=long_ago, until=NOW),
            samples.intervention("taken back", from_=long_ago, until=NOW + HOUR, ended_at=long_ago),
            samples.intervention("stands", from_=long_ago),
            samples.intervention("reset", Kind.BREAKER_RESET, from_=long_ago),
            samples.intervention("last reset", Kind.BREAKER_RESET, from_=long_ago),
        ]
    )
    assert await store.prune(before=NOW) == 3
    assert ids(store.history.interventions()) == ["last reset", "stands", "over then"]


async def test_words_that_no_text_can_hold_can_be_stored(store):
    await store.intervene([samples.intervention(reason="\ud83d", who="\0")])
    assert len(await store.standing(at=NOW)) == 1


# --- pruning, closing ------------------------------------------------------------------------------------------------


async def test_prune_forgets_what_is_older_and_says_how_much(store):
    await store.record([samples.decision(NOW - MICROSECOND), samples.decision(NOW)])
    await store.import_operations([samples.ended("old", NOW - MICROSECOND), samples.ended("then", NOW)])

    assert await store.prune(before=NOW) == 2
    assert ids(store.history.operations()) == ["then"]
    assert store.history.decisions("orders") == (samples.decision(NOW).as_json(),)


async def test_prune_keeps_open_operations_and_the_last_of_each_kind(store):
    for name, fields in KINDS.items():
        await store.import_operations([samples.ended("old-" + name, NOW - 2 * HOUR, **fields)])
        await store.import_operations([samples.ended("last-" + name, NOW - HOUR, **fields)])
    await store.commit_intent(samples.operation("open", committed_at=NOW - 9 * HOUR), samples.decision(NOW))

    assert await store.prune(before=NOW) == len(KINDS)
    assert sorted(ids(store.history.operations())) == [*(f"last-{name}" for name in KINDS), "open"]


async def test_prune_keeps_a_younger_record_whose_operation_goes(store):
    planned = samples.operation()
    await store.commit_intent(planned, samples.decision(NOW))
    await store.update(planned.step(State.REJECTED, at=NOW - HOUR), was=planned)
    await store.import_operations([samples.ended("newer", NOW, State.REJECTED)])

    assert await store.prune(before=NOW) == 1
    assert store.history.decisions("orders") == (samples.decision(NOW).as_json(),)


async def test_prune_of_more_records_than_one_transaction_takes(store):
    await store.record([samples.decision(NOW - HOUR)] * 5001)
    assert await store.prune(before=NOW) == 5001
    assert await store.prune(before=NOW) == 0


async def test_a_closed_store_refuses_and_may_be_closed_again(store):
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.record([samples.decision()])


# --- every field -----------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
moments = st.datetimes(timezones=st.just(UTC))
id_sets = st.frozensets(texts, max_size=5)
planned_operations = st.builds(
    Operation,
    id=texts,
    target=texts,
    instance=st.builds(InstanceKey, texts, texts, texts),
    group_id=texts,
    direction=st.sampled_from(Direction),
    change=st.integers(1, 32),
    reason=st.sampled_from(Reason),
    state=st.just(State.PLANNED),
    committed_at=moments,
    send_before=moments,
    node_ids=id_sets,
    removing=st.lists(texts, max_size=3).map(tuple),
    zones=st.lists(texts, max_size=3).map(tuple),
    known_jobs=id_sets,
    skew_seconds=st.floats(allow_nan=False),
    prepaid=st.booleans(),
    job_id=st.none() | texts,
    order_id=st.none() | texts,
    submitted_at=st.none() | moments,
    ended_at=st.none() | moments,
    arrived=st.integers(0, 32),
    detail=texts,
)


@given(planned=planned_operations, state=st.sampled_from(State), foreign=st.booleans(), shadow=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_field_of_an_operation_comes_back_equal_to_the_microsecond(make_store, planned, state, foreign, shadow):
    """Not the jobs known at the intent, once it ended: they served to resolve it."""
    changed = replace(planned, state=state, foreign=foreign, shadow=shadow)
    expected = changed if changed.open else replace(changed, known_jobs=frozenset())

    async def through_the_store() -> tuple[Operation, ...]:
        store = make_store()
        await store.commit_intent(planned, samples.decision())
        assert await store.open_operations() == (planned,)
        await store.update(changed, was=planned)
        found: tuple[Operation, ...] = await store.operations(planned.instance, since=FAR_FUTURE)
        store.close()
        return found

    assert asyncio.run(through_the_store()) == (expected,)
