"""The vendor's own SDK judges the emulated cloud: it signs, lists, measures, enlarges, follows the job, reduces."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from huaweicloudsdkces.v1 import CesClient
from huaweicloudsdkces.v1 import model as ces
from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdkcore.exceptions import exceptions
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkddm.v1 import DdmClient
from huaweicloudsdkddm.v1 import model as ddm
from huaweicloudsdkiam.v3 import IamClient
from huaweicloudsdkiam.v3 import model as iam

PROJECT = "0123456789abcdef0123456789abcdef"
INSTANCE = "28e8841d0b9c4f6a9a30742ee60e1068in09"
GROUP = "f080abf2010d45118068c28c8958f5fcgr09"
FLAVOR = "8f2e696c-a9c1-30bd-af90-25522bc67606"
SECRET = "emulator-secret-key"

# The SDK signs with datetime.utcnow(), which Python 3.12 calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


@dataclass
class Sdk:
    """The three clients of the SDK, each call in a thread of its own: the SDK blocks, the emulator is on the loop."""

    addresses: Any

    def _client(self, kind: Any, url: str, credentials: Any) -> Any:
        config = HttpConfig.get_default_config()
        config.timeout = (5, 5)
        return kind.new_builder().with_http_config(config).with_credentials(credentials).with_endpoints([url]).build()

    def key(self, secret: str = SECRET) -> Any:
        return BasicCredentials("EMULATORACCESSKEY", secret, PROJECT)

    async def ddm(self, call: str, request: Any, credentials: Any = None) -> Any:
        client = self._client(DdmClient, self.addresses.ddm, credentials or self.key())
        return await asyncio.to_thread(getattr(client, call), request)

    async def ces(self, call: str, request: Any) -> Any:
        client = self._client(CesClient, self.addresses.cloud_eye, self.key())
        return await asyncio.to_thread(getattr(client, call), request)

    async def iam(self, call: str, request: Any) -> Any:
        credentials = GlobalCredentials("EMULATORACCESSKEY", SECRET, "a-domain-id")
        client = self._client(IamClient, self.addresses.iam, credentials)
        return await asyncio.to_thread(getattr(client, call), request)


@pytest.fixture
def sdk(caller) -> Sdk:
    return Sdk(caller.emulator.addresses)


async def node_ids(sdk: Sdk) -> list[str]:
    found = await sdk.ddm("list_nodes", ddm.ListNodesRequest(INSTANCE))
    return [node.node_id for node in found.nodes]


async def test_sign_in_by_password_gives_a_token_for_the_project(sdk):
    user = iam.PwdPasswordUser(iam.PwdPasswordUserDomain("emulator"), "emulator", "emulator")
    identity = iam.PwdIdentity(["password"], iam.PwdPassword(user))
    auth = iam.PwdAuth(identity, iam.AuthScope(project=iam.AuthScopeProject(name="cn-north-4")))
    body = iam.KeystoneCreateUserTokenByPasswordRequestBody(auth)
    answer = await sdk.iam(
        "keystone_create_user_token_by_password", iam.KeystoneCreateUserTokenByPasswordRequest(body=body)
    )
    assert answer.x_subject_token
    assert answer.token.project.id == PROJECT


async def test_the_sdk_finds_the_project_id_by_the_name_of_the_region(sdk):
    credentials = BasicCredentials("EMULATORACCESSKEY", SECRET).with_iam_endpoint(sdk.addresses.iam)
    config = HttpConfig.get_default_config()
    builder = DdmClient.new_builder().with_http_config(config).with_credentials(credentials)

    def listed() -> Any:  # the look-up is made by build()
        client = builder.with_region(Region("emulated-1", sdk.addresses.ddm)).build()
        return client.list_instances(ddm.ListInstancesRequest())

    assert [instance.id for instance in (await asyncio.to_thread(listed)).instances] == [INSTANCE]


async def test_a_temporary_key_of_a_token_signs_calls(sdk, caller):
    identity = iam.TokenAuthIdentity(["token"], iam.IdentityToken(caller.token, 900))
    body = iam.CreateTemporaryAccessKeyByTokenRequestBody(iam.TokenAuth(identity))
    given = await sdk.iam("create_temporary_access_key_by_token", iam.CreateTemporaryAccessKeyByTokenRequest(body=body))
    key = given.credential
    credentials = BasicCredentials(key.access, key.secret, PROJECT).with_security_token(key.securitytoken)
    found = await sdk.ddm("list_instances", ddm.ListInstancesRequest(), credentials)
    assert found.total_record == 1


async def test_a_wrong_secret_key_is_refused(sdk):
    with pytest.raises(exceptions.ClientRequestException) as refused:
        await sdk.ddm("list_instances", ddm.ListInstancesRequest(), sdk.key("another-secret"))
    assert (refused.value.status_code, refused.value.error_code) == (401, "APIGW.0301")
    assert "verify aksk signature fail" in refused.value.error_msg


@pytest.mark.parametrize(
    ("call", "request_", "tells"),
    [
        pytest.param("list_instances", ddm.ListInstancesRequest(), lambda got: got.instances[0].id, id="instances v1"),
        pytest.param("list_ddms", ddm.ListDdmsRequest(), lambda got: got.instances[0].id, id="instances v3"),
        pytest.param("show_instance", ddm.ShowInstanceRequest(INSTANCE), lambda got: got.id, id="instance v1"),
        pytest.param(
            "show_ddm_detail", ddm.ShowDdmDetailRequest(INSTANCE), lambda got: got.instances[0].id, id="instance v3"
        ),
    ],
)
async def test_an_instance_is_told_by(sdk, call: str, request_: Any, tells: Callable[[Any], str]):
    assert tells(await sdk.ddm(call, request_)) == INSTANCE


async def test_an_instance_tells_numbers_as_strings_and_times_with_an_offset(sdk):
    got = await sdk.ddm("show_instance", ddm.ShowInstanceRequest(INSTANCE))
    assert (got.status, got.node_count, got.core_count, got.ram_capacity) == ("RUNNING", 2, "4", "8")
    assert got.flavor_ref == "ddm.c6.xlarge.2"
    assert got.created.endswith("+0000")
    assert [(node.group_id, node.status) for node in got.nodes] == [(GROUP, "RUNNING")] * 2


async def test_nodes_and_groups_agree(sdk):
    ids = await node_ids(sdk)
    groups = await sdk.ddm("list_group", ddm.ListGroupRequest(INSTANCE))
    assert [node.id for node in groups.group_list[0].node_list] == ids
    shown = await sdk.ddm("show_ddm_node_detail", ddm.ShowDdmNodeDetailRequest(INSTANCE, ids[0]))
    assert (shown.status, shown.group_id, shown.az_code) == ("normal", GROUP, "cn-north-4a")
    older = await sdk.ddm("show_node", ddm.ShowNodeRequest(INSTANCE, ids[0]))
    assert older.private_ip == shown.private_ip


async def test_flavors_of_both_apis_agree(sdk):
    engines = await sdk.ddm("list_engines", ddm.ListEnginesRequest())
    newer = await sdk.ddm("list_ddm_engines", ddm.ListDdmEnginesRequest())
    assert newer.engine_groups[0].version == engines.engine_groups[0].version
    old = await sdk.ddm("list_flavors", ddm.ListFlavorsRequest(engines.engine_groups[0].id))
    new = await sdk.ddm("list_ddm_flavors", ddm.ListDdmFlavorsRequest(engine_version=newer.engine_groups[0].version))
    flavor, same = old.compute_flavor_groups[0].compute_flavors[0], new.flavor_groups[0].flavors[0]
    assert (flavor.id, flavor.code, flavor.cpu, flavor.mem) == (FLAVOR, same.spec_code, same.vcpus, same.ram)
    assert flavor.az_status == {zone.code: zone.status for zone in same.az_infos}


async def test_the_schemas_lead_to_the_data_nodes(sdk):
    got = await sdk.ddm("list_databases", ddm.ListDatabasesRequest(INSTANCE))
    used = got.databases[0].used_rds
    assert [(node.id, node.status) for node in used] == [("c6f68fed9e74478c8679479a07d7d568in01", "normal")]
    shown = await sdk.ddm("show_instance_database", ddm.ShowInstanceDatabaseRequest(INSTANCE, "orders"))
    assert [node.id for node in shown.data_nodes] == [node.id for node in used]


async def test_metrics_singly_and_in_batch_are_the_same(sdk, clock):
    now, nodes = int(clock.now().timestamp() * 1000), await node_ids(sdk)
    request = ces.ShowMetricDataRequest(
        namespace="SYS.DDMS",
        metric_name="ddm_cpu_util",
        dim_0=f"node_id,{nodes[0]}",
        filter="average",
        period=1,
        _from=now - 1_800_000,
        to=now,
    )
    single = (await sdk.ces("show_metric_data", request)).datapoints
    metrics = [
        ces.MetricInfo("SYS.DDMS", "ddm_cpu_util", [ces.MetricsDimension(name="node_id", value=node)]) for node in nodes
    ]
    body = ces.BatchListMetricDataRequestBody(
        metrics=metrics, period="1", filter="average", _from=now - 1_800_000, to=now
    )
    batch = (await sdk.ces("batch_list_metric_data", ces.BatchListMetricDataRequest(body=body))).metrics
    assert [metric.dimensions[0].value for metric in batch] == nodes
    assert [(point.timestamp, point.average) for point in batch[0].datapoints] == [
        (point.timestamp, point.average) for point in single
    ]
    assert {point.unit for point in single} == {"%"}
    assert batch[0].datapoints != batch[1].datapoints


async def test_the_list_of_metrics_tells_the_dimensions(sdk):
    got = await sdk.ces("list_metrics", ces.ListMetricsRequest(namespace="SYS.DDMS", metric_name="ddm_cpu_util"))
    told = sorted((one.dimensions[0].name, one.dimensions[0].value) for one in got.metrics)
    assert told == sorted(("node_id", node) for node in await node_ids(sdk))
    assert got.meta_data.total == 2


async def test_the_cpu_of_a_data_node_is_listed_and_measured(sdk, clock):
    listed = await sdk.ces("list_metrics", ces.ListMetricsRequest(namespace="SYS.RDS", metric_name="rds001_cpu_util"))
    (one,) = listed.metrics
    assert [dimension.value for dimension in one.dimensions] == ["c6f68fed9e74478c8679479a07d7d568in01"]
    now = int(clock.now().timestamp() * 1000)
    dimensions = [ces.MetricsDimension(name=told.name, value=told.value) for told in one.dimensions]
    body = ces.BatchListMetricDataRequestBody(
        metrics=[ces.MetricInfo(one.namespace, one.metric_name, dimensions)],
        period="1",
        filter="average",
        _from=now - 900_000,
        to=now,
    )
    batch = (await sdk.ces("batch_list_metric_data", ces.BatchListMetricDataRequest(body=body))).metrics
    values = [point.average for point in batch[0].datapoints]
    assert values
    assert values == pytest.approx([30] * len(values), rel=0.02)


async def test_enlarge_and_reduce_by_the_older_api(sdk, clock):
    body = ddm.EnlargeRequest(flavor_id=FLAVOR, node_number=1, group_id=GROUP)
    sent = await sdk.ddm("expand_instance_nodes", ddm.ExpandInstanceNodesRequest(INSTANCE, body))
    assert (sent.instance_id, sent.instance_name) == (INSTANCE, "ddm-test")
    await followed(sdk, clock, sent.job_id, "EnlargeNode", "GROWING")
    assert len(await node_ids(sdk)) == 3

    request = ddm.ShrinkInstanceNodesRequest(INSTANCE, ddm.ReduceRequest(node_number=1))
    sent = await sdk.ddm("shrink_instance_nodes", request)
    await followed(sdk, clock, sent.job_id, "ReduceNode", "REDUCING")
    assert len(await node_ids(sdk)) == 2


async def test_enlarge_and_reduce_by_the_newer_api(sdk, clock):
    zone = ddm.EnlargeNodeInfo(available_zone="cn-north-4c")
    body = ddm.ExpandDdmInstanceNodesRequestBody(nodes=[zone], group_id=GROUP)
    before = await node_ids(sdk)
    sent = await sdk.ddm("expand_ddm_instance_nodes", ddm.ExpandDdmInstanceNodesRequest(INSTANCE, body))
    await followed(sdk, clock, sent.job_id, "EnlargeNode", "GROWING")
    (new,) = set(await node_ids(sdk)) - set(before)

    request = ddm.BatchDeleteNodesRequest(INSTANCE, ddm.ReduceNodeOpenRequest(node_ids=[before[0]]))
    sent = await sdk.ddm("batch_delete_nodes", request)
    await followed(sdk, clock, sent.job_id, "ReduceNode", "REDUCING")
    assert await node_ids(sdk) == [before[1], new]


async def followed(sdk: Sdk, clock: Any, job_id: str, name: str, status: str) -> None:
    """The job runs, the status shows late, the job ends, the list agrees."""
    job = (await sdk.ddm("show_ddm_job_result", ddm.ShowDdmJobResultRequest(job_id))).job
    assert (job.name, job.status, job.process, job.instance.id) == (name, "Running", "0%", INSTANCE)
    assert (await sdk.ddm("show_instance", ddm.ShowInstanceRequest(INSTANCE))).status == "RUNNING"
    clock.advance(seconds=30)
    assert (await sdk.ddm("show_instance", ddm.ShowInstanceRequest(INSTANCE))).status == status
    clock.advance(minutes=5)
    job = (await sdk.ddm("show_ddm_job_result", ddm.ShowDdmJobResultRequest(job_id))).job
    assert (job.status, job.process) == ("Completed", "")
    assert (await sdk.ddm("show_instance", ddm.ShowInstanceRequest(INSTANCE))).status == "RUNNING"
    now = clock.now().timestamp() * 1000
    listed = await sdk.ddm("list_tasks", ddm.ListTasksRequest(int(now - 3_600_000), int(now)))
    assert (listed.jobs[0].id, listed.jobs[0].status) == (job_id, "Completed")


async def test_a_second_operation_is_refused_while_one_runs(sdk):
    request = ddm.ExpandInstanceNodesRequest(INSTANCE, ddm.EnlargeRequest(flavor_id=FLAVOR, node_number=1))
    await sdk.ddm("expand_instance_nodes", request)
    with pytest.raises(exceptions.ClientRequestException) as refused:
        await sdk.ddm("expand_instance_nodes", request)
    assert refused.value.status_code == 409
    assert '"errCode": "DBS.200019"' in refused.value.error_msg  # the SDK knows no errCode and keeps the body
