"""The client against the emulated cloud over real HTTP: they share no code, so each checks the other."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autoscaler import errors
from autoscaler.core.policy import Direction, Statistic
from autoscaler.core.target import Snapshot, Target
from autoscaler.emulator import scenario, server
from autoscaler.huaweicloud.connection import AccessKey, Credentials, DdmApi, Dialect, Endpoints, Password
from autoscaler.ports import MetricQuery
from tests.huaweicloud.conftest import TARGET, Hands, operation

BEGIN = datetime(2026, 11, 23, 8, tzinfo=UTC)
USER = Password("emulator", "emulator", "emulator")
KEY = AccessKey("EMULATORACCESSKEY", "emulator-secret-key")


@pytest.fixture
def time() -> Hands:
    return Hands(BEGIN)


@pytest.fixture
async def emulator(time):
    """Start emulators that end with the test."""
    running: list[server.Emulator] = []

    async def start(**settings: Any) -> server.Emulator:
        emulated = server.Emulator(scenario.Scenario(**settings), time)
        await emulated.__aenter__()
        running.append(emulated)
        return emulated

    yield start
    for emulated in running:
        await emulated.__aexit__(None, None, None)


def settings(emulated: server.Emulator, credentials: Credentials, api: str, dialect: str) -> dict[str, Any]:
    at = emulated.addresses
    return {
        "credentials": credentials,
        "ddm_api": DdmApi(api),
        "dialect": Dialect(dialect),
        "project_id": None,
        "endpoints": Endpoints(at.iam, at.ddm, at.cloud_eye, at.rds),
    }


COMBINATIONS = [
    pytest.param(*row, id="-".join((row[0], row[1], type(row[2]).__name__)))
    for row in itertools.product(("huawei", "otc"), ("v2", "v3"), (USER, KEY))
]


@pytest.mark.parametrize(("dialect", "api", "credentials"), COMBINATIONS)
async def test_a_group_is_watched_enlarged_and_reduced(emulator, client, time, dialect, api, credentials):
    emulated = await emulator(dialect=dialect)
    made = client("", time=time, **settings(emulated, credentials, api, dialect))
    cloud = made.cloud
    await cloud.sign_in(good_for=timedelta(minutes=5))

    async def shown() -> Snapshot:
        found = (await cloud.describe([TARGET]))["orders"]
        assert isinstance(found, Snapshot)
        return found

    time.forward(hours=1)
    before = await shown()
    assert (before.instance_status, before.ready, before.prepaid) == ("RUNNING", 2, False)
    assert [node.available for node in await cloud.data_nodes(TARGET)] == [True]
    (data_node,) = await cloud.data_nodes(TARGET)
    cpu = await cloud.data_node_cpu([data_node.id, "of-another-project"], time.now() - timedelta(minutes=9), time.now())
    assert [round(value / 10) for value in cpu.pop(data_node.id).values()] == [3, 3, 3]
    assert cpu == {}
    offer = await cloud.offer(TARGET, before)
    assert offer.flavor_id == TARGET.flavor_id
    zones = await cloud.node_zones(TARGET, before)
    assert set(zones) == set(before.node_ids)

    query = MetricQuery("ddm_cpu_util", Statistic.AVERAGE, timedelta(minutes=1), TARGET.instance_id, tuple(zones))
    points = (await made.metrics.fetch([query], time.now() - timedelta(minutes=20), time.now()))[query]
    assert isinstance(points, dict)
    assert [len(points[node]) for node in zones] == [14, 14], "twenty minutes without the lag of six"

    out = operation(change=1, zones=offer.sellable_zones[:1] if api == "v3" else ())
    accepted = await cloud.add_nodes(TARGET, out, lambda: None)
    assert accepted.job_id is not None
    job = await cloud.job(accepted.job_id)
    assert job is not None
    assert (job.direction, job.finished, job.instance_id) == (Direction.OUT, False, TARGET.instance_id)
    day = timedelta(days=1)
    assert accepted.job_id in {one.id for one in await cloud.jobs(time.now() - day, time.now() + day)}
    with pytest.raises(errors.Busy):
        await cloud.add_nodes(TARGET, out, lambda: None)

    time.forward(minutes=10)
    job = await cloud.job(accepted.job_id)
    assert job is not None
    assert job.succeeded
    after = await shown()
    assert (after.ready, after.running) == (3, True)

    new = after.node_ids - before.node_ids
    reducing = operation(Direction.IN, 1, removing=tuple(new) if api == "v3" else ())
    assert (await cloud.remove_nodes(TARGET, reducing, lambda: None)).job_id is not None
    time.forward(minutes=10)
    assert (await shown()).ready == 2


async def test_wrong_credentials_are_refused_and_the_truth_stays_hidden(emulator, client, time):
    emulated = await emulator()
    for wrong in (Password("emulator", "not-it", "emulator"), AccessKey("EMULATORACCESSKEY", "not-it")):
        made = client("", time=time, **settings(emulated, wrong, "v2", "huawei"))
        with pytest.raises(errors.AccessRefused) as caught:
            await made.cloud.sign_in()
        assert "not-it" not in str(caught.value)


@pytest.mark.parametrize("credentials", [USER, KEY], ids=["password", "access key"])
async def test_an_unknown_group_and_a_wrong_flavor_are_told(emulator, client, time, credentials):
    emulated = await emulator()
    cloud = client("", time=time, **settings(emulated, credentials, "v2", "huawei")).cloud
    odd = Target("odd", TARGET.instance_id, group_id="nope", flavor_id="nope")
    found = await cloud.describe([odd, TARGET])
    assert isinstance(found["odd"], errors.NotFound)
    assert isinstance(found["orders"], Snapshot)
    with pytest.raises(errors.NotFound, match=f"right for the group: {TARGET.flavor_id}"):
        await cloud.offer(odd, found["orders"])


async def test_a_token_that_ends_is_renewed_and_nobody_notices(emulator, client, time):
    emulated = await emulator(token_life=timedelta(minutes=30))
    cloud = client("", time=time, **settings(emulated, USER, "v2", "huawei")).cloud
    for _ in range(6):
        assert isinstance((await cloud.describe([TARGET]))["orders"], Snapshot)
        time.forward(minutes=45)
