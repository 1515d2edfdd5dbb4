"""A receiver of webhooks on a loopback socket, as its owner would write one: it checks signatures by itself.

It shares no code with the sender: each checks the other.
"""

import base64
import hashlib
import hmac
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "correct-horse-battery-staple"  # made up
TOLERANCE = 300.0
"""Seconds by which a sender's clock may differ (Standard Webhooks leaves it to the receiver)."""

HANG, RESET, TRICKLE = "hang", "reset", "trickle"

Answer = int | str | tuple[int, Mapping[str, str]]
"""A status, perhaps with headers; or what a broken receiver does."""


@dataclass(frozen=True)
class Got:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def event(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verify(self, secret: str = SECRET) -> None:
        """As the specification tells receivers to."""
        moment = self.headers["webhook-timestamp"]
        assert abs(self.at - int(moment)) < TOLERANCE
        signed = f"{self.id}.{moment}.".encode() + self.body
        wanted = base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()
        version, _, found = self.headers["webhook-signature"].partition(",")
        assert version == "v1"
        assert hmac.compare_digest(found, wanted)


@dataclass
class Receiver:
    """What came, and what is answered to it."""

    answers: Callable[[Got], Answer] = lambda _: 204
    got: list[Got] = field(default_factory=list)
    url: str = ""
    at_its_end: threading.Event = field(default_factory=threading.Event)

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """Those that were taken or not, each as often as it came."""
        return [one.event for one in tuple(self.got) if one.event["type"].endswith(kind)]


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        one = Got(self.path, headers, body, time.time())
        self.receiver.got.append(one)
        answer = self.receiver.answers(one)
        if answer == HANG:
            self.receiver.at_its_end.wait(60)
        elif answer == TRICKLE:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.receiver.at_its_end.wait(0.1):  # an answer that never ends, a byte now and then
                self.wfile.write(b"X")
        elif answer == RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            status, more = answer if isinstance(answer, tuple) else (int(answer), {})
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A sender that goes away, or a reset of our own, is part of the test."""


@contextmanager
def receiving(
    answers: Callable[[Got], Answer] = lambda _: 204, tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """A receiver on a free port, to the end of the block."""
    receiver = Receiver(answers)
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    with _Server(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/hook?key=planted-Path-31c8"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.at_its_end.set()
            server.shutdown()
            thread.join()
