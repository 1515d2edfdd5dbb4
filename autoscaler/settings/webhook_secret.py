"""The key that a webhook's secret stands for: the text itself, or (as Standard Webhooks writes keys) `whsec_BASE64`."""

import base64
import binascii

_PREFIX = "whsec_"


def key(text: str) -> bytes:
    """The bytes to sign with.

    Raises:
        ValueError: it begins like a written key, and is none.
    """
    if not text.startswith(_PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("what follows whsec_ is not base64") from error


def is_readable(text: str) -> bool:
    """Whether there is a key in it."""
    try:
        return bool(key(text))
    except ValueError:
        return False
