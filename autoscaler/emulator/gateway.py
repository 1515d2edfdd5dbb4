"""What stands before each service: it reads the request, finds the operation, meets the faults, checks who is asking.

    read body → operation → fault before? → who is asking → handler → fault after? → answer with our own Date

Written as a bare ASGI application, because a fault must be able to break off at any of these arrows.
"""

import json
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from autoscaler import clock
from autoscaler.emulator import calls, faults, refusals, signature, world
from autoscaler.emulator.cloud import Cloud, Mutation
from autoscaler.emulator.faults import Kind

_SLOW_SECONDS, _DRIP_SECONDS = 5.0, 1.0
_BEFORE = {Kind.HTTP_ERROR, Kind.THROTTLED, Kind.TIMEOUT_BEFORE, Kind.RESET_BEFORE, Kind.CLOSED_BEFORE}
_BROKEN_OFF = {  # never answered: what is done with the connection
    Kind.TIMEOUT_BEFORE: "hold",
    Kind.TIMEOUT_AFTER: "hold",
    Kind.RESET_BEFORE: "reset",
    Kind.RESET_AFTER: "reset",
    Kind.CLOSED_BEFORE: "close",
    Kind.CLOSED_AFTER: "close",
}
Break = Callable[[tuple[str, int], bool], None]  # (peer, reset?) closes that connection at once


@dataclass(frozen=True)
class Request:
    """A request that was read in full."""

    received: signature.Received
    query: Mapping[str, str]
    now: datetime


@dataclass(frozen=True)
class Gateway:
    """One service's ASGI application."""

    service: str
    operations: Sequence[calls.Operation]
    cloud: Cloud
    clock: clock.Clock
    break_off: Break

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        received = await _read(scope, receive)
        if received is None:
            return
        now = self.clock.now()
        request = Request(received, dict(parse_qsl(received.query, keep_blank_values=True)), now)
        self.cloud.world.advance(now)
        answer, fault = self.answer(request)
        kind = fault.request.kind if fault else None
        if kind in _BROKEN_OFF:
            await self._break_off(_BROKEN_OFF[kind], scope, receive)
        elif fault and kind in (Kind.SLOW, Kind.DRIPPING):
            await self._send_slowly(send, answer, fault.request)
        else:
            await self._send(send, answer)

    def answer(self, request: Request) -> tuple[calls.Answer, faults.Armed | None]:
        """Carry the request out, unless a fault forbids it; with the fault that its way back meets."""
        operation, params = self._find(request.received)
        if operation is None:
            return refusals.answer(self.service, 404, message="The API does not exist."), None
        counted = (self.service, operation.name)
        self.cloud.calls[counted] = self.cloud.calls.get(counted, 0) + 1
        mutation = self._write_down(request) if operation.mutating else None
        fault = self.cloud.box.take(faults.Stage.TRANSPORT, self.service, operation.name)
        if fault and fault.request.kind in _BEFORE:
            return self._error(fault.request), fault
        answer = self._carry_out(request, operation, params)
        if mutation is not None and answer.status < 400:  # noqa: PLR2004 - what is not refused is accepted
            mutation.accepted = True
            mutation.job_id = answer.body.get("jobId") or answer.body.get("job_id")
        return self._bend(answer, fault), fault

    def _bend(self, answer: calls.Answer, fault: faults.Armed | None) -> calls.Answer:
        """What a fault makes of the answer after the call was carried out."""
        match fault and fault.request.kind:
            case Kind.HTTP_ERROR_AFTER:
                return self._error(fault.request) if fault else answer
            case Kind.GARBAGE:
                return calls.Answer(answer.status, text="<html><body>It works!</body></html>")
        return answer

    def _find(self, received: signature.Received) -> tuple[calls.Operation | None, dict[str, str]]:
        for operation in self.operations:
            params = operation.match(received.method, received.path)
            if params is not None:
                return operation, params
        return None, {}

    def _write_down(self, request: Request) -> Mutation:
        received = request.received
        return self.cloud.read(request.now, method=received.method, path=received.path, body=_readable(received.body))

    def _carry_out(self, request: Request, operation: calls.Operation, params: Mapping[str, str]) -> calls.Answer:
        """The handler's answer, or the refusal of who or what was asked."""
        try:
            if not operation.open:
                self._check_access(request, operation, params)
            return operation.handle(self._call(request, operation, params))
        except calls.Refused as refused:
            return refused.answer
        except world.Refusal as refusal:
            return refusals.answer(self.service, refusal.status, refusal.code, refusal.message)
        except (ValueError, TypeError, KeyError, AttributeError):
            # What a body or a query holds is the caller's; anything that does not fit is a parameter error.
            return refusals.answer(self.service, 400)

    def _call(self, request: Request, operation: calls.Operation, params: Mapping[str, str]) -> calls.Call:
        return calls.Call(
            cloud=self.cloud,
            now=request.now,
            monotonic=self.clock.monotonic(),
            method=request.received.method,
            path=request.received.path,
            operation=operation.name,
            params=params,
            query=request.query,
            headers=request.received.headers,
            raw_body=request.received.body,
            fault=self.cloud.box.take(faults.Stage.CONTENT, self.service, operation.name),
        )

    def _check_access(self, request: Request, operation: calls.Operation, params: Mapping[str, str]) -> None:
        """A token in X-Auth-Token, or a signature.

        Raises:
            calls.Refused: 401 for a credential worth nothing, 403 for another project's.
        """
        headers, accounts = request.received.headers, self.cloud.accounts
        project_id, revocations = self.cloud.world.settings.project.id, self.cloud.world.revocations
        if self.cloud.box.take(faults.Stage.ACCESS, self.service, operation.name):
            raise self._unknown("The token must be updated.")
        if "x-auth-token" in headers:
            token = accounts.token(headers["x-auth-token"], request.now, revocations)
            if token is None or (self.service != "iam" and token.project_id is None):
                raise self._unknown("Incorrect IAM authentication information: decrypt token fail")
        else:
            self._verify(request, revocations)
        if params.get("project_id", project_id) != project_id:
            raise refusals.refuse(self.service, 403)

    def _verify(self, request: Request, revocations: int) -> None:
        def secret_of(access: str, security_token: str | None) -> str | None:
            return self.cloud.accounts.secret_of(access, security_token, request.now, revocations)

        tolerance = self.cloud.world.settings.signature_tolerance
        try:
            signature.verify(request.received, secret_of=secret_of, now=request.now, tolerance=tolerance)
        except signature.Wrong as wrong:
            raise self._unknown(f"Incorrect IAM authentication information: {wrong}") from wrong

    def _unknown(self, message: str) -> calls.Refused:
        """401, in the API gateway's words (APIG user guide: Error Codes), for every service but Cloud Eye and IAM."""
        return refusals.refuse(self.service, 401, None, message)

    def _error(self, wanted: faults.Request) -> calls.Answer:
        status = 429 if wanted.kind is Kind.THROTTLED else wanted.status
        headers = {} if wanted.retry_after is None else {"Retry-After": f"{wanted.retry_after:g}"}
        return refusals.answer(self.service, status, wanted.code, wanted.message, headers=headers)

    async def _break_off(self, how: str, scope: Scope, receive: Receive) -> None:
        if how != "hold":
            self.break_off(tuple(scope["client"]), how == "reset")
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _send_slowly(self, send: Send, answer: calls.Answer, wanted: faults.Request) -> None:
        if wanted.kind is Kind.SLOW:
            await self.clock.sleep(wanted.seconds or _SLOW_SECONDS)
            await self._send(send, answer)
        else:
            await self._send(send, answer, pause=wanted.seconds or _DRIP_SECONDS)

    async def _send(self, send: Send, answer: calls.Answer, pause: float | None = None) -> None:
        """Send it, whole or byte by byte. The Date is that of the emulator's clock."""
        content, media_type = answer.content
        headers = {
            "Date": format_datetime(self.clock.now(), usegmt=True),
            "Content-Type": media_type,
            "Content-Length": str(len(content)),
            **answer.headers,
        }
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
        if pause is not None:
            for byte in content:
                await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
                await self.clock.sleep(pause)
            content = b""
        await send({"type": "http.response.body", "body": content})


async def _read(scope: Scope, receive: Receive) -> signature.Received | None:
    """The whole request, or None where the caller hung up before it was all there."""
    body = bytearray()
    while True:
        message: MutableMapping[str, Any] = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = {name.decode("latin-1"): value.decode("utf-8", "replace") for name, value in scope["headers"]}
    return signature.Received(
        scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers, bytes(body)
    )


def _readable(body: bytes) -> Any:
    """A body for the record: JSON where it is, else text."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
