"""One attempt over real sockets: signed, never redirected, in bounded time, and what its end means."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from autoscaler.core.letter import Letter
from autoscaler.errors import BadConfig, Undelivered
from autoscaler.webhooks.courier import HttpCourier
from autoscaler.webhooks.endpoint import Endpoint
from autoscaler.webhooks.lookup import Lookup
from tests.webhooks.receiver import HANG, RESET, SECRET, TRICKLE, receiving

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LETTER = Letter("pager", "op1-decision", "decision", "orders", NOW, '{"type":"ddm-autoscaler.decision"}', NOW)

Make = Callable[..., HttpCourier]


@pytest.fixture
async def courier() -> AsyncIterator[Make]:
    made: list[HttpCourier] = []

    def make(url: str, **fields: Any) -> HttpCourier:
        values: dict[str, Any] = {"key": SECRET.encode(), "connect_seconds": 5.0, "seconds": 5.0}
        made.append(HttpCourier(Endpoint("pager", url, **(values | fields))))
        return made[-1]

    yield make
    for one in made:
        await one.aclose()


async def test_a_letter_is_posted_as_it_is_and_signed(courier):
    with receiving() as receiver:
        assert await courier(receiver.url).deliver(LETTER) == "204"
    (got,) = receiver.got
    got.verify()
    assert got.path == "/hook?key=planted-Path-31c8"
    assert got.body == LETTER.body.encode()
    assert got.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert got.headers["user-agent"].startswith("ddm-autoscaler/")


async def test_each_attempt_has_the_same_id_and_a_connection_of_its_own(courier):
    with receiving() as receiver:
        one = courier(receiver.url)
        await one.deliver(LETTER)
        await one.deliver(LETTER)
    assert [got.id for got in receiver.got] == ["op1-decision"] * 2


async def test_another_secret_makes_another_signature(courier):
    with receiving() as receiver:
        await courier(receiver.url, key=b"another").deliver(LETTER)
    with pytest.raises(AssertionError):
        receiver.got[0].verify()
    receiver.got[0].verify("another")


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_taken(courier, status):
    with receiving(lambda _: status) as receiver:
        assert await courier(receiver.url).deliver(LETTER) == str(status)


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        ((302, {"Location": "http://127.0.0.1:1/elsewhere"}), {"code": "302"}),
        (400, {"code": "400", "of_letter": True}),
        (401, {"code": "401"}),
        (404, {"code": "404"}),
        (410, {"code": "410", "gone": True}),
        (413, {"code": "413", "of_letter": True}),
        (422, {"code": "422", "of_letter": True}),
        ((429, {"Retry-After": "7"}), {"code": "429", "retry_after": timedelta(seconds=7)}),
        ((503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), {"code": "503"}),
        (500, {"code": "500"}),
        (RESET, {"code": "ReadError"}),
        (HANG, {"code": "TimeoutError"}),
    ],
    ids=lambda value: str(value) if not isinstance(value, dict) else "",
)
async def test_not_taken(courier, answer, fields):
    with receiving(lambda _: answer) as receiver, pytest.raises(Undelivered) as refused:
        await courier(receiver.url, seconds=1.0 if answer == HANG else 5.0).deliver(LETTER)
    wanted = {"gone": False, "of_letter": False, "retry_after": None, **fields}
    found = {name: getattr(refused.value, name) for name in wanted}
    if answer == RESET:
        assert found.pop("code") in {"ReadError", "RemoteProtocolError"}
        wanted.pop("code")
    assert found == wanted
    assert len(receiver.got) == 1
    assert "planted" not in str(refused.value)


async def test_a_receiver_that_is_not_there_is_told_without_its_address(courier):
    with receiving() as receiver:
        url = receiver.url
    with pytest.raises(Undelivered, match=r"^no answer from the receiver \(ConnectError\)$"):
        await courier(url).deliver(LETTER)


async def test_an_answer_that_trickles_is_cut_off_at_its_total_time(courier):
    begun = time.monotonic()
    with receiving(lambda _: TRICKLE) as receiver, pytest.raises(Undelivered) as late:
        await courier(receiver.url, seconds=1.0).deliver(LETTER)
    assert late.value.code == "TimeoutError"
    assert time.monotonic() - begun < 5


async def test_nothing_of_the_environment_counts(courier, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with receiving() as receiver:
        await courier(receiver.url).deliver(LETTER)
    assert len(receiver.got) == 1


async def test_a_proxy_of_the_settings_is_used(courier):
    with receiving() as proxy:
        await courier("http://receiver.invalid/hook", proxy=proxy.url.partition("/hook")[0]).deliver(LETTER)
    assert proxy.got[0].path == "http://receiver.invalid/hook"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate for the loopback address and its key, made for this run."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl (Debian package openssl)")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "cert.pem", folder / "key.pem"
    wanted = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=loopback"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run(["openssl", *wanted.split(), *names], check=True, capture_output=True)  # noqa: S607 - fixed
    return made, key


async def test_a_name_server_that_hangs_holds_one_thread_of_its_own_and_no_other(courier):
    begun, go_on = [], threading.Event()

    def hang(host: str, _: None) -> None:
        begun.append((host, threading.current_thread()))
        go_on.wait(60)

    one = HttpCourier(
        Endpoint("pager", "http://receiver.invalid/", b"key", seconds=0.2), lambda host: Lookup(host, hang)
    )
    for _ in range(3):
        with pytest.raises(Undelivered, match="TimeoutError"):
            await one.deliver(LETTER)
    ((host, thread),) = begun
    assert (host, thread.daemon) == ("receiver.invalid", True)
    go_on.set()
    await asyncio.to_thread(thread.join, 10)
    await one.aclose()


async def test_a_name_that_is_none_is_told_as_a_receiver_that_is_not_there():
    def unknown(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    one = HttpCourier(Endpoint("pager", "http://receiver.invalid/", b"key"), lambda host: Lookup(host, unknown))
    with pytest.raises(Undelivered, match=r"\(ConnectError\)"):
        await one.deliver(LETTER)
    await one.aclose()


async def test_no_cookie_is_kept(courier):
    with receiving(lambda _: (204, {"Set-Cookie": "lb=node7"})) as receiver:
        one = courier(receiver.url)
        await one.deliver(LETTER)
        await one.deliver(LETTER)
    assert ["cookie" in got.headers for got in receiver.got] == [False, False]


async def test_whom_we_trust_is_a_setting(courier, certificate):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    with receiving(tls=tls) as receiver:
        with pytest.raises(Undelivered, match="ConnectError"):
            await courier(receiver.url).deliver(LETTER)
        assert receiver.got == []
        await courier(receiver.url, ca_file=str(certificate[0])).deliver(LETTER)
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ca_file": "/nowhere/ca.pem"}, r"webhooks\.pager\.ca_file: /nowhere/ca\.pem holds no readable PEM"),
        ({"url": "https://xn--/planted"}, r"webhooks\.pager\.url: its host is no name that can be looked up"),
        ({"proxy": "ftp://planted-Proxy@h"}, r"webhooks\.pager\.proxy: it is not an http:// or https:// URL"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(fields, words):
    with pytest.raises(BadConfig, match=words) as refused:
        HttpCourier(Endpoint(**{"name": "pager", "url": "https://receiver.example/", "key": b"key", **fields}))
    assert "planted" not in str(refused.value)


def test_an_endpoint_shows_no_secret():
    endpoint = Endpoint("pager", "https://h/planted-Path", b"planted-Key", proxy="http://u:planted-Proxy@h")
    assert "planted" not in repr(endpoint)
