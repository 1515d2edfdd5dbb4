"""Signatures as Standard Webhooks 1.0.0 defines them (standardwebhooks.com, "Verifying webhooks authenticity").

A receiver recomputes the signature from the id, the time and the body as they came, compares in constant time, and
refuses a time that is not near its own: nobody can make, change, or send again what we sent.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping


def headers(identity: str, unix_time: int, body: bytes, key: bytes) -> Mapping[str, str]:
    """The three headers of one attempt; `identity` is the same at each of them, the time is that of the attempt."""
    signed = f"{identity}.{unix_time}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": identity, "webhook-timestamp": str(unix_time), "webhook-signature": f"v1,{digest}"}
