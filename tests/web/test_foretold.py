"""What a change would do is said before it is made."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from autoscaler.core.target import Mode
from autoscaler.web import app, foretold
from autoscaler.web.addressed import Hosts
from tests.control.house import House, orders
from tests.web.conftest import NOW, POLICY, TOKEN, held, metrics, operation, target

HOUR = timedelta(hours=1)
OPEN = {"operation": operation()}


def known(**more: Any) -> dict[str, Any]:
    return target(**more) | {"policy": POLICY}


@pytest.mark.parametrize(
    ("state", "lasts", "words"),
    [
        ({}, HOUR, "orders is left at 3 nodes until 2026-11-23 11:00 UTC: no node is added or removed"),
        ({}, None, "until somebody resumes it"),
        ({"nodes": None}, HOUR, "orders is left at its present size"),
        (OPEN, HOUR, "The operation that is under way is not stopped."),
        ({"override": held(nodes=6)}, HOUR, "The override waits until it is resumed"),
    ],
    ids=["for an hour", "for ever", "not looked at", "under way", "overridden"],
)
def test_of_a_pause(state, lasts, words):
    assert words in foretold.pause(known(**state), lasts, NOW)


@pytest.mark.parametrize(
    ("state", "asked", "words"),
    [
        ({"pauses": [held(all=False)]}, {}, "its pause ends now; the next look, within 60 s, may change nodes"),
        ({"pauses": [held(all=False)] * 2}, {}, "its 2 pauses end now"),
        ({}, {}, "orders is not paused."),
        ({"override": held(nodes=6)}, {}, "The override of 6 nodes stays."),
        ({"override": held(nodes=6)}, {"override": True}, "The override of 6 nodes ends: the rules decide again."),
        ({}, {"breaker": True}, "Failures up to now no longer count"),
    ],
    ids=["one pause", "two", "none", "an override stays", "an override ends", "the breaker"],
)
def test_of_resuming(state, asked, words):
    assert words in foretold.resume(known(**state), **{"override": False, "breaker": False, **asked})


@pytest.mark.parametrize(
    ("state", "nodes", "words"),
    [
        ({}, 5, "orders goes from 3 to 5 nodes: at the next look 2 nodes more will be bought."),
        ({}, 2, "orders goes from 3 to 2 nodes: at the next look 1 node will be removed."),
        ({}, 3, "orders stays at 3 nodes."),
        ({}, 5, "The number stays until 2026-11-23 11:00 UTC; then the rules decide again."),
        ({"pauses": [held(all=False)]}, 5, "It is paused: nothing happens until it is resumed."),
        ({"mode": "observe"}, 5, "The mode is observe: nothing is sent"),
        ({"mode": "out_only"}, 2, "out_only: it does not scale in"),
        (OPEN, 5, "First the operation under way has to end."),
    ],
    ids=["more", "fewer", "as many", "the end", "paused", "observe", "out only", "under way"],
)
def test_of_an_override(state, nodes, words):
    assert words in foretold.override(known(**state), nodes, HOUR, NOW)


def test_out_only_says_nothing_of_a_scale_out():
    assert "out_only" not in foretold.override(known(mode="out_only"), 5, HOUR, NOW)


@pytest.mark.parametrize(
    ("nodes", "lasts", "words"),
    [
        (1, HOUR, "^1 nodes are outside the policy of orders; it allows 2 to 16.$"),
        (5, timedelta(days=90), "^For: at most 30d; what is to stay belongs into the policy's min and max.$"),
    ],
    ids=["too few", "too long"],
)
def test_of_an_override_that_cannot_be(nodes, lasts, words):
    with pytest.raises(foretold.NothingToSayError, match=words):
        foretold.override(known(), nodes, lasts, NOW)


@pytest.mark.parametrize(
    ("direction", "outcome", "words"),
    [
        ("out", "succeeded", "all of its nodes came, and its cooldowns begin now"),
        ("in", "failed", "the nodes that are seen to have gone count"),
        ("out", "never_happened", "no node came, and the breaker counts a failure"),
    ],
    ids=["succeeded", "failed", "never"],
)
def test_of_resolving(direction, outcome, words):
    said = foretold.resolve(known(operation=operation("unknown", direction=direction)), outcome)

    assert f"The daemon stops following {direction} by 1 node (op-1)." in said
    assert words in said


@pytest.mark.parametrize(
    ("state", "outcome", "words"),
    [({}, "failed", "no open operation"), (OPEN, "gone", "closed as succeeded, failed, never_happened")],
    ids=["nothing open", "no outcome"],
)
def test_of_resolving_what_cannot_be(state, outcome, words):
    with pytest.raises(foretold.NothingToSayError, match=words):
        foretold.resolve(known(**state), outcome)


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ("action=pause&for=2h", 200, "until 2026-11-23 12:00 UTC"),
        ("action=pause", 200, "until somebody resumes it"),
        ("action=resume&override=true", 200, "not paused"),
        ("action=override&nodes=5&for=2h", 200, "from 3 to 5 nodes"),
        ("action=override&nodes=five&for=2h", 422, "as a whole number"),
        ("action=override&nodes=5&for=soon", 422, "'soon' is no duration"),
        ("action=pause&for=0s", 422, "longer than 0s"),
        ("action=resolve&as=failed", 422, "no open operation"),
        ("action=destroy", 422, "action: "),
    ],
    ids=lambda value: str(value).replace("&", " ")[:40],
)
def test_the_daemon_is_asked_for_it_and_changes_nothing(served, asked, status, words):
    answer = served.http.get(f"/targets/orders/foretold?{asked}")

    assert answer.status_code == status
    assert words in answer.text
    assert not [one for one in served.console.asked if one[0] in ("pause", "resume", "override", "resolve")]


def test_of_what_is_not_there_nothing_is_foretold(served):
    assert served.http.get("/targets/none/foretold?action=pause").status_code == 404
    served.console.broken = "the disk is gone"
    answer = served.http.get("/targets/orders/foretold?action=pause")
    assert (answer.status_code, answer.text) == (503, "the disk is gone")


@pytest.mark.parametrize("action", ["pause", "resume", "override&nodes=5&for=2h", "resolve&as=failed"])
def test_a_daemon_that_stands_by_says_so_instead(served, action):
    served.console.leader = "ddm-1 (17)"

    answer = served.http.get(f"/targets/orders/foretold?action={action}")

    assert answer.status_code == 409
    assert answer.text == "This daemon stands by and would refuse it: ddm-1 (17) leads."


def test_a_daemon_that_stands_by_offers_nothing_and_has_the_dialogs_for_when_it_leads(served):
    served.console.shown = [target(operation=operation(), pauses=[held(all=False)])]
    assert served.http.get("/targets/orders").text.count("data-steer=") == 4
    served.console.leader = "ddm-1 (17)"
    standing_by = served.http.get("/targets/orders").text
    assert "data-steer" not in standing_by
    assert 'id="steer-pause"' in standing_by


def test_the_dialogs_are_there_only_with_a_token(served, locked):
    assert 'id="steer-pause"' in served.http.get("/targets/orders").text
    without = locked.http.get("/targets/orders").text
    assert "<dialog" in without
    assert "data-steer" not in without
    assert "read only: started without a token" in without


# What is foretold is what is done, on a console of real parts.


async def accepted(house: House) -> None:
    """With a job that has ended: while it runs only the cloud knows, and the words say that it is refused then."""
    await house.hot()
    house.cloud.finish_all()


async def all_paused(house: House) -> None:
    await house.console().pause(None, lasts=None, reason="", who="ann")


async def off(house: House) -> None:
    house.policies = (orders(mode=Mode.OFF),)


async def steady(house: House) -> None:
    house.metrics.stand_at(50)
    await house.evaluate()


async def unknown(house: House) -> None:
    await house.unknown()


STANDING = {one.__name__: one for one in (steady, accepted, unknown, all_paused, off)}
SPANS = ("2h", "1s", "0s", "30d", "30d1s", "90d", "99999d999999h9999999m99999999s", "soon")
WISHES: list[dict[str, Any]] = [
    *({"action": "override", "nodes": nodes, "for": "2h"} for nodes in (-1, 0, 1, 2, 6, 16, 17)),
    *({"action": "override", "nodes": 6, "for": span} for span in SPANS),
    *({"action": "pause", "for": span} for span in SPANS),
    {"action": "pause"},
    {"action": "resume"},
    {"action": "resume", "override": True, "breaker": True},
    *({"action": "resolve", "as": outcome} for outcome in ("succeeded", "failed", "never_happened", "gone")),
]


@pytest.mark.parametrize("standing", STANDING.values(), ids=STANDING)
@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: " ".join(map(str, wish.values())))
async def test_what_is_foretold_is_taken_and_what_is_refused_is_not_foretold(wish, standing):
    house = House()
    await standing(house)
    served = app.create_app(house.console(), metrics, SecretStr(TOKEN), Hosts())
    body = {key: value for key, value in wish.items() if key != "action"} | {"reason": "I looked"}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://localhost") as http:
        told = await http.get("/targets/orders/foretold", params=wish)
        done = await http.post(
            f"/api/v1/targets/orders/{wish['action']}", json=body, headers={"Authorization": f"Bearer {TOKEN}"}
        )

    assert told.is_success == done.is_success, (told.text, done.text)
    assert told.status_code < 500
    assert done.status_code < 500
