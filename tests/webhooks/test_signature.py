"""Signatures are those of Standard Webhooks: their libraries' own example, and each part of what is signed counts."""

import base64
from typing import Any

import pytest

from autoscaler.webhooks import signature

KEY = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
IDENTITY, MOMENT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'


def signed(**other: Any) -> str:
    parts: dict[str, Any] = {"identity": IDENTITY, "unix_time": MOMENT, "body": BODY, "key": KEY} | other
    return signature.headers(**parts)["webhook-signature"]


def test_the_example_of_the_reference_libraries():
    assert signature.headers(IDENTITY, MOMENT, BODY, KEY) == {
        "webhook-id": IDENTITY,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    "other",
    [{"identity": "x"}, {"unix_time": MOMENT + 1}, {"body": b"{}"}, {"key": b"other"}],
    ids=min,
)
def test_every_part_counts(other):
    assert signed(**other) != signed()
