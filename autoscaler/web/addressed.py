"""Refuses requests for a name that is not the daemon's: a page of another site may make its own name point at it.

Reading needs no token, and to a browser what is read under that page's own name belongs to that page (DNS rebinding).
Who does so needs a name that others look up: addresses are always right, and so is every name that nobody outside can
have. A daemon that listens on all addresses is asked strictly, too: those may be a container's, published on the
loopback of the machine where the operator's browser runs.
"""

import ipaddress
import logging
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

PROBES = frozenset({"/-/healthy", "/healthz", "/-/ready", "/readyz", "/-/leader"})
"""Asked under whatever name: refused, they would have a daemon restarted that is well; and they tell little."""

NOT_FOR_SALE = ("local", "internal", "svc")
"""Ends of names that no public zone has (RFC 6762, so cluster.local; ICANN's private use; Kubernetes' short form)."""

_HEADER = re.compile(r"(\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[^:\[\]]*))(:\d*)?")

TOLD = 20
"""Names that the log tells of, each once."""


@dataclass(frozen=True)
class Hosts:
    """Under which names the daemon is asked; `listen` is the host that it listens on, `names` what it is told besides.

    A name `*.example.com` is every name below example.com, but not that one.
    """

    listen: str = "127.0.0.1"
    names: Collection[str] = ()
    machine: str = field(default_factory=socket.gethostname)

    def know(self, header: str) -> bool:
        """Whether a `Host` header, with or without a port, is one of the daemon's; browsers never leave it out."""
        name = _name(header)
        return (
            not name
            or _is_address(name)
            or _is_localhost(name)
            or name == self.listen.lower()
            or any(name.endswith(told[1:]) if told.startswith("*.") else name == told for told in self._told)
            or (not self._is_local and self._is_nobody_elses(name))
        )

    @property
    def _told(self) -> tuple[str, ...]:
        return tuple(name.lower() for name in self.names)

    @property
    def _is_local(self) -> bool:
        """Whether nobody but this machine can reach it: then nobody has reason to give it another name."""
        return _is_loopback(self.listen)

    def _is_nobody_elses(self, name: str) -> bool:
        return (
            "." not in name or name == self.machine.lower() or name.endswith(tuple(f".{end}" for end in NOT_FOR_SALE))
        )


class Addressed:
    """ASGI middleware: 421 for a request under a name that is not ours."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts
        self._told: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "")
        if self._hosts.know(host):
            await self._app(scope, receive, send)
            return
        name = _name(host)[:100]
        self._tell(name)
        words = f"This daemon is not known as {name!r}: where it is meant to be, add that to server.hosts."
        await JSONResponse({"error": words}, 421)(scope, receive, send)

    def _tell(self, name: str) -> None:
        if name not in self._told and len(self._told) < TOLD:
            self._told.add(name)
            words = "a request was refused: it asked for %r, which is not in server.hosts"
            logging.getLogger(__name__).warning(words, name)


def _name(header: str) -> str:
    """A `Host` header without its port."""
    found = _HEADER.fullmatch(header.strip().lower())
    return header if found is None else (found["address"] or found["name"] or "").removesuffix(".")


def _is_localhost(name: str) -> bool:
    """Or below it: browsers look neither up."""
    return name == "localhost" or name.endswith(".localhost")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback if _is_address(host) else _is_localhost(host.lower())
