"""What was done by hand outlives the process, and is never quietly lost."""

import pytest
from sqlalchemy import text

from autoscaler.errors import StoreError
from tests.storage import samples
from tests.storage.samples import NOW


async def test_what_was_done_by_hand_is_there_after_a_restart(open_store):
    store = open_store()
    await store.intervene([samples.intervention(), samples.intervention("h2", target=None)])
    store.close()
    assert [one.id for one in await open_store().standing(at=NOW)] == ["h1", "h2"]


@pytest.mark.parametrize("spoiled", ["kind = 'new'", "nodes = 'many'", "until = 'noon'"])
async def test_one_that_cannot_be_read_stops_decisions_and_is_left_out_of_what_is_shown(open_store, spoiled):
    reports: list[str] = []
    store = open_store(report=reports.append)
    await store.intervene([samples.intervention(), samples.intervention("h2")])
    with store.transactions.engine.begin() as connection:
        connection.execute(text(f"UPDATE interventions SET {spoiled} WHERE id = 'h1'"))  # noqa: S608  # from the list above

    with pytest.raises(StoreError, match=r"'h1' of table interventions cannot be read.*nothing is decided meanwhile"):
        await store.standing(at=NOW)
    assert [one.id for one in store.history.standing(at=NOW)] == ["h2"]
    assert [one.id for one in store.history.interventions()] == ["h2"]
    assert len(reports) == 1
