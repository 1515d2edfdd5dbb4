"""Our signatures equal the vendor's: on two fixed vectors, and on random requests that its own SDK signs."""

import string
from datetime import UTC, datetime

import httpx
import hypothesis
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import strategies

from autoscaler.huaweicloud import signing

KEYS = signing.Keys("AKEXAMPLE0000000000", "SKEXAMPLE0000000000000000000000000000000")
PROJECT = "0123456789abcdef0123456789abcdef"
AT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
HEADERS = {"Content-Type": "application/json", "X-Project-Id": PROJECT, "X-Sdk-Date": "20240102T030405Z"}


def signature(header: str) -> str:
    return header.rpartition("Signature=")[2]


def test_a_post_with_a_body_is_signed_as_documented():
    header = signing.authorization(
        KEYS,
        method="POST",
        path=f"/v2/{PROJECT}/instances/1f5c9fd6cd984056ba89c8c87cc03278in09/action/enlarge",
        query=[],
        headers={**HEADERS, "Host": "ddm.cn-north-4.myhuaweicloud.com"},
        body=b'{"flavor_id":"8f2e696c-a9c1-30bd-af90-25522bc67606","node_number":1}',
    )
    assert header == (
        "SDK-HMAC-SHA256 Access=AKEXAMPLE0000000000, SignedHeaders=content-type;host;x-project-id;x-sdk-date, "
        "Signature=5831cf9e6188d8ce07b44b8de3e9a1768323955bad352afb56702a8f47d40ec1"
    )


METRIC_QUERY = [
    ("namespace", "SYS.DDMS"),
    ("metric_name", "ddm_cpu_util"),
    ("dim.0", "node_id,4a2b97b7f5e3462c9c78aae93b46ed83no09"),
    ("from", "1704164400000"),
    ("to", "1704168000000"),
    ("period", "1"),
    ("filter", "average"),
]


def test_a_get_with_a_query_and_a_temporary_key_is_signed_as_documented():
    header = signing.authorization(
        KEYS,
        method="GET",
        path=f"/V1.0/{PROJECT}/metric-data",
        query=METRIC_QUERY,
        headers={**HEADERS, "Host": "ces.cn-north-4.myhuaweicloud.com", "X-Security-Token": "TOK"},
        body=b"",
    )
    assert signature(header) == "76b5d3f039acecb28cab5bc73207060f3ed2b2219643fc77f60d60177e479d1a"


def test_the_query_is_sent_sorted_and_escaped():
    assert signing.canonical_query(METRIC_QUERY) == (
        "dim.0=node_id%2C4a2b97b7f5e3462c9c78aae93b46ed83no09&filter=average&from=1704164400000"
        "&metric_name=ddm_cpu_util&namespace=SYS.DDMS&period=1&to=1704168000000"
    )


def test_the_auth_signs_what_httpx_holds_and_sends_it_once():
    auth = signing.SignatureAuth(signing.Keys(KEYS.access, KEYS.secret, "TOK"), at=lambda: AT, project_id=PROJECT)
    url = f"https://ces.cn-north-4.myhuaweicloud.com/V1.0/{PROJECT}/metric-data?"
    request = httpx.Request(
        "GET", url + signing.canonical_query(METRIC_QUERY), headers={"Content-Type": "application/json"}
    )
    sent = list(auth.sync_auth_flow(request))
    assert sent == [request]
    assert signature(request.headers["Authorization"]) == (
        "76b5d3f039acecb28cab5bc73207060f3ed2b2219643fc77f60d60177e479d1a"
    )


def test_a_key_pair_is_printed_without_its_secrets():
    assert repr(signing.Keys("AK", "hidden", "hidden too")) == "Keys(access='AK')"


TOKEN = string.ascii_letters + string.digits
TEXT = strategies.text(
    strategies.characters(exclude_categories=["Cs", "Cc"]) | strategies.sampled_from("~%/ ,+&=?#:%2F"), max_size=12
)
SEGMENT = strategies.text(strategies.characters(exclude_categories=["Cs", "Cc"]), max_size=8) | strategies.sampled_from(
    ["~", "a b", "%7E", "%2f", "ü", "%C3%BC", "..", "a%", "x+y"]
)
HEADER_NAMES = strategies.text(TOKEN + "-_", min_size=1, max_size=10).map(lambda name: f"X-{name}")
HEADER_VALUES = strategies.text(string.ascii_letters + string.digits + " ;,=/~", max_size=12)


@hypothesis.given(
    method=strategies.sampled_from(["GET", "POST", "PUT", "DELETE", "patch"]),
    segments=strategies.lists(SEGMENT, max_size=4),
    query=strategies.dictionaries(TEXT, TEXT | strategies.lists(TEXT, max_size=3), max_size=5),
    headers=strategies.dictionaries(HEADER_NAMES.map(str.title), HEADER_VALUES, max_size=4),
    content_type=strategies.sampled_from([None, "application/json", "application/json;charset=utf8", "text/plain"]),
    token=strategies.none() | strategies.text(TOKEN, min_size=1, max_size=20),
    project=strategies.none() | strategies.just(PROJECT),
    body=strategies.binary(max_size=40) | TEXT.map(str.encode),
)
@hypothesis.settings(max_examples=400, deadline=None)
def test_random_requests_are_signed_as_the_vendors_sdk_signs_them(
    method, segments, query, headers, content_type, token, project, body
):
    path = "/" + "/".join(segments)
    headers = {
        **headers,
        **({"Content-Type": content_type} if content_type else {}),
        **({"X-Security-Token": token} if token else {}),
        **({"X-Project-Id": project} if project else {}),
        "X-Sdk-Date": "20240102T030405Z",
    }
    theirs = SdkRequest(
        method=method,
        schema="https",
        host="ddm.example.com",
        resource_path=path,
        uri=path,
        query_params=[(name, list(value) if isinstance(value, list) else value) for name, value in query.items()],
        header_params=dict(headers),
        body=body,
        stream=False,
    )
    Signer(BasicCredentials(KEYS.access, KEYS.secret, PROJECT)).sign(theirs)
    unsigned = {"X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD"} if content_type == "text/plain" else {}
    pairs = [(name, one) for name, value in query.items() for one in (value if isinstance(value, list) else [value])]
    ours = signing.authorization(
        KEYS,
        method=method,
        path=path,
        query=pairs,
        headers={**headers, **unsigned, "Host": "ddm.example.com"},
        body=body,
    )
    assert ours == theirs.header_params["Authorization"]
    query_sent = signing.canonical_query(pairs)
    assert theirs.uri == (f"{path}?{query_sent}" if query_sent else path)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [("application/json", None), ("application/bson", None), ("text/plain", "UNSIGNED-PAYLOAD")],
)
def test_only_json_bodies_are_part_of_the_signature(content_type, expected):
    request = httpx.Request("POST", "https://h/x", content=b"{}", headers={"Content-Type": content_type})
    next(signing.SignatureAuth(KEYS, at=lambda: AT).sync_auth_flow(request))
    assert request.headers.get("X-Sdk-Content-Sha256") == expected
