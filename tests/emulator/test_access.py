"""Who may call the emulated cloud: passwords, tokens, signatures, agency keys."""

from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.emulator import signature

INSTANCES = "/v1/{p}/instances"
# Two requests whose signatures the vendor's signer computed.
AT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
PROJECT = "0123456789abcdef0123456789abcdef"
POSTED = signature.Received(
    "POST",
    f"/v2/{PROJECT}/instances/1f5c9fd6cd984056ba89c8c87cc03278in09/action/enlarge",
    "",
    {
        "content-type": "application/json",
        "host": "ddm.cn-north-4.myhuaweicloud.com",
        "x-project-id": PROJECT,
        "x-sdk-date": "20240102T030405Z",
        "authorization": "SDK-HMAC-SHA256 Access=AKEXAMPLE0000000000, "
        "SignedHeaders=content-type;host;x-project-id;x-sdk-date, "
        "Signature=5831cf9e6188d8ce07b44b8de3e9a1768323955bad352afb56702a8f47d40ec1",
    },
    b'{"flavor_id":"8f2e696c-a9c1-30bd-af90-25522bc67606","node_number":1}',
)
GOT = signature.Received(
    "GET",
    f"/V1.0/{PROJECT}/metric-data",
    "namespace=SYS.DDMS&metric_name=ddm_cpu_util&dim.0=node_id%2C4a2b97b7f5e3462c9c78aae93b46ed83no09"
    "&from=1704164400000&to=1704168000000&period=1&filter=average",
    {
        "content-type": "application/json",
        "host": "ces.cn-north-4.myhuaweicloud.com",
        "x-project-id": PROJECT,
        "x-sdk-date": "20240102T030405Z",
        "x-security-token": "TOK",
        "authorization": "SDK-HMAC-SHA256 Access=AKEXAMPLE0000000000, "
        "SignedHeaders=content-type;host;x-project-id;x-sdk-date;x-security-token, "
        "Signature=76b5d3f039acecb28cab5bc73207060f3ed2b2219643fc77f60d60177e479d1a",
    },
    b"",
)


def verify(request: signature.Received, now: datetime = AT) -> None:
    def secret_of(access: str, token: str | None) -> str | None:
        return "SKEXAMPLE0000000000000000000000000000000" if access == "AKEXAMPLE0000000000" else None

    signature.verify(request, secret_of=secret_of, now=now, tolerance=timedelta(minutes=15))


def changed(request: signature.Received, **headers: str) -> signature.Received:
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    return signature.Received(request.method, request.path, request.query, {**request.headers, **renamed}, request.body)


@pytest.mark.parametrize("request_", [POSTED, GOT], ids=["with a body", "with a query"])
def test_a_signature_by_the_vendors_signer_holds(request_):
    verify(request_)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        pytest.param(
            signature.Received("POST", POSTED.path, "", POSTED.headers, POSTED.body + b" "), "verify", id="body"
        ),
        pytest.param(signature.Received("GET", GOT.path, "", GOT.headers, b""), "verify", id="query"),
        pytest.param(changed(POSTED, host="elsewhere"), "verify", id="host"),
        pytest.param(changed(POSTED, x_security_token="TOK"), "x-security-token", id="unsigned token"),
        pytest.param(changed(POSTED, x_sdk_content_sha256="UNSIGNED-PAYLOAD"), "not signed", id="unsigned body"),
        pytest.param(changed(POSTED, authorization="Bearer x"), "malformed", id="no signature"),
        pytest.param(changed(POSTED, x_sdk_date="yesterday"), "malformed", id="no date"),
        pytest.param(
            changed(POSTED, authorization=POSTED.headers["authorization"].replace("AKEX", "AKOTHER")),
            "not found",
            id="another key",
        ),
    ],
)
def test_a_signature_that_does_not_hold(request_, why):
    with pytest.raises(signature.Wrong, match=why):
        verify(request_)


@pytest.mark.parametrize("minutes", [-16, 16], ids=["from the future", "stale"])
def test_a_signature_of_another_time_is_refused(minutes):
    with pytest.raises(signature.Wrong, match="expired"):
        verify(POSTED, AT + timedelta(minutes=minutes))


async def test_a_sign_in_tells_project_and_end(caller, clock):
    answer = await caller.sign_in()
    token = answer.json()["token"]
    assert answer.status_code == 201
    assert token["project"]["id"] == PROJECT
    assert datetime.fromisoformat(token["expires_at"]) == clock.now() + timedelta(hours=24)


@pytest.mark.parametrize(
    "changes",
    [{"password": "wrong"}, {"name": "nobody"}, {"domain": {"name": "elsewhere"}}],
    ids=["password", "user", "domain"],
)
async def test_a_wrong_sign_in_is_401(caller, changes):
    answer = await caller.sign_in(**changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, 401)


async def test_a_token_ends_with_its_life(start, clock):
    caller = await start(token_life="10m")
    clock.advance(minutes=9, seconds=59)
    assert (await caller.call("ddm", "GET", INSTANCES)).status_code == 200
    clock.advance(seconds=1)
    assert (await caller.call("ddm", "GET", INSTANCES)).status_code == 401


@pytest.mark.parametrize("service", ["ddm", "cloud_eye", "rds"])
async def test_without_a_credential_nobody_gets_in(caller, service):
    path = {"ddm": INSTANCES, "cloud_eye": "/V1.0/{p}/metrics", "rds": "/v3/{p}/instances"}[service]
    caller.token = "made up"
    assert (await caller.call(service, "GET", path)).status_code == 401


async def test_the_metadata_service_gives_agency_keys(caller, clock):
    url = caller.emulator.addresses.iam
    put = await caller.http.put(f"{url}/meta-data/latest/api/token", headers={"X-Metadata-Token-Ttl-Seconds": "21600"})
    keys = f"{url}/openstack/latest/securitykey"
    given = (await caller.http.get(keys, headers={"X-Metadata-Token": put.text})).json()["credential"]
    assert sorted(given) == ["access", "expires_at", "secret", "securitytoken"]
    assert datetime.fromisoformat(given["expires_at"]) == clock.now() + timedelta(hours=6)
    assert (await caller.http.get(keys, headers={"X-Metadata-Token": "old"})).status_code == 401


async def test_the_date_of_every_answer_is_the_emulators_clock(caller, clock):
    clock.advance(minutes=3)
    answer = await caller.call("ddm", "GET", INSTANCES)
    assert answer.headers["Date"] == clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert "Server" not in answer.headers
