"""Bad days, on real processes: whatever the cloud does, the daemon has the right reason, counts it, and goes on."""

import json
import operator
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.processes import (
    ENGINES_WAIT,
    FLAVOR,
    TOKEN,
    EmulatedCloud,
    RunningDaemon,
    finished,
    policy,
    until,
    write_config,
)

pytestmark = pytest.mark.process

SPEED = 300
HOT, CALM = "hot-gr09", "calm-gr09"
NODES = 32
RECENT = 100
"""Decisions: more than any test lasts, and quicker to read than all."""


def instance(name: str, group: str, share: float) -> dict[str, Any]:
    return {
        "id": f"{name}in09",
        "name": name,
        "groups": [{"id": group, "flavor": FLAVOR, "nodes": 2, "load_share": share}],
        "schemas": [{"name": "orders", "data_nodes": ["rds-1"]}],
    }


SCENARIO = {
    "load": {"constant": 5000, "capacity_per_node": 1},
    "jobs": {"enlarge": "1m", "reduce": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
    "data_nodes": [{"id": "rds-1"}],
    "instances": [instance("hot", HOT, 1), instance("calm", CALM, 0.0002)],  # far too much, and half
}
EAGER = policy(
    instance_id="hotin09",
    group_id=HOT,
    nodes={"min": 2, "max": NODES},
    cooldown={"out": "3m", "failed": "3m"},
    max_metric_age="5m",
    warm_up="0s",
    guards={"data_nodes": {"max_cpu": 85}},
    rules=[{"name": "cpu", "type": "threshold", "metric": "ddm_cpu_util", "out": [{"above": 75, "add": 1}]}],
)
WATCHED = EAGER | {"instance_id": "calmin09", "group_id": CALM, "nodes": {"min": 2, "max": 4}}
TARGETS = {"hot": EAGER, "calm": WATCHED}


@dataclass
class World:
    """A cloud with a group that always wants more and one that never does, and the daemon that watches both."""

    cloud: EmulatedCloud
    daemon: RunningDaemon

    def more(self, target: str, wanted: Callable[[dict[str, Any]], bool], known: set[str]) -> dict[str, Any]:
        """The first decision beyond the known ones that is as wanted."""
        return until(lambda: [one for one in self.decisions(target, known) if wanted(one)], bool)[0]

    def decisions(self, target: str, known: set[str] = frozenset()) -> list[dict[str, Any]]:  # type: ignore[assignment]  # never changed
        return [one for one in self.daemon.decisions(target, limit=RECENT) if one["at"] not in known]

    def times(self, target: str) -> set[str]:
        return {one["at"] for one in self.daemon.decisions(target, limit=RECENT)}

    def ended(self, known: set[str], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first operation beyond the known ones that is as wanted."""
        found = until(lambda: [one for one in self.daemon.operations() if one["id"] not in known and wanted(one)], bool)
        return found[0]

    def ids(self) -> set[str]:
        return {one["id"] for one in self.daemon.operations()}

    def rises(self, least: float, metric: str, **labels: str) -> None:
        """Wait until a counter is above that."""
        until(partial(self.daemon.count, metric, **labels), partial(operator.lt, least))

    def goes_on(self) -> None:
        """Both targets are decided on, without an error."""
        for target in TARGETS:
            known = self.times(target)
            until(partial(self.decisions, target, known), bool)
            until(partial(self.daemon.target, target), lambda shown: shown["error"] is None)
        assert self.daemon.get("/-/healthy").status_code == 200

    def make_room(self) -> None:
        """Before the group is as large as it may be, somebody else makes it small."""
        if self.cloud.nodes() > NODES - 10:
            known = self.ids()
            until(lambda: self.arm(kind="foreign_scale_in", group=HOT, nodes=self.cloud.nodes() - 2), bool)
            self.ended(known, lambda one: one["foreign"] and one["direction"] == "in")

    def arm(self, **fault: Any) -> bool:
        """Whether it was armed: somebody else can do nothing to an instance that is busy."""
        with suppress(httpx.HTTPStatusError):
            self.cloud.fault(**fault)
            return True
        return False


def begin(folder: Path, scenario: dict[str, Any], targets: dict[str, Any], *, speed: float = SPEED) -> World:
    cloud = EmulatedCloud(folder / "cloud", scenario, speed=speed)
    return World(cloud, RunningDaemon(folder / "daemon", write_config(folder / "daemon", cloud, targets=targets)))


def end(world: World) -> None:
    world.daemon.end()
    world.cloud.end()


@pytest.fixture(scope="module")
def slow_answer(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    """An enlarge that was carried out and never answered; its time-out is 30 real seconds, so it is begun first."""
    faults = {"faults": [{"kind": "timeout_after", "service": "ddm", "operation": "enlarge"}]}
    world = begin(tmp_path_factory.mktemp("slow"), SCENARIO | faults, {"hot": EAGER}, speed=60)
    yield world
    end(world)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, slow_answer: World) -> Generator[World]:  # begun first
    """At the end every accepted call is one operation, and no intent was sent twice."""
    world = begin(tmp_path_factory.mktemp("days"), SCENARIO, TARGETS)
    world.daemon.ready()
    yield world
    mutations = world.cloud.mutations()
    accepted = {one["job_id"] for one in mutations if one["accepted"]}
    operations = until(world.daemon.operations, lambda found: accepted <= {one["job_id"] for one in found})
    log = world.daemon.log()
    code = world.daemon.stop()
    end(world)
    assert code == 0
    assert len(mutations) <= len([one for one in operations if not one["foreign"]])
    assert "Traceback" not in log
    assert "internal" not in log


ENLARGE: dict[str, Any] = {"service": "ddm", "operation": "enlarge"}


@dataclass(frozen=True)
class Call:
    """A fault of the one call, and how its operation ends."""

    fault: dict[str, Any]
    state: str
    detail: str  # a part of it
    outcomes: tuple[str, ...]  # what operations_total counts


CALLS = {
    "409": Call({"kind": "http_409", "code": "DBS.200019"}, "rejected", "DBS.200019", ("rejected",)),
    "429": Call({"kind": "429"}, "rejected", "429", ("rejected",)),
    "403": Call({"kind": "http_403"}, "rejected", "403", ("rejected",)),
    "401, a mutation is not repeated with another token": Call(
        {"kind": "expired_token"}, "rejected", "401", ("rejected",)
    ),
    "400, the data node is not available": Call(
        {"kind": "http_400", "code": "DBS.300323"}, "rejected", "DBS.300323", ("rejected",)
    ),
    "503, carried out": Call({"kind": "http_503_after"}, "succeeded", "job", ("unknown", "succeeded")),
    "reset, carried out": Call({"kind": "reset_after"}, "succeeded", "job", ("unknown", "succeeded")),
    "garbage": Call({"kind": "garbage"}, "succeeded", "job", ("unknown", "succeeded")),
    "a job that fails": Call({"kind": "failed_job"}, "failed", "Failed", ("failed",)),
    "a node that fails": Call({"kind": "enlargefail"}, "failed", "Failed", ("failed",)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_that_goes_wrong_is_one_operation_with_its_outcome(call, world):
    world.make_room()
    known, calm = world.ids(), world.times("calm")
    before = {
        outcome: world.daemon.count("operations_total", target="hot", outcome=outcome) for outcome in call.outcomes
    }
    world.cloud.fault(**ENLARGE, **call.fault)
    for outcome, least in before.items():
        world.rises(least, "operations_total", target="hot", outcome=outcome)
    operation = world.ended(known, lambda one: one["state"] == call.state and call.detail in one["detail"])
    assert operation["direction"] == "out"
    assert (operation["arrived"] or 0) == (1 if call.state == "succeeded" else 0)
    assert {one["reason"] for one in world.decisions("calm", calm)} == {"within_bounds"}


def test_after_a_failed_job_the_same_direction_cools_down(world):
    world.make_room()
    known, hot = world.ids(), world.times("hot")
    world.cloud.fault(**ENLARGE, kind="failed_job")
    failed = world.ended(known, lambda one: one["state"] == "failed")
    # Where it was the third in a row, the breaker is the first reason, and the cooldown one beside it.
    held = world.more("hot", lambda one: "cooldown" in one.get("details", {}) and one["at"] > failed["ended_at"], hot)
    assert held["decision"] == "hold"


@dataclass(frozen=True)
class Hold:
    """A fault of what is read, and the reason that both (or the hot one) then hold for."""

    fault: dict[str, Any]
    reasons: set[str]
    both: bool = False


CES: dict[str, Any] = {"service": "cloud_eye", "count": 16}
LASTS = 1500
"""Seconds of t, five real ones: a busy machine may take a second for a round."""
TRIED_AGAIN = {"count": 32}  # each round asks several times
HOLDS = {
    "Cloud Eye is empty": Hold(CES | {"kind": "empty_metrics"}, {"stale_data", "no_data"}, both=True),
    "Cloud Eye is late": Hold(CES | {"kind": "late_datapoints", "seconds": 1200}, {"stale_data", "no_data"}, both=True),
    "Cloud Eye says NaN": Hold(CES | {"kind": "nan_datapoints"}, {"stale_data", "no_data"}, both=True),
    "Cloud Eye fails": Hold(CES | TRIED_AGAIN | {"kind": "http_500"}, {"stale_data", "no_data"}, both=True),
    "Cloud Eye throttles": Hold(CES | TRIED_AGAIN | {"kind": "429"}, {"stale_data", "no_data"}, both=True),
    "the data node is busy": Hold({"kind": "data_node_busy", "seconds": LASTS}, {"data_node_busy"}),
    "the data node is hot": Hold({"kind": "data_node_hot", "seconds": LASTS}, {"data_node_bottleneck"}),
    "the flavor is sold out": Hold({"kind": "sold_out", "seconds": LASTS}, {"sold_out"}),
}


@pytest.mark.parametrize("hold", HOLDS.values(), ids=HOLDS)
def test_what_cannot_be_known_or_had_is_a_hold_with_its_reason_until_it_is_over(hold, world):
    world.make_room()
    targets = tuple(TARGETS) if hold.both else ("hot",)
    known = {target: world.times(target) for target in TARGETS}
    before = {name: world.daemon.count("evaluation_errors_total", target=name) for name in TARGETS}
    world.cloud.fault(**hold.fault)
    for target in targets:
        held = world.more(target, lambda one: one["reason"] in hold.reasons, known[target])
        assert held["decision"] == "hold"
        world.rises(0, "decisions_total", target=target, reason=held["reason"])
    if not hold.both:
        assert {one["reason"] for one in world.decisions("calm", known["calm"])} <= {"within_bounds"}
    world.more("hot", lambda one: one["decision"] == "out", world.times("hot"))
    world.goes_on()
    for name in TARGETS:
        assert world.daemon.count("evaluation_errors_total", target=name) == before[name]


@dataclass(frozen=True)
class Fails:
    """A fault of what is read that leaves nothing to decide on: a counted error."""

    fault: dict[str, Any]
    error: str
    targets: tuple[str, ...] = ("hot",)


SHOWN: dict[str, Any] = {"service": "ddm", "operation": "show_instance", "count": 24}
"""For both targets and who follows an operation of one, each of which asks three times."""
FAILS = {
    "DDM is down": Fails(SHOWN | {"kind": "503"}, "unavailable", ("hot", "calm")),
    "DDM throttles": Fails(SHOWN | {"kind": "429"}, "throttled", ("hot", "calm")),
    "half a page of jobs": Fails(
        {"kind": "partial_page", "service": "ddm", "operation": "list_jobs", "count": 6}, "unreadable"
    ),
    "the flavors are garbage": Fails({"kind": "garbage", "service": "ddm", "operation": "list_flavors"}, "unreadable"),
    "RDS is down": Fails({"kind": "503", "service": "rds", "count": 6}, "unavailable"),
}


@pytest.mark.parametrize("fails", FAILS.values(), ids=FAILS)
def test_what_cannot_be_read_is_a_counted_error_and_over_when_it_is_over(fails, world):
    world.make_room()
    known = world.times("calm")
    before = {
        name: world.daemon.count("evaluation_errors_total", target=name, error=fails.error) for name in fails.targets
    }
    world.cloud.fault(**fails.fault)
    for name, least in before.items():
        world.rises(least, "evaluation_errors_total", target=name, error=fails.error)
    if "calm" not in fails.targets:
        assert {one["reason"] for one in world.decisions("calm", known)} == {"within_bounds"}
    world.goes_on()


def test_a_revoked_token_is_renewed_by_itself(world):
    before = world.daemon.count("cloud_requests_total", service="iam", code="201")
    errors = world.daemon.count("evaluation_errors_total")
    world.cloud.fault(kind="token_revoked")
    world.rises(before, "cloud_requests_total", service="iam", code="201")
    world.goes_on()
    assert world.daemon.count("evaluation_errors_total") == errors


def test_a_job_list_that_forgets_does_not_lose_an_operation(world):
    world.make_room()
    known = world.ids()
    world.cloud.fault(kind="job_list_forgets", service="ddm", count=12)
    operation = world.ended(known, lambda one: one["state"] == "succeeded" and not one["foreign"])
    assert operation["arrived"] == 1
    world.goes_on()


def test_somebody_elses_scale_out_is_waited_for_and_then_a_foreign_operation_with_its_cooldown(tmp_path, started):
    slowly = {"jobs": {"enlarge": "90m", "status_delay": "80m"}, "faults": [{"kind": "foreign_scale_out", "nodes": 2}]}
    fresh = begin(tmp_path, SCENARIO | slowly, {"hot": EAGER | {"cooldown": {"out": "30m"}}}, speed=200)
    started(fresh.cloud), started(fresh.daemon).ready()
    held = fresh.more("hot", lambda one: one["reason"] == "in_progress", set())
    assert "EnlargeNode" in held["details"]["in_progress"]
    fresh.more("hot", lambda one: "not_ready" in one["vetoes"], set())
    foreign = fresh.ended(set(), lambda one: one["foreign"])
    assert (foreign["direction"], foreign["state"], foreign["arrived"]) == ("out", "succeeded", 2)
    cooling = fresh.more("hot", lambda one: one["vetoes"] == ["cooldown"], set())
    assert cooling["decision"] == "hold"
    again = fresh.more("hot", lambda one: one["decision"] == "out", set())
    cooled = datetime.fromisoformat(again["at"]) - datetime.fromisoformat(foreign["ended_at"])
    assert cooled >= timedelta(minutes=30)
    assert len(fresh.cloud.mutations()) <= 1


def test_from_the_start_without_any_metric_it_is_no_data_and_then_it_scales(tmp_path, started):
    faults = {"faults": [{"kind": "empty_metrics", "service": "cloud_eye", "count": 12}]}
    fresh = begin(tmp_path, SCENARIO | faults, {"hot": EAGER})
    started(fresh.cloud), started(fresh.daemon).ready()
    assert fresh.more("hot", lambda one: one["reason"] == "no_data", set())["decision"] == "hold"
    assert fresh.more("hot", lambda one: one["decision"] == "out", set())["reason"] == "above_threshold"


def test_an_unknown_outcome_is_held_never_resent_and_an_operator_may_close_it(tmp_path, started):
    faults = {"faults": [{"kind": "503", **ENLARGE}]}
    fresh = begin(tmp_path, SCENARIO | faults, {"hot": EAGER})
    started(fresh.cloud), started(fresh.daemon).ready()
    unknown = fresh.ended(set(), lambda one: one["state"] == "unknown")
    fresh.more("hot", lambda one: one["reason"] == "unknown_outcome", set())
    known = fresh.times("hot")
    until(lambda: fresh.decisions("hot", known), lambda found: len(found) > 12)  # beyond ten minutes of t
    assert {one["reason"] for one in fresh.decisions("hot", known)} == {"unknown_outcome"}
    assert [one["accepted"] for one in fresh.cloud.mutations()] == [False]

    closes = ("resolve", "hot", "--as", "never_happened", "--reason", "not there", "--yes", "--url", fresh.daemon.url)
    refused = finished(*closes, environment={"AUTOSCALER_SERVER__TOKEN": "another"})
    assert refused.code == 1
    assert "Traceback" not in refused.said
    done = finished(*closes, "--format", "json", environment={"AUTOSCALER_SERVER__TOKEN": TOKEN})
    assert done.code == 0, done.said
    assert (json.loads(done.stdout)["id"], json.loads(done.stdout)["state"]) == (unknown["id"], "never_happened")
    fresh.more("hot", lambda one: one["reason"] == "cooldown", known)
    assert fresh.ended({unknown["id"]}, lambda one: one["state"] == "succeeded")["arrived"] == 1


@pytest.mark.parametrize(
    ("seconds", "state"), [(3, "submitted"), (60, "unknown")], ids=["finished in time", "written down as unknown"]
)
def test_i9_stopping_finishes_or_records_a_call_that_has_begun(seconds, state, tmp_path, started):
    once = EAGER | {"cooldown": {"out": "2h"}}
    fresh = begin(tmp_path, SCENARIO | {"jobs": {"enlarge": "12m", "status_delay": "10s"}}, {"hot": once})
    started(fresh.cloud), started(fresh.daemon)
    fresh.cloud.fault(kind="slow", **ENLARGE, seconds=seconds)
    until(fresh.cloud.mutations, bool)
    code, took = fresh.daemon.stop_timed()
    assert (code, took < ENGINES_WAIT) == (0, True)
    assert f'"state": "{state}"' in fresh.daemon.log()
    assert "Traceback" not in fresh.daemon.said()
    again = started(RunningDaemon(fresh.daemon.folder, fresh.daemon.environment)).ready()
    (operation,) = until(again.operations, lambda found: found[0]["state"] == "succeeded")
    (call,) = fresh.cloud.mutations()
    assert (operation["job_id"], operation["arrived"]) == (call["job_id"], 1)


def test_a_call_that_is_never_answered_is_unknown_then_found_by_its_job_and_not_made_again(slow_answer, world):
    assert world.cloud.alive()
    (first, *_) = slow_answer.cloud.mutations()
    operation = until(
        lambda: next(one for one in slow_answer.daemon.operations() if one["job_id"] in (first["job_id"], None)),
        lambda one: one["state"] == "succeeded",
        seconds=60,
    )
    assert operation["job_id"] == first["job_id"]
    assert slow_answer.daemon.count("operations_total", outcome="unknown") == 1
    calls = slow_answer.cloud.mutations()  # first: the intent of each is there before it
    ours = [one for one in slow_answer.daemon.operations() if not one["foreign"]]
    assert len(calls) <= len(ours)
