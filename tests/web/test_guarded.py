"""Who may change something: not a page of another site, nobody who guesses, and nothing that is not JSON in time."""

import socket

import pytest

from autoscaler.web import armour
from autoscaler.web.attempts import ADDRESSES, ATTEMPTS, SECONDS_EACH, Attempts
from tests.web.conftest import TOKEN, unarmoured

BEARER = {"Authorization": f"Bearer {TOKEN}"}
WRONG = {"Authorization": "Bearer wrong"}
PATH = "/api/v1/targets/orders/pause"

# Another site's page.

SENT = {
    "a program": ({}, 200),
    "our page": ({"Sec-Fetch-Site": "same-origin", "Origin": "http://{host}"}, 200),
    "our page behind a proxy that names another host": (
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://autoscaler.example"},
        200,
    ),
    "somebody who typed it": ({"Sec-Fetch-Site": "none"}, 200),
    "our page in an old browser": ({"Origin": "http://{host}"}, 200),
    "our page in an old browser behind a proxy with TLS": ({"Origin": "https://{host}"}, 200),
    "another site": ({"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}, 403),
    "another host of the same site": ({"Sec-Fetch-Site": "same-site"}, 403),
    "another site in an old browser": ({"Origin": "http://evil.example"}, 403),
    "another port in an old browser": ({"Origin": "http://127.0.0.1:1"}, 403),
    "a page without an origin": ({"Origin": "null"}, 403),
    "an origin that is none": ({"Origin": "http://[x"}, 403),
    "an empty origin": ({"Origin": ""}, 403),
}


@pytest.mark.parametrize(("headers", "status"), SENT.values(), ids=SENT)
def test_a_page_of_another_site_changes_nothing(served, headers, status):
    host = served.url.removeprefix("http://")
    headers = {name: value.replace("{host}", host) for name, value in headers.items()}

    answer = served.http.post(PATH, json={}, headers=BEARER | headers)

    assert answer.status_code == status
    assert len(served.console.asked) == (status == 200)
    assert unarmoured(answer) == set()


def test_another_sites_page_is_refused_wherever_something_could_be_changed(served):
    headers = BEARER | {"Sec-Fetch-Site": "cross-site"}
    for path in ("/-/reload", "/api/v1/pause", "/nothing"):
        assert served.http.post(path, headers=headers).status_code == 403
    assert served.http.get("/api/v1/targets", headers=headers).status_code == 200


# Bodies.


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
        (None, 415),
    ],
)
def test_a_body_says_that_it_is_json(served, kind, status):
    headers = BEARER if kind is None else BEARER | {"Content-Type": kind}

    answer = served.http.post(PATH, content=b'{"for": "2h"}', headers=headers)

    assert answer.status_code == status
    assert len(served.console.asked) == (status == 200)


def test_without_a_body_nothing_has_to_be_said(served):
    assert served.http.post(PATH, headers=BEARER | {"Content-Type": "text/plain"}).status_code == 200


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 60_000], ids=["half", "no text", "deep"])
def test_a_body_that_is_no_json_is_422_with_the_token_and_401_without(served, content):
    kind = {"Content-Type": "application/json"}
    assert served.http.post(PATH, content=content, headers=kind).status_code == 401
    assert served.http.post(PATH, content=content, headers=kind | BEARER).status_code == 422
    assert served.console.asked == []


def test_a_body_that_does_not_come_is_408(served, monkeypatch):
    monkeypatch.setattr(armour, "BODY_SECONDS", 0.1)
    with socket.create_connection(served._server.address, timeout=10) as slow:
        slow.sendall(f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{{".encode())
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")


# Guesses.


def test_after_too_many_wrong_tokens_also_the_right_one_waits(served, caplog):
    for _ in range(ATTEMPTS):
        assert served.http.post(PATH, headers=WRONG).status_code == 401

    for headers in (WRONG, BEARER):
        refused = served.http.post(PATH, headers=headers)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= SECONDS_EACH
        assert TOKEN not in refused.text
    assert served.http.post(PATH).status_code == 401
    assert served.http.get("/api/v1/targets", headers=BEARER).status_code == 200
    assert served.console.asked == []
    assert caplog.messages == ["a change was refused: a wrong token came from 127.0.0.1"] * ATTEMPTS


def test_the_right_token_is_no_failure_and_none_is_no_guess(served):
    for _ in range(2 * ATTEMPTS):
        assert served.http.post(PATH).status_code == 401
        assert served.http.post(PATH, headers=BEARER).status_code == 200


class Hand:
    """A clock."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def attempts(hand) -> Attempts:
    return Attempts(hand)


def use_up(attempts: Attempts, address: str) -> None:
    for _ in range(ATTEMPTS):
        assert attempts.wait(address) == 0
        attempts.failed(address)
    assert attempts.wait(address) == SECONDS_EACH


def test_one_more_attempt_comes_after_some_seconds(attempts, hand):
    use_up(attempts, "192.0.2.1")
    hand.seconds += SECONDS_EACH - 1
    assert attempts.wait("192.0.2.1") == pytest.approx(1)
    hand.seconds += 1
    assert attempts.wait("192.0.2.1") == pytest.approx(0, abs=1e-9)
    attempts.failed("192.0.2.1")
    assert attempts.wait("192.0.2.1") == pytest.approx(SECONDS_EACH)


def test_all_of_them_come_back_and_no_more(attempts, hand):
    use_up(attempts, "192.0.2.1")
    hand.seconds += 100 * ATTEMPTS * SECONDS_EACH
    use_up(attempts, "192.0.2.1")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::2:0:0:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "unix", False),
    ],
)
def test_an_address_is_a_machine(attempts, one, other, same):
    use_up(attempts, one)
    assert (attempts.wait(other) > 0) == same


def test_no_more_addresses_are_remembered_than_a_bound(attempts):
    use_up(attempts, "192.0.2.1")
    for number in range(ADDRESSES - 1):
        attempts.failed(f"10.0.{number // 250}.{number % 250}")
    assert attempts.wait("192.0.2.1") > 0
    attempts.failed("198.51.100.1")
    assert len(attempts._left) == ADDRESSES
    assert attempts.wait("192.0.2.1") == 0
