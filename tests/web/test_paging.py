"""Pages: following `next` gives every entry once, in order, also where many are of the same time."""

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.web.paging import Order, Page
from tests.web.conftest import Json, Served, _part, operation, record


def pages(served: Served, path: str, key: str) -> list[list[Json]]:
    found = []
    link: str | None = path
    while link is not None:
        answer = served.http.get(link).raise_for_status().json()
        found.append(answer[key])
        link = answer["next"]
    return found


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_decisions_by_the_page(served, order):
    served.console.records["orders"] = [record(minute) for minute in (9, 8, 7, 6, 5, 4, 3)]
    span = "before=2026-11-23T09:09:00Z&since=2026-11-23T09:04:00%2B00:00"

    found = pages(served, f"/api/v1/targets/orders/decisions?{span}&limit=2&order={order}", "decisions")

    wanted = [record(minute) for minute in (8, 7, 6, 5, 4)]
    wanted = wanted[::-1] if order == "oldest" else wanted
    assert found == [wanted[:2], wanted[2:4], wanted[4:]]


@pytest.mark.parametrize("path", ["operations?target=orders&", "targets/orders/operations?", "operations?"])
def test_operations_by_the_page(served, path):
    served.console.ended = [operation(id=f"op-{n}") for n in range(5)]  # all of the same time

    found = pages(served, f"/api/v1/{path}limit=2", "operations")

    assert [[one["id"] for one in page] for page in found] == [["op-0", "op-1"], ["op-2", "op-3"], ["op-4"]]


@pytest.mark.parametrize("cursor", ["", "x", "1", "1-", "1-x", "-1-1", "1-1-1", "9" * 18 + "-1", "1-12345", "١-1"])
def test_a_cursor_that_was_made_up_is_422(served, cursor):
    answer = served.http.get("/api/v1/operations", params={"cursor": cursor})

    assert answer.status_code == 422
    assert answer.json()["error"].startswith("cursor: ")


@pytest.mark.parametrize("list_", ["decisions", "operations"])
def test_ever_may_be_said_by_the_ends_of_time(served, list_):
    served.console.records["orders"], served.console.ended = [record(2), record(1)], [operation(), operation()]
    ends = {"since": "0001-01-01T00:00:00+14:00", "before": "9999-12-31T23:59:59-14:00", "limit": "1"}

    first = served.http.get(f"/api/v1/targets/orders/{list_}", params=ends).raise_for_status().json()

    assert (len(first[list_]), len(served.http.get(first["next"]).json()[list_])) == (1, 1)
    none = {"before": ends["since"], "since": ends["before"]}
    assert served.http.get(f"/api/v1/targets/orders/{list_}", params=none).json()[list_] == []


@given(
    times=st.lists(st.integers(0, 5), max_size=30),
    limit=st.integers(1, 7),
    order=st.sampled_from(Order),
    before=st.none() | st.integers(0, 6),
    since=st.none() | st.integers(0, 6),
)
def test_every_entry_is_shown_once_and_in_order(times, limit, order, before, since):
    entries = [{"at": f"2026-11-23T09:00:0{at}Z", "n": n} for n, at in enumerate(sorted(times, reverse=True))]
    moments = {
        bound: None if bound is None else datetime.fromisoformat(f"2026-11-23T09:00:0{bound}Z")
        for bound in (before, since)
    }

    def read(before: datetime | None, since: datetime | None, limit: int, oldest_first: bool) -> tuple[Json, ...]:
        return _part(entries, "at", before, since, limit, oldest_first=oldest_first)

    shown: list[Json] = []
    cursor = None
    for _ in range(len(entries) + 1):
        page = Page(before=moments[before], since=moments[since], limit=limit, order=order, cursor=cursor)
        found, after = page.of(read, "at")
        shown += found
        if after is None:
            break
        assert len(found) == limit
        (cursor,) = re.findall(r"cursor=([^&]+)", after)

    assert after is None
    assert shown == list(read(moments[before], moments[since], 100, order is Order.OLDEST))
