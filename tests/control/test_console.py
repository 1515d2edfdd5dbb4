"""The console: what it shows of the daemon, and when an operator may close an operation by hand."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from autoscaler.control import console as console_module
from autoscaler.core.operation import State
from autoscaler.core.policy import Direction
from autoscaler.core.target import InstanceKey, Mode
from autoscaler.errors import NotFound, Unavailable
from autoscaler.ports import ChangeRefusedError, QuestionInvalidError
from tests.control.house import House, orders
from tests.fakes import HANG

ROOT = Path(__file__).parents[2]


async def resolve(house: House, outcome: str = "succeeded", target: str = "orders") -> dict:
    return await house.console().resolve(target, outcome=outcome, reason="seen by eye", who="ann")


# What an operator may say -----------------------------------------------------------------------------------------

SAID = {
    "unknown, succeeded": (State.UNKNOWN, "succeeded", 0, State.SUCCEEDED, 1),
    "unknown, failed": (State.UNKNOWN, "failed", 0, State.FAILED, 0),
    "unknown, failed, and a node came": (State.UNKNOWN, "failed", 1, State.FAILED, 1),
    "unknown, never happened": (State.UNKNOWN, "never_happened", 0, State.NEVER_HAPPENED, 0),
    "submitted, succeeded": (State.SUBMITTED, "succeeded", 1, State.SUCCEEDED, 1),
    "submitted, failed": (State.SUBMITTED, "failed", 0, State.FAILED, 0),
    "planned, succeeded": (State.PLANNED, "succeeded", 0, State.SUCCEEDED, 1),
    "planned, never happened": (State.PLANNED, "never_happened", 0, State.NEVER_HAPPENED, 0),
}


@pytest.mark.parametrize(("before", "outcome", "came", "after", "arrived"), SAID.values(), ids=SAID)
async def test_an_operator_closes_an_operation(house, before, outcome, came, after, arrived):
    operation = await house.unknown()
    house.store.stored[operation.id] = replace(operation, state=before)
    house.cloud.add(came)
    shown = await resolve(house, outcome)
    assert (house.operation.state, house.operation.arrived) == (after, arrived)
    assert house.operation.ended_at == house.clock.now()
    assert house.operation.detail == f"closed by ann as {outcome}: seen by eye"
    assert (shown["id"], shown["state"]) == (operation.id, after.value)
    assert house.monitor.said("closed by hand") == 1
    await house.evaluate()
    assert house.foreign == []


OTHERS = {
    "what came beyond what succeeded": ("succeeded", 3, [(Direction.OUT, 2)]),
    "what came beyond what failed": ("failed", 2, [(Direction.OUT, 1)]),
    "all that came where nothing of ours happened": ("never_happened", 1, [(Direction.OUT, 1)]),
    "what went meanwhile": ("never_happened", -1, [(Direction.IN, 1)]),
}


@pytest.mark.parametrize(("outcome", "change", "noted"), OTHERS.values(), ids=OTHERS)
async def test_closing_an_operation_notes_as_somebody_elses(house, outcome, change, noted):
    await house.unknown()
    house.cloud.add(change) if change > 0 else house.cloud.remove(-change)
    await resolve(house, outcome)
    await house.evaluate()
    assert [(op.direction, op.change) for op in house.foreign] == noted


async def test_after_it_the_target_goes_on_with_the_cooldown_of_that_outcome(house):
    await house.unknown()
    await resolve(house, "never_happened")
    assert (await house.decision()).reason == "cooldown"
    house.minutes(15)
    assert (await house.hot()).state is State.SUBMITTED


# When it is refused -----------------------------------------------------------------------------------------------


async def test_without_an_open_operation_there_is_nothing_to_resolve(house):
    with pytest.raises(ChangeRefusedError, match="no open operation"):
        await resolve(house)


async def test_another_targets_operation_is_not_meant(house):
    await house.unknown()
    with pytest.raises(ChangeRefusedError, match="target stock has no open operation"):
        await resolve(house, target="stock")


@pytest.mark.parametrize("name", ["EnlargeNode", "RestartInstance"])
async def test_while_a_job_of_the_instance_runs_it_is_refused(house, name):
    await house.unknown()
    house.cloud.begin_job("theirs", name)
    with pytest.raises(ChangeRefusedError, match=f"job theirs .{name}. of the instance is running"):
        await resolve(house)
    assert house.operation.state is State.UNKNOWN


@pytest.mark.parametrize("status", ["GROWING", "reducing"])
async def test_while_the_instance_changes_it_is_refused(house, status):
    await house.unknown()
    house.cloud.instances["instance"].status = status
    with pytest.raises(ChangeRefusedError, match=f"the instance is {status}; wait for its end"):
        await resolve(house)
    assert house.operation.state is State.UNKNOWN


async def test_while_a_node_is_being_made_it_is_refused(house):
    await house.unknown()
    house.cloud.add(1, status="creating")
    with pytest.raises(ChangeRefusedError, match="is creating; wait for its end"):
        await resolve(house, "never_happened")
    assert house.operation.state is State.UNKNOWN


async def test_another_instances_job_does_not_matter(house):
    await house.unknown()
    house.cloud.begin_job("theirs", instance_id="another")
    assert (await resolve(house))["state"] == "succeeded"


@pytest.mark.parametrize("call", ["jobs", "describe"])
async def test_a_cloud_that_cannot_be_asked_refuses_it(house, call):
    await house.unknown()
    house.cloud.broken[call] = Unavailable("503")
    with pytest.raises(ChangeRefusedError, match="the cloud cannot be asked"):
        await resolve(house)


async def test_an_instance_that_is_gone_can_be_resolved(house):
    await house.unknown()
    house.cloud.broken["describe", "orders"] = NotFound("no such instance")
    assert (await resolve(house, "failed"))["state"] == "failed"


async def test_an_accepted_operation_cannot_never_have_happened(house):
    await house.hot()
    house.cloud.finish_all()
    with pytest.raises(ChangeRefusedError, match="accepted"):
        await resolve(house, "never_happened")
    assert house.operation.state is State.SUBMITTED


@pytest.mark.parametrize("word", ["rejected", "unknown", "done", ""])
async def test_a_word_that_is_no_outcome_is_refused(house, word):
    await house.unknown()
    with pytest.raises(ChangeRefusedError, match="no outcome"):
        await resolve(house, word)


async def test_a_call_under_way_is_refused(house):
    house.cloud.answers.append(HANG)
    house.metrics.stand_at(90)
    await house.evaluate(wait=False)
    await house.cloud.sent.wait()
    with pytest.raises(ChangeRefusedError, match="just being made"):
        await resolve(house)
    house.cloud.released.set()
    await house.calls_end()


async def test_an_operation_that_went_on_meanwhile_is_refused(house):
    operation = await house.unknown()

    def go_on(name: str) -> None:
        house.store.stored[operation.id] = replace(operation, state=State.SUBMITTED, job_id="job-7")

    house.cloud.on_call = go_on
    with pytest.raises(ChangeRefusedError, match="went on meanwhile"):
        await resolve(house)
    assert house.operation.job_id == "job-7"


async def test_an_operation_of_another_project_is_not_resolved_by_what_is_seen_here(house):
    operation = await house.unknown()
    there = replace(operation, instance=InstanceKey("eu-de", "other", "instance"))
    house.store.stored = {there.id: there}
    with pytest.raises(ChangeRefusedError, match="is of project eu-de/other"):
        await resolve(house)


async def test_of_two_projects_operations_the_present_one_is_meant(house):
    operation = await house.unknown()
    there = replace(operation, id="there", instance=InstanceKey("eu-de", "other", "instance"))
    house.store.stored = {there.id: there, operation.id: operation}
    assert (await resolve(house))["id"] == operation.id


# What it shows ----------------------------------------------------------------------------------------------------


async def test_a_target_is_shown_with_its_decision_and_its_open_operation(house):
    await house.hot()
    (shown,) = house.console().targets()
    assert (shown["name"], shown["mode"], shown["decision"]["decision"]) == ("orders", "enforce", "out")
    assert (shown["nodes"]["current"], shown["nodes"]["desired"], shown["operation"]["state"]) == (2, 3, "submitted")
    assert (shown["overdue"], shown["error"], shown["instance_status"]) == (False, None, "RUNNING")


async def test_a_target_that_was_never_evaluated_is_shown_without_a_decision(house):
    (shown,) = house.console().targets()
    assert (shown["decision"], shown["nodes"], shown["cooldowns"]) == (None, None, {"out": 0.0, "in": 0.0})


async def test_cooldowns_are_what_is_left_in_seconds(house):
    await house.hot()
    house.cloud.finish_all()
    await house.look(every=timedelta(0))
    house.minutes(4)
    await house.evaluate()
    assert next(house.console().targets())["cooldowns"] == {"out": 360.0, "in": 1560.0}


async def test_the_mode_shown_is_the_one_under_the_ceiling():
    house = House(ceiling=Mode.OBSERVE, policies=(orders(mode=Mode.OUT_ONLY),))
    assert next(house.console().targets())["mode"] == "observe"


async def test_a_target_by_name_has_its_policy_and_an_unknown_name_is_none(house):
    shown = house.console().target("orders")
    assert (shown["policy"]["min"], shown["policy"]["max"], shown["rules"][0]["thresholds"]) == (
        2,
        16,
        {"above": [75.0], "below": [30.0]},
    )
    assert house.console().target("stock") is None


async def test_the_reference_names_every_key_of_a_policy(house):
    section = (ROOT / "docs/api.md").read_text().split("## A policy\n")[1].split("\n## ")[0]
    keys = {key for line in section.splitlines() for key in re.findall(r"`(\w+)`", line.split(" | ")[0])}

    assert keys == set(house.console().target("orders")["policy"])


async def test_ready_tells_everything_that_is_missing(house):
    console = house.console()
    assert console.ready() == (True, "ready")
    console.readiness.lacks("sign-in", "not signed in yet")
    console.readiness.lacks("stop", "stopping")
    assert console.ready() == (False, "not signed in yet; stopping")
    console.readiness.has("sign-in")
    console.readiness.has("sign-in")
    assert console.ready() == (False, "stopping")


async def test_history_is_passed_on(house):
    await house.hot()
    console = house.console()
    (record,) = console.decisions("orders", before=None, since=None, limit=5)
    (operation,) = console.operations("orders", limit=5)
    assert (record["decision"], operation["id"]) == ("out", house.operation.id)
    assert (console.config(), console.now()) == ({}, house.clock.now())


# Charts -----------------------------------------------------------------------------------------------------------


async def test_a_chart_shows_the_last_hour_and_the_record_of_this_moment(house):
    for _ in range(3):
        await house.evaluate()
        house.minutes(30)
    house.clock.pass_time(timedelta(minutes=-30))

    shown = house.console().samples("orders", since=None, until=None, points=500)

    assert [value for _, value in shown["series"][0]["points"] if value is not None] == [50.0, 50.0, 50.0]
    assert (shown["series"][0]["rule"], shown["series"][0]["above"]) == ("cpu", [75.0])
    earlier = house.console().samples("orders", since=None, until=house.clock.now() - timedelta(minutes=29), points=500)
    assert len([at for at in earlier["nodes"]["current"] if at is not None]) == 2


async def test_a_chart_of_no_time_is_refused(house):
    with pytest.raises(QuestionInvalidError, match="before until"):
        house.console().samples("orders", since=house.clock.now(), until=house.clock.now(), points=500)


async def test_a_chart_of_too_many_records_is_refused(house, monkeypatch):
    monkeypatch.setattr(console_module, "MOST_RECORDS", 1)
    await house.evaluate()
    house.console().samples("orders", since=None, until=None, points=1)
    house.minutes()
    await house.evaluate()
    with pytest.raises(QuestionInvalidError, match="more than 1 records"):
        house.console().samples("orders", since=None, until=None, points=1)
