"""Signing in: kept, renewed in time, shared by all callers, and told in one clear sentence where it fails."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest

from autoscaler import errors
from autoscaler.core.target import Scope
from autoscaler.huaweicloud import signing
from autoscaler.huaweicloud.connection import AccessKey, Agency, Password
from tests.huaweicloud.conftest import PROJECT, Hands, Seen, http

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
USER = Password("user", "the-password", "account")
NO_JOBS = {"jobs": [], "total": 0}


class Iam:
    """Hands out numbered tokens that last so long by `time`."""

    def __init__(self, time: Hands, lasting: timedelta = timedelta(hours=24)) -> None:
        self.time = time
        self.lasting = lasting
        self.given = 0
        self.trouble = b""

    def __call__(self, seen: Seen) -> bytes:
        if seen.method == "GET":
            return http(200, NO_JOBS)
        if self.trouble:
            return self.trouble
        self.given += 1
        ends = (self.time.now() + self.lasting).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return http(201, {"token": {"expires_at": ends, "project": {"id": PROJECT}}}, X_Subject_Token=f"t{self.given}")


async def test_a_password_becomes_a_token_of_the_regions_project(route, client):
    time = Hands(AT)
    server = await route(Iam(time))
    made = client(server.url, time=time, credentials=USER, project_id=None)
    assert [made.cloud.scope] == [None], "before the sign-in"
    await made.cloud.sign_in()
    assert made.cloud.scope == Scope("cn-north-4", PROJECT)
    assert server.requests[0].target == "/v3/auth/tokens?nocatalog=true"
    assert server.requests[0].json == {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "user", "password": "the-password", "domain": {"name": "account"}}},
            },
            "scope": {"project": {"name": "cn-north-4"}},
        }
    }
    await made.cloud.jobs(AT, AT)
    assert server.requests[1].headers["x-auth-token"] == "t1"
    assert server.requests[1].target.startswith(f"/v3/{PROJECT}/jobs?")


async def test_a_project_that_is_given_is_the_scope(route, client):
    time = Hands(AT)
    server = await route(Iam(time))
    await client(server.url, time=time, credentials=USER).cloud.sign_in()
    assert server.requests[0].json["auth"]["scope"] == {"project": {"id": PROJECT}}


async def test_callers_at_once_share_one_sign_in(route, client):
    time = Hands(AT)
    iam = Iam(time)
    server = await route(iam)
    made = client(server.url, time=time, credentials=USER, project_id=None)
    await asyncio.gather(*(made.cloud.jobs(AT, AT) for _ in range(20)))
    assert iam.given == 1


RENEWALS = [
    ("a day's token, with a tenth left", {"hours": 24}, {"hours": 21, "minutes": 35}, False),
    ("a day's token, with less", {"hours": 24}, {"hours": 21, "minutes": 37}, True),
    ("half an hour's token, with 6 minutes left", {"minutes": 30}, {"minutes": 24}, False),
    ("half an hour's token, with 4 minutes left", {"minutes": 30}, {"minutes": 26}, True),
    ("a very short token, in its first half", {"minutes": 4}, {"minutes": 1}, False),
    ("a very short token, in its second half", {"minutes": 4}, {"minutes": 3}, True),
    ("a token that has ended", {"hours": 24}, {"hours": 25}, True),
]


@pytest.mark.parametrize(("name", "lasting", "later", "renewed"), RENEWALS, ids=[row[0] for row in RENEWALS])
async def test_a_token_is_renewed_before_its_end(route, client, name, lasting, later, renewed):
    time = Hands(AT)
    iam = Iam(time, timedelta(**lasting))
    server = await route(iam)
    made = client(server.url, time=time, credentials=USER)
    await made.cloud.jobs(AT, AT)
    time.forward(**later)
    await made.cloud.jobs(AT, AT)
    assert iam.given == (2 if renewed else 1)


async def test_a_sign_in_that_must_last_renews_a_token_that_would_not(route, client):
    time = Hands(AT)
    iam = Iam(time, timedelta(minutes=60))
    server = await route(iam)
    made = client(server.url, time=time, credentials=USER)
    await made.cloud.sign_in(good_for=timedelta(minutes=5))
    await made.cloud.sign_in(good_for=timedelta(minutes=50))
    assert iam.given == 1
    time.forward(minutes=20)
    await made.cloud.sign_in(good_for=timedelta(minutes=5))
    assert iam.given == 1
    await made.cloud.sign_in(good_for=timedelta(minutes=50))
    assert iam.given == 2


async def test_a_token_ends_by_the_clouds_clock(route, client):
    time = Hands(AT)
    iam = Iam(time, timedelta(hours=1))
    ahead = timedelta(minutes=58)

    def answer(seen: Seen) -> bytes:
        date = (time.now() + ahead).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return iam(seen).replace(b"\r\n", b"\r\nDate: " + date.encode() + b"\r\n", 1)

    server = await route(answer)
    made = client(server.url, time=time, credentials=USER)
    await made.cloud.jobs(AT, AT)
    time.forward(minutes=2)  # by our clock it has 58 minutes left, by the cloud's it is over
    await made.cloud.jobs(AT, AT)
    assert iam.given == 2


async def test_while_iam_fails_a_token_that_is_still_good_is_used(route, client):
    time = Hands(AT)
    iam = Iam(time)
    server = await route(iam)
    made = client(server.url, time=time, credentials=USER)
    await made.cloud.jobs(AT, AT)
    iam.trouble = http(503)
    time.forward(hours=23)
    await made.cloud.jobs(AT, AT)
    asked = len(server.requests)
    await made.cloud.jobs(AT, AT)
    assert len(server.requests) == asked + 1, "IAM is left alone for a minute"
    time.forward(hours=2)
    with pytest.raises(errors.Unavailable):
        await made.cloud.jobs(AT, AT)


WRONG = [
    (
        "a wrong password",
        http(401, {"error": {"code": 401, "message": "The password is wrong."}}),
        errors.AccessRefused,
    ),
    ("a user without rights", http(403, {"error": {"code": 403, "message": "No."}}), errors.AccessRefused),
    ("a project that is not there", http(400, {"error": {"code": 400, "message": "No scope."}}), errors.AccessRefused),
    ("an IAM that fails", http(500), errors.Unavailable),
    ("an IAM that throttles", http(429, Retry_After="60"), errors.Unavailable),
    ("a redirect", http(302, b"", Location="/x"), errors.Unavailable),
    ("an answer that is not IAM's", http(200, b"<html>"), errors.Unavailable),
    ("no token header", http(201, {"token": {"expires_at": "2099-01-01T00:00:00Z"}}), errors.Unavailable),
    ("no end", http(201, {"token": {"project": {"id": "p"}}}, X_Subject_Token="t"), errors.Unavailable),
]


@pytest.mark.parametrize(("name", "answer", "expected"), WRONG, ids=[row[0] for row in WRONG])
async def test_a_failed_sign_in_says_whether_trying_again_helps(route, client, name, answer, expected):
    server = await route(lambda _: answer)
    made = client(server.url, credentials=USER, project_id=None)
    with pytest.raises(errors.CloudError) as caught:
        await made.cloud.sign_in()
    assert type(caught.value) is expected
    assert "the-password" not in str(caught.value)
    assert str(caught.value).startswith("IAM create_token")


async def test_a_wrong_password_is_told_with_its_remedy(route, client):
    server = await route(lambda _: WRONG[0][1])
    with pytest.raises(errors.AccessRefused, match="check user name, password and domain"):
        await client(server.url, credentials=USER).cloud.sign_in()


@pytest.mark.parametrize("password", ["the-password", 'with "quotes" and \\', "pässwörd"])
async def test_i12_a_refusal_that_repeats_the_password_loses_it(route, client, password):
    echo = http(400, {"error": {"code": 400, "message": f"cannot read {password} as a password"}})
    server = await route(lambda _: echo)
    with pytest.raises(errors.Refused, match=r"cannot read \*\*\* as a password") as caught:
        await client(server.url, credentials=Password("user", password, "account")).cloud.sign_in()
    assert password not in str(caught.value)


# Access keys.


def signed_well(seen: Seen, keys: signing.Keys) -> bool:
    """Whether the request's signature is that of the key for what came over the wire."""
    given = seen.headers["authorization"]
    names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    path, _, query = seen.target.partition("?")
    pairs = [tuple(unquote(part) for part in one.split("=", 1)) for one in query.split("&") if one]
    return given == signing.authorization(
        keys,
        method=seen.method,
        path=path,
        query=pairs,  # type: ignore[arg-type]  # pairs by the split
        headers={name: seen.headers[name] for name in names},
        body=seen.body,
    )


KEYS = signing.Keys("AK", "the-secret-key")


async def test_an_access_key_finds_its_project_by_the_regions_name(route, client):
    def answer(seen: Seen) -> bytes:
        listed = {"projects": [{"id": PROJECT, "name": "cn-north-4"}], "links": {}}
        return http(200, listed if seen.target.startswith("/v3/projects") else NO_JOBS)

    server = await route(answer)
    made = client(server.url, project_id=None)
    await made.cloud.jobs(AT, AT)
    assert made.cloud.scope == Scope("cn-north-4", PROJECT)
    assert server.requests[0].target == "/v3/projects?name=cn-north-4"
    assert "x-project-id" not in server.requests[0].headers
    assert server.requests[1].headers["x-project-id"] == PROJECT
    assert all(signed_well(seen, KEYS) for seen in server.requests)
    await made.cloud.jobs(AT, AT)
    assert len(server.requests) == 3


async def test_callers_at_once_share_one_look_for_the_project(route, client):
    server = await route(
        lambda seen: http(200, {"projects": [{"id": PROJECT}]} if "/v3/projects" in seen.target else NO_JOBS)
    )
    made = client(server.url, project_id=None)
    await asyncio.gather(*(made.cloud.jobs(AT, AT) for _ in range(20)))
    assert sum("/v3/projects" in seen.target for seen in server.requests) == 1


async def test_a_caller_that_gives_up_does_not_spoil_the_sign_in_of_the_others(route, client):
    time = Hands(AT)
    server = await route(Iam(time))
    made = client(server.url, time=time, credentials=USER)
    first, second = (asyncio.ensure_future(made.cloud.jobs(AT, AT)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == ()
    assert first.cancelled()
    assert server.operations.count("POST /v3/auth/tokens") == 1


@pytest.mark.parametrize("ids", [[], ["a", "b"]], ids=["none", "two"])
async def test_an_access_key_without_one_project_needs_to_be_told_which(route, client, ids):
    server = await route(lambda _: http(200, {"projects": [{"id": one} for one in ids]}))
    with pytest.raises(errors.AccessRefused, match=r"set cloud\.project_id"):
        await client(server.url, project_id=None).cloud.sign_in()


async def test_a_temporary_key_sends_and_signs_its_token(route, client):
    server = await route(lambda _: http(200, NO_JOBS))
    made = client(server.url, credentials=AccessKey("AK", "the-secret-key", "the-token"))
    await made.cloud.jobs(AT, AT)
    assert server.requests[0].headers["x-security-token"] == "the-token"
    assert "x-security-token" in server.requests[0].headers["authorization"]
    assert signed_well(server.requests[0], KEYS)


async def test_a_wrong_access_key_is_noticed_at_the_sign_in_even_with_a_known_project(route, client):
    server = await route(lambda _: http(401, {"error_msg": "verify aksk signature fail", "error_code": "APIGW.0301"}))
    with pytest.raises(errors.AccessRefused, match="check access key, secret key"):
        await client(server.url).cloud.sign_in()


async def test_a_key_that_may_not_list_projects_is_good_where_the_project_is_known(route, client):
    server = await route(lambda _: http(403, {"error_code": "x", "error_msg": "no"}))
    made = client(server.url)
    await made.cloud.sign_in()
    await made.cloud.sign_in()
    assert len(server.requests) == 1


async def test_a_clock_that_is_wrong_is_corrected_by_the_refusals_date_and_signed_again(route, client):
    time = Hands(AT)
    theirs = AT + timedelta(hours=1)

    def answer(seen: Seen) -> bytes:
        date = theirs.strftime("%a, %d %b %Y %H:%M:%S GMT")
        if seen.headers["x-sdk-date"] != theirs.strftime(signing.DATE_FORMAT):
            return http(401, {"error_code": "APIGW.0301", "error_msg": "request time is not valid"}, Date=date)
        return http(200, NO_JOBS, Date=date)

    server = await route(answer)
    made = client(server.url, time=time)
    assert await made.cloud.jobs(AT, AT) == ()
    assert made.cloud.skew == timedelta(hours=1)
    assert len(server.requests) == 2


# The machine's agency.


class Metadata:
    """A metadata service: tokens or none, keys that last so long."""

    def __init__(self, time: Hands, *, tokens: int = 200, lasting: timedelta = timedelta(hours=6)) -> None:
        self.time = time
        self.tokens = tokens
        self.lasting = lasting
        self.given = 0
        self.good_token = "md-1"
        self.none = False

    def __call__(self, seen: Seen) -> bytes:
        if seen.method == "PUT":
            assert seen.headers["x-metadata-token-ttl-seconds"] == "21600"
            return http(self.tokens, self.good_token.encode())
        if self.none:
            return http(404, b"Please configure Cloud Service Agency first")
        if self.tokens == 200 and seen.headers.get("x-metadata-token") != self.good_token:
            return http(401, b"")
        self.given += 1
        ends = (self.time.now() + self.lasting).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        keys = {"access": f"AK{self.given}", "secret": "s", "securitytoken": f"st{self.given}", "expires_at": ends}
        return http(200, {"credential": keys})


@pytest.mark.parametrize("tokens", [200, 404, 405, 503], ids=["with tokens", "404", "405", "503"])
async def test_an_agencys_keys_come_from_the_metadata_service(route, client, tokens):
    time = Hands(AT)
    metadata = await route(Metadata(time, tokens=tokens))
    server = await route(lambda _: http(200, NO_JOBS))
    made = client(server.url, time=time, credentials=Agency(metadata.url))
    await made.cloud.jobs(AT, AT)
    sent = server.requests[0].headers
    assert sent["x-security-token"] == "st1"
    assert signed_well(server.requests[0], signing.Keys("AK1", "s"))
    assert metadata.requests[-1].target == "/openstack/latest/securitykey"
    assert ("x-metadata-token" in metadata.requests[-1].headers) == (tokens == 200)


async def test_agency_keys_are_renewed_when_less_than_forty_minutes_are_left(route, client):
    time = Hands(AT)
    script = Metadata(time)
    metadata = await route(script)
    server = await route(lambda _: http(200, NO_JOBS))
    made = client(server.url, time=time, credentials=Agency(metadata.url))
    await made.cloud.jobs(AT, AT)
    time.forward(hours=5, minutes=19)
    await made.cloud.jobs(AT, AT)
    assert script.given == 1
    time.forward(minutes=2)
    script.good_token = "md-2"
    await made.cloud.jobs(AT, AT)
    assert script.given == 2, "and a metadata token that has ended is replaced"
    assert server.requests[-1].headers["x-security-token"] == "st2"


async def test_a_401_to_agency_keys_fetches_others_once(route, client):
    time = Hands(AT)
    metadata = await route(Metadata(time))
    server = await route(lambda seen: http(200, NO_JOBS) if seen.headers["x-security-token"] == "st2" else http(401))
    made = client(server.url, time=time, credentials=Agency(metadata.url))
    assert await made.cloud.jobs(AT, AT) == ()
    assert len(server.requests) == 2


async def test_a_machine_without_an_agency_is_told_so(route, client):
    time = Hands(AT)
    script = Metadata(time)
    script.none = True
    metadata = await route(script)
    with pytest.raises(errors.AccessRefused, match="give this ECS an agency"):
        await client(metadata.url, time=time, credentials=Agency(metadata.url)).cloud.sign_in()


async def test_the_proxy_is_not_asked_for_the_metadata_service(route, client):
    time = Hands(AT)
    metadata = await route(Metadata(time))
    proxy = await route(lambda _: http(200, NO_JOBS))
    made = client("http://ddm.example.invalid", time=time, credentials=Agency(metadata.url), proxy=proxy.url)
    await made.cloud.jobs(AT, AT)
    assert [seen.method for seen in metadata.requests] == ["PUT", "GET"]
    assert [seen.target.partition("?")[0] for seen in proxy.requests] == [
        f"http://ddm.example.invalid/v3/{PROJECT}/jobs"
    ]


def test_credentials_are_printed_without_their_secrets():
    for given in (USER, AccessKey("AK", "the-password", "the-password")):
        assert "the-password" not in repr(given)
    assert json.dumps(repr(USER)) == json.dumps("Password(username='user', domain='account')")
