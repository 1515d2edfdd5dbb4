"""How single settings are written: addresses, names; each reads one form and says what is allowed.

No message repeats the value: an address may hold a password.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from autoscaler.settings import store_url

_HIGHEST_PORT = 65535


def endpoint(text: str) -> str:
    """The base address of a service, without a slash at the end.

    Raises:
        ValueError: it is no such address.
    """
    parts = _address(text)
    if parts.path.rstrip("/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("holds more than scheme, host and port; write such as https://ddm.eu-de.otc.t-systems.com")
    return text.rstrip("/")


def source(text: str) -> str:
    """The address of a metric source, without a slash at the end; it may have a path.

    Raises:
        ValueError: it is no such address.
    """
    parts = _address(text)
    if parts.username is not None:
        raise ValueError("holds credentials; set the source's token, or its username and password, as variables")
    if parts.query or parts.fragment or text.rstrip("/").endswith("/api/v1"):
        raise ValueError("holds more than scheme, host, port and path; write such as http://prometheus.example:9090")
    return text.rstrip("/")


def webhook(text: str) -> str:
    """The address that events are posted to, as it is; it may have a path and a query.

    Raises:
        ValueError: it is no such address.
    """
    parts = _address(text)
    if parts.username is not None:
        raise ValueError("holds credentials; what is sent is signed with AUTOSCALER_WEBHOOKS__NAME__SECRET instead")
    if parts.fragment or not text.isascii():
        raise ValueError("holds more than an address can; write such as https://receiver.example/hook, escaped")
    return text


def proxy(text: str) -> str:
    """The address of an HTTP proxy, which may hold a name and password.

    Raises:
        ValueError: it is no such address.
    """
    parts = _address(text)
    if parts.path.rstrip("/") or parts.query or parts.fragment:
        raise ValueError("holds more than scheme, host and port; write such as http://proxy.example:3128")
    return text


def _address(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        whole = False
    if not whole or text != text.strip() or not text.isprintable():
        raise ValueError("is no http:// or https:// address; write scheme, host and, where needed, port")
    return parts


def listen(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[IPV6]:PORT`; port 0 is any free one.

    Raises:
        ValueError: it is not of that form.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if not colon or not port.isdecimal() or int(port) > _HIGHEST_PORT or (":" in bare and not bracketed):
        raise ValueError("is no address to listen on; write HOST:PORT such as 127.0.0.1:9178 or [::1]:9178")
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+", bare):
        raise ValueError("has no host; write 0.0.0.0:PORT to listen on every address")
    return bare, int(port)


def _listen(text: str) -> str:
    listen(text)
    return text


_HOST_NAME = r"^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$"
"""As a browser sends it, without a port; a star stands for one or more names at the begin."""


def _host_name(text: str) -> str:
    if not re.fullmatch(_HOST_NAME, text):
        raise ValueError("is no host name; write it without scheme and port, such as autoscaler.example.com")
    return text.lower()


def _region(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
        raise ValueError("is no region; write its code, such as eu-de or cn-north-4")
    return text


def _identifier(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError("is no project id; it is made of letters and digits (see My Credentials in the console)")
    return text


_NAME = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"
"""Such that its variables can be named: AUTOSCALER_SOURCES__NAME__TOKEN."""


def _webhook_name(text: str) -> str:
    if not re.fullmatch(_NAME, text):
        raise ValueError("is no name for a webhook; it is made of small letters, digits and single underscores")
    return text


def _source_name(text: str) -> str:
    if not re.fullmatch(_NAME, text):
        raise ValueError("is no name for a source; it is made of small letters, digits and single underscores")
    if text == "cloud_eye":
        raise ValueError("is the source that is always there; give this one another name")
    return text


def _text(read: Callable[[str], str]) -> Callable[[object], str]:
    """Also for what is no text: one message says what is allowed, instead of one after the other."""
    return lambda value: read(value if isinstance(value, str) else "")


def _schema(**more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **more})


Region = Annotated[str, BeforeValidator(_text(_region)), _schema(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]
ProjectId = Annotated[str, AfterValidator(_identifier), _schema(pattern="^[A-Za-z0-9_-]+$")]
EndpointUrl = Annotated[str, BeforeValidator(_text(endpoint)), _schema(pattern="^https?://[^/?#@]+/*$")]
SourceName = Annotated[str, AfterValidator(_source_name), _schema(pattern=_NAME)]
SourceUrl = Annotated[str, BeforeValidator(_text(source)), _schema(pattern="^https?://[^/?#@]+(/[^?#]*)?$")]
WebhookName = Annotated[str, AfterValidator(_webhook_name), _schema(pattern=_NAME)]
WebhookUrl = Annotated[str, BeforeValidator(_text(webhook)), _schema(pattern="^https?://[^/?#@]+([/?][^#]*)?$")]
ProxyUrl = Annotated[str, BeforeValidator(_text(proxy)), _schema(pattern="^https?://[^/?#@]+/*$")]
StoreUrl = Annotated[str, BeforeValidator(_text(store_url.store)), _schema(pattern=store_url.PATTERN)]
HostName = Annotated[str, BeforeValidator(_text(_host_name)), _schema(pattern=_HOST_NAME)]
ListenAddress = Annotated[str, BeforeValidator(_text(_listen)), _schema(pattern="^.+:[0-9]{1,5}$")]
