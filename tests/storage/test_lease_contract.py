"""What every lease promises (autoscaler/ports.py): the row in PostgreSQL, and the fake in memory.

A lease that lasts no time is over as soon as it is taken: so no test waits.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from autoscaler.core.operation import State
from autoscaler.errors import NotLeader
from autoscaler.ports import Lease
from autoscaler.storage.database import DatabaseStore
from tests import fakes
from tests.storage import samples
from tests.storage.samples import INSTANCE, NOW

Store = DatabaseStore | fakes.MemoryStore

LONG, OVER = timedelta(hours=1), timedelta(0)


@pytest.fixture(params=["memory", "postgresql"])
def another(request: pytest.FixtureRequest) -> Callable[[], Store]:
    """One more daemon's store on the same database."""
    if request.param == "memory":
        database, clock = fakes.MemoryDatabase(), fakes.FakeClock()
        return lambda: fakes.MemoryStore(database, clock.now)
    open_shared: Callable[[], Store] = request.getfixturevalue("open_shared")
    return open_shared


@pytest.fixture
def first(another: Callable[[], Store]) -> Store:
    return another()


@pytest.fixture
def second(another: Callable[[], Store]) -> Store:
    return another()


def of(store: Store) -> Lease:
    assert store.lease is not None
    return store.lease


async def test_one_takes_it_and_the_other_is_told_who(first, second):
    assert await of(first).holder() == ""
    assert await of(first).claim("ann", LONG) == 1
    assert await of(second).claim("bob", LONG) is None
    assert await of(second).holder() == "ann"


async def test_a_renewal_has_the_same_number(first, second):
    assert [await of(first).claim("ann", lasts) for lasts in (LONG, LONG, OVER)] == [1, 1, 1]
    assert await of(second).claim("bob", LONG) == 2


async def test_one_that_is_over_and_nobody_took_is_renewed(first, second):
    await of(first).claim("ann", OVER)
    assert await of(first).holder() == ""
    assert await of(first).claim("ann", LONG) == 1
    assert await of(second).claim("bob", LONG) is None


async def test_each_take_over_has_a_greater_number_and_who_lost_it_does_not_renew(first, second):
    numbers = [await of(store).claim(name, OVER) for store, name in ((first, "ann"), (second, "bob"), (first, "ann"))]
    assert numbers == [1, 2, 3]
    await of(second).claim("bob", LONG)
    assert await of(first).claim("ann", LONG) is None


async def test_released_it_is_free_at_once(first, second):
    await of(first).claim("ann", LONG)
    await of(first).release()
    assert await of(second).holder() == ""
    assert await of(second).claim("bob", LONG) == 2


async def test_nobody_releases_what_another_holds(first, second):
    await of(first).claim("ann", OVER)
    await of(second).claim("bob", LONG)
    await of(first).release()
    assert await of(first).holder() == "bob"


async def test_a_process_begun_anew_under_a_name_waits_like_another(first, second):
    await of(first).claim("ann", LONG)
    assert await of(second).claim("ann", LONG) is None


async def test_a_process_that_names_itself_anew_takes_over_like_another(first):
    await of(first).claim("ann", LONG)
    assert await of(first).claim("bob", LONG) is None
    await of(first).claim("ann", OVER)


# --- what only the leader stores -------------------------------------------------------------------------------------

STORED = {
    "an intent": lambda store: store.commit_intent(samples.operation(), samples.decision()),
    "somebody else's operation": lambda store: store.import_operations([samples.ended("op2", NOW)]),
    "a record": lambda store: store.record([samples.decision()]),
    "seen nodes": lambda store: store.save_seen_nodes(INSTANCE, "g1", []),
    "a pause": lambda store: store.intervene([samples.intervention()]),
}


async def of_all_kinds(store: Store) -> int:
    """How many things are stored."""
    history = store.history
    return (
        len(history.operations())
        + len(history.decisions("orders"))
        + len(history.interventions())
        + (await store.seen_nodes(INSTANCE, "g1") is not None)
    )


@pytest.mark.parametrize("what", STORED.values(), ids=STORED)
async def test_the_leader_stores(first, what):
    await of(first).claim("ann", LONG)
    await what(first)
    assert await of_all_kinds(first) > 0


@pytest.mark.parametrize("what", STORED.values(), ids=STORED)
async def test_i11_who_never_led_does_not_store(first, what):
    with pytest.raises(NotLeader):
        await what(first)
    assert await of_all_kinds(first) == 0


@pytest.mark.parametrize("what", STORED.values(), ids=STORED)
async def test_i11_who_led_does_not_store(first, second, what):
    await of(first).claim("ann", OVER)
    await of(second).claim("bob", LONG)
    with pytest.raises(NotLeader):
        await what(first)
    assert await of_all_kinds(first) == 0


async def test_i11_whose_lease_is_over_commits_no_intent_even_where_nobody_took_it(first):
    await of(first).claim("ann", OVER)
    with pytest.raises(NotLeader):
        await first.commit_intent(samples.operation(), samples.decision())
    assert await first.open_operations() == ()


async def test_i11_who_released_it_commits_no_intent(first):
    await of(first).claim("ann", LONG)
    await of(first).release()
    with pytest.raises(NotLeader):
        await first.commit_intent(samples.operation(), samples.decision())


async def test_an_answer_that_comes_late_is_stored_by_who_led(first, second):
    await of(first).claim("ann", LONG)
    await first.commit_intent(samples.operation(), samples.decision())
    await of(first).release()
    await of(second).claim("bob", LONG)
    await first.update(samples.operation(state=State.UNKNOWN), was=samples.operation())
    assert [operation.state for operation in await second.open_operations()] == [State.UNKNOWN]
