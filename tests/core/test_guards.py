"""What may veto a change: each guard, their order, and the sentence that tells an operator what is in the way."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.core import guard
from autoscaler.core.checks import newest_cpu
from autoscaler.core.decision import VETO_ORDER, Reason
from autoscaler.core.operation import State
from autoscaler.core.target import Mode, Target
from tests.core.given import (
    HOT_OR_COLD,
    INSTANCE,
    NO_COOLDOWN,
    NOW,
    ago,
    checks,
    data_node,
    decided,
    job,
    observation,
    offer,
    operation,
    policy,
    snapshot,
)

HOT, COLD = "80", "20"
BUSY_RDS = data_node(rds="BACKING UP")


def vetoes(cpu: str, *, auto_pay: bool = False, pre: dict | None = None, keys: dict | None = None, **more):
    """Which guards veto a change that this CPU wants; `pre` is what was read just before acting."""
    seen = observation(cpu, **more)
    if pre is not None:
        seen = replace(seen, checks=checks(seen, **pre))
    target = Target("orders", INSTANCE.instance_id, auto_pay=auto_pay)
    decision = decided(policy(HOT_OR_COLD, target=target, **(keys or {})), seen)
    return {veto.value: decision.details[veto.value] for veto in decision.vetoes}


def hot_rds(cpu: str | None, *, max_cpu: Decimal | None = Decimal(85), **keys: Any) -> dict[str, Any]:
    """Two RDS instances, the second at this CPU."""
    pre = {"data_nodes": (data_node(cpu="10"), data_node(cpu=cpu))}
    return {"pre": pre, "keys": {"data_node_max_cpu": max_cpu, **keys}}


UNKNOWN = {"operations": (operation(state=State.UNKNOWN, id="op7"),)}
OPEN = {"operations": (operation(state=State.SUBMITTED, change=2, id="op7"),)}


@pytest.mark.parametrize(
    ("given", "hot", "cold"),
    [
        pytest.param({}, "", "", id="nothing-in-the-way"),
        pytest.param(UNKNOWN, "unknown_outcome", "unknown_outcome", id="unknown-outcome"),
        pytest.param(OPEN, "in_progress", "in_progress", id="submitted"),
        pytest.param({"operations": (operation(state=State.PLANNED),)}, "in_progress", "in_progress", id="planned"),
        pytest.param(
            {"operations": (operation(state=State.SUBMITTED, group_id="other", target="b"),)},
            "in_progress",
            "in_progress",
            id="open-on-another-group-of-the-instance",
        ),
        pytest.param(
            {"operations": (operation(state=State.UNKNOWN, group_id="other", target="b"),)},
            "unknown_outcome",
            "unknown_outcome",
            id="unknown-on-another-group-of-the-instance",
        ),
        pytest.param(
            {"operations": (operation(state=State.SUBMITTED, shadow=True),)},
            "in_progress",
            "in_progress",
            id="own-shadow",
        ),
        pytest.param(
            {"operations": (operation(state=State.SUBMITTED, shadow=True, target="b"),)},
            "",
            "",
            id="a-neighbours-shadow",
        ),
        pytest.param({"pre": {"jobs": (job(),)}}, "in_progress", "in_progress", id="a-job-we-do-not-know"),
        pytest.param(
            {"pre": {"jobs": (job("Pausing"),)}}, "in_progress", "in_progress", id="a-job-in-a-state-we-do-not-know"
        ),
        pytest.param({"pre": {"jobs": (job(instance="b"),)}}, "", "", id="a-job-of-another-instance"),
        pytest.param({"pre": {"jobs": (job("Completed"), job("Failed"))}}, "", "", id="finished-jobs"),
        pytest.param({"pre": {"jobs": (job("RollbackSuccess"), job("CancelSuccess"))}}, "", "", id="undone-jobs"),
        pytest.param({"snapshot": snapshot(status="GROWING")}, "not_ready", "not_ready", id="growing"),
        pytest.param({"snapshot": snapshot(status="of a new kind")}, "not_ready", "not_ready", id="a-status-not-known"),
        pytest.param(
            {"snapshot": snapshot(3, 2, missing_ones_are="creating")}, "not_ready", "not_ready", id="creating-node"
        ),
        pytest.param(
            {"snapshot": snapshot(3, 2, missing_ones_are="resizing")}, "not_ready", "not_ready", id="resizing-node"
        ),
        pytest.param(
            {"snapshot": snapshot(3, 2, missing_ones_are="restarting")}, "not_ready", "not_ready", id="restarting"
        ),
        pytest.param({"snapshot": snapshot(3, 2, missing_ones_are="abnormal")}, "", "not_ready", id="an-abnormal-node"),
        pytest.param({"snapshot": snapshot(3, 2, missing_ones_are="enlargefail")}, "", "not_ready", id="a-failed-node"),
        pytest.param(
            {"snapshot": snapshot(3, 2, missing_ones_are="of a new kind")}, "", "not_ready", id="a-node-not-known"
        ),
        pytest.param({"pre": {"snapshot": snapshot(4)}}, "not_ready", "not_ready", id="a-node-came-meanwhile"),
        pytest.param({"pre": {"snapshot": snapshot(3, 2)}}, "not_ready", "not_ready", id="a-node-failed-meanwhile"),
        pytest.param(
            {"pre": {"snapshot": snapshot(status="REDUCING")}}, "not_ready", "not_ready", id="reducing-meanwhile"
        ),
        pytest.param({"pre": {"skew": timedelta(minutes=5)}}, "", "", id="clocks-five-minutes-apart"),
        pytest.param({"pre": {"skew": timedelta(seconds=301)}}, "not_ready", "not_ready", id="the-clouds-clock-ahead"),
        pytest.param(
            {"pre": {"skew": timedelta(seconds=-301)}}, "not_ready", "not_ready", id="the-clouds-clock-behind"
        ),
        pytest.param({"operations": (operation(ended=ago(9)),)}, "cooldown", "cooldown", id="cooldown"),
        pytest.param({"mode": Mode.OUT_ONLY}, "", "direction_locked", id="out-only"),
        pytest.param({"snapshot": snapshot(prepaid=True)}, "payment_required", "no_scale_in", id="prepaid"),
        pytest.param(
            {"snapshot": snapshot(prepaid=True), "auto_pay": True}, "", "no_scale_in", id="prepaid-that-pays-itself"
        ),
        pytest.param({"pre": {"data_nodes": (data_node(),)}}, "", "", id="data-node-in-order"),
        pytest.param({"pre": {"data_nodes": ()}}, "", "", id="no-data-node"),
        pytest.param(
            {"pre": {"data_nodes": (data_node(), BUSY_RDS)}}, "data_node_busy", "data_node_busy", id="rds-busy"
        ),
        pytest.param(
            {"pre": {"data_nodes": (data_node(ddm="Backing up"),)}},
            "data_node_busy",
            "data_node_busy",
            id="busy-in-ddm",
        ),
        pytest.param(
            {"pre": {"data_nodes": (data_node(rds=""),)}}, "data_node_busy", "data_node_busy", id="rds-not-found"
        ),
        pytest.param({"pre": {"data_nodes": (data_node("NORMAL", "active"),)}}, "", "", id="whatever-the-case"),
        pytest.param(
            {"pre": {"data_nodes": (BUSY_RDS,)}, "keys": {"check_data_nodes": False}}, "", "", id="left-to-the-cloud"
        ),
        pytest.param(hot_rds("85.1"), "data_node_bottleneck", "", id="rds-above-max-cpu"),
        pytest.param(hot_rds("85"), "", "", id="rds-at-exactly-max-cpu"),
        pytest.param(hot_rds("12"), "", "", id="rds-idle"),
        pytest.param(hot_rds(None), "", "", id="rds-of-unknown-cpu"),
        pytest.param(hot_rds("99", max_cpu=None), "", "", id="nobody-asks-for-the-cpu"),
        pytest.param(
            hot_rds("99", check_data_nodes=False), "data_node_bottleneck", "", id="availability-left-to-the-cloud"
        ),
        pytest.param({"keys": {"data_node_max_cpu": Decimal(85)}}, "", "", id="cpu-not-read-yet"),
        pytest.param({"pre": {"offer": offer(sold_out=True)}}, "sold_out", "", id="sold-out"),
        pytest.param({"pre": {"offer": offer()}}, "", "", id="on-sale"),
        pytest.param({"led_by": "ddm-1"}, "not_leader", "not_leader", id="another-daemon-leads"),
        pytest.param({"led_by": ""}, "not_leader", "not_leader", id="it-is-not-known-who-leads"),
        pytest.param({"mode": Mode.OBSERVE}, "observe_only", "observe_only", id="observe"),
        pytest.param({"mode": Mode.OFF}, "observe_only", "observe_only", id="off-is-never-less-than-observe"),
    ],
)
def test_a_guard_and_the_directions_it_vetoes(given, hot, cold):
    assert list(vetoes(HOT, **given)) == ([hot] if hot else [])
    assert list(vetoes(COLD, **given)) == ([cold] if cold else [])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        pytest.param(UNKNOWN, "operation op7 has no known outcome; it is being looked for", id="unknown"),
        pytest.param(OPEN, "out by 2 is under way since 2026-11-23T11:55:00Z (operation op7)", id="open"),
        pytest.param(
            {"pre": {"jobs": (job(),)}}, "job job-1 (EnlargeNode) is Running, started by somebody else", id="job"
        ),
        pytest.param(
            {"snapshot": snapshot(status="GROWING")}, "the instance is GROWING, not RUNNING", id="not-running"
        ),
        pytest.param({"led_by": "ddm-1 (7)"}, "ddm-1 (7) leads, this one stands by", id="led-by"),
        pytest.param({"led_by": ""}, "another daemon leads, this one stands by", id="led-by-nobody-knows-whom"),
        pytest.param(
            {"pre": {"snapshot": snapshot(status="ERROR")}}, "the instance is ERROR, not RUNNING", id="not-now"
        ),
        pytest.param({"snapshot": snapshot(3, 2, missing_ones_are="creating")}, "node n2 is creating", id="node"),
        pytest.param(
            {"pre": {"snapshot": snapshot(4)}}, "the nodes changed while they were being looked at", id="changed"
        ),
        pytest.param(
            {"pre": {"skew": timedelta(minutes=-6)}},
            "the cloud's clock is -360 s from ours; mend the time of this machine",
            id="skew",
        ),
        pytest.param({"operations": (operation(ended=ago(9)),)}, "until 2026-11-23T12:01:00Z", id="cooldown"),
        pytest.param(
            {"snapshot": snapshot(prepaid=True)},
            "the instance is prepaid (yearly/monthly): set auto_pay: true to let orders pay themselves",
            id="payment",
        ),
        pytest.param(
            {"pre": {"data_nodes": (BUSY_RDS,)}}, "data node orders-db is normal in DDM and BACKING UP in RDS", id="rds"
        ),
        pytest.param(
            hot_rds("93.25"),
            "data node orders-db is at 93.25 % CPU, above max_cpu 85 %: more DDM nodes cannot help",
            id="bottleneck",
        ),
        pytest.param(
            {"pre": {"data_nodes": (data_node(rds=""),)}},
            "data node orders-db is normal in DDM and not found in RDS",
            id="gone",
        ),
        pytest.param(
            {"pre": {"offer": offer(sold_out=True)}},
            "flavor flavor is sold out where the target may use it",
            id="sold-out",
        ),
        pytest.param({"mode": Mode.OBSERVE}, "the mode is observe", id="observe"),
    ],
)
def test_a_veto_says_what_is_in_the_way(given, sentence):
    assert list(vetoes(HOT, **given).values()) == [sentence]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        pytest.param({"mode": Mode.OUT_ONLY}, "the mode is out_only", id="out-only"),
        pytest.param(
            {"snapshot": snapshot(prepaid=True)},
            "the instance is prepaid (yearly/monthly); the cloud does not scale it in",
            id="prepaid",
        ),
    ],
)
def test_a_veto_of_scaling_in_says_what_is_in_the_way(given, sentence):
    assert list(vetoes(COLD, **given).values()) == [sentence]


def test_a_data_node_without_a_name_is_told_by_its_id():
    nameless = replace(data_node(ddm="Creating"), name="")
    assert vetoes(HOT, pre={"data_nodes": (nameless,)}) == {
        "data_node_busy": "data node rds-1 is Creating in DDM and ACTIVE in RDS"
    }


ZONES = {
    "one": (("nowhere",), "zone nowhere does not exist here; there are: az1, az2"),
    "several": (("nowhere", "gone"), "zones nowhere, gone do not exist here; there are: az1, az2"),
}


@pytest.mark.parametrize(("unknown", "sentence"), ZONES.values(), ids=ZONES)
def test_zones_that_do_not_exist_are_not_called_sold_out(unknown, sentence):
    wanted = replace(offer(sold_out=True), unknown_zones=unknown, zones=("az1", "az2"))
    assert vetoes(HOT, pre={"offer": wanted}) == {"sold_out": sentence}


def test_a_zone_beside_one_that_sells_stops_nothing():
    assert vetoes(HOT, pre={"offer": replace(offer(), unknown_zones=("nowhere",), zones=("az1",))}) == {}


def test_a_sold_out_flavor_that_nobody_named():
    assert (
        "flavor of the group is sold out"
        in vetoes(HOT, pre={"offer": replace(offer(sold_out=True), flavor_id=None)})["sold_out"]
    )


def test_a_data_node_at_its_limit_is_told_by_its_id_where_it_has_no_name():
    nameless = replace(data_node(cpu="90"), name="")
    keys = {"data_node_max_cpu": Decimal("89.9")}
    assert vetoes(HOT, pre={"data_nodes": (nameless,)}, keys=keys) == {
        "data_node_bottleneck": "data node rds-1 is at 90 % CPU, above max_cpu 89.9 %: more DDM nodes cannot help"
    }


def test_below_min_grows_although_a_data_node_is_at_its_limit():
    seen = observation("50", snapshot=snapshot(1))
    seen = replace(seen, checks=checks(seen, data_nodes=(data_node(cpu="99"),)))
    decision = decided(policy(HOT_OR_COLD, nodes=(2, 16), data_node_max_cpu=Decimal(85)), seen)
    assert (decision.decision.value, decision.desired, decision.reason.value) == ("out", 2, "below_min")


NEWEST = {
    "the newest": ({3: "10", 2: "20"}, "20"),
    "the minute that is just over": ({1: "30"}, "30"),
    "a minute that is not over": ({2: "20", 0.5: "40"}, "20"),
    "as old as is allowed": ({15: "50"}, "50"),
    "too old": ({15.1: "50"}, None),
    "none": ({}, None),
}


@pytest.mark.parametrize(("points", "expected"), NEWEST.values(), ids=NEWEST)
def test_the_cpu_of_a_data_node_is_that_of_its_newest_whole_minute(points, expected):
    given = {ago(minutes): Decimal(value) for minutes, value in points.items()}
    newest = newest_cpu(given, NOW, timedelta(minutes=15))
    assert newest == (None if expected is None else Decimal(expected))


EVERYTHING: dict[str, Any] = {
    "operations": (operation(state=State.UNKNOWN), operation(state=State.SUBMITTED), operation(ended=ago(1))),
    "snapshot": snapshot(status="ERROR", prepaid=True),
    "mode": Mode.OBSERVE,
    "led_by": "",
    "pre": {"data_nodes": (replace(BUSY_RDS, cpu=Decimal(99)),), "offer": offer(sold_out=True)},
    "keys": {"data_node_max_cpu": Decimal(85)},
}


def test_all_vetoes_that_apply_are_listed_in_their_order():
    assert list(vetoes(HOT, **EVERYTHING)) == [
        "unknown_outcome",
        "in_progress",
        "not_ready",
        "cooldown",
        "payment_required",
        "data_node_bottleneck",
        "data_node_busy",
        "sold_out",
        "not_leader",
        "observe_only",
    ]
    assert list(vetoes(COLD, **EVERYTHING)) == [
        "unknown_outcome",
        "in_progress",
        "not_ready",
        "cooldown",
        "no_scale_in",
        "data_node_busy",
        "not_leader",
        "observe_only",
    ]
    assert list(vetoes(COLD, **{**EVERYTHING, "mode": Mode.OUT_ONLY}))[3:] == [
        "cooldown",
        "direction_locked",
        "no_scale_in",
        "data_node_busy",
        "not_leader",
    ]


def test_the_first_veto_is_the_reason():
    decision = decided(policy(HOT_OR_COLD), HOT, operations=(operation(state=State.UNKNOWN),), mode=Mode.OBSERVE)
    assert decision.reason is Reason.UNKNOWN_OUTCOME
    assert decision.wanted_reason is Reason.ABOVE_THRESHOLD
    assert (decision.desired, decision.change) == (4, 0)


def test_where_nothing_is_wanted_nothing_is_vetoed():
    seen = observation("50", **{key: value for key, value in EVERYTHING.items() if key not in {"pre", "keys"}})
    decision = decided(policy(HOT_OR_COLD), seen)
    assert (decision.reason, decision.vetoes, decision.details) == (Reason.WITHIN_BOUNDS, (), {})


def test_i10_observe_never_moves():
    for cpu in (HOT, COLD):
        assert decided(policy(HOT_OR_COLD, cooldown=NO_COOLDOWN), cpu, mode=Mode.OBSERVE).change == 0


def test_the_guards_stand_in_the_order_of_the_closed_list():
    """The reason of a hold is the first of these; users read it in their history."""
    assert tuple(guard.GUARDS) == VETO_ORDER
    assert [reason.value for reason in VETO_ORDER] == [
        "paused",
        "unknown_outcome",
        "in_progress",
        "breaker_open",
        "not_ready",
        "cooldown",
        "direction_locked",
        "no_scale_in",
        "payment_required",
        "blackout",
        "fleet_limit",
        "budget",
        "data_node_bottleneck",
        "data_node_busy",
        "sold_out",
        "not_leader",
        "observe_only",
    ]
