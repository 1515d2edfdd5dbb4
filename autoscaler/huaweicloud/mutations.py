"""Calls that change something: sent once, over a connection of their own; every end is told apart.

        auth, connect, TLS          before_send          headers, body           answer
    ───────────────────────────────────┼──────────────────────┼────────────────────┼──────────
     any failure: Unsent         raises: Unsent       any failure: Ambiguous     by its status

A cancellation passes through: the request had been begun exactly if `before_send` had returned.
"""

import httpx

from autoscaler import clock, errors, ports
from autoscaler.huaweicloud import answers, skew, transport
from autoscaler.huaweicloud.connection import Timeouts
from autoscaler.huaweicloud.reads import Session
from autoscaler.huaweicloud.records import Record
from autoscaler.huaweicloud.wire import Answer, Request

_WRITING = "http11.send_request_headers.started"
"""httpcore's trace event after connecting (TLS and proxy tunnel included) and before the first byte."""


class Sender:
    """Sends mutations: no retry, no redirect, no renewal of credentials by a second send."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        time: clock.Clock,
        monitor: ports.Monitor,
        clock_skew: skew.ClockSkew,
        timeouts: Timeouts,
    ) -> None:
        self._client = client
        self._time = time
        self._monitor = monitor
        self._skew = clock_skew
        self._timeouts = timeouts

    async def send(self, request: Request, session: Session, before_send: ports.BeforeSend) -> ports.Accepted:
        """Send it, once.

        Raises:
            Unsent, Refused (and its kinds): surely nothing changed.
            Ambiguous: every other end.
        """
        try:
            auth = await session.auth()
        except errors.CloudError as error:
            raise errors.Unsent(f"{request.title} was not sent: {error}") from error
        began = self._time.monotonic()
        code = "Cancelled"
        try:
            answer = await self._exchange(request, auth, before_send)
            code = str(answer.status)
        except errors.CloudError as error:
            code = type(error).__name__
            raise
        finally:
            self._monitor.call(request.service, request.operation, code, self._time.monotonic() - began)
        if not answer.ok:
            raise answers.mutation_error(request, answer)
        return accepted(request, answer)

    async def _exchange(self, request: Request, auth: httpx.Auth, before_send: ports.BeforeSend) -> Answer:
        begin = _Begin(before_send)
        connect, total = self._timeouts.mutation_connect, self._timeouts.mutation_total
        sent = self._time.now()
        try:
            answer = await transport.exchange(
                self._client, request, auth=auth, connect=connect, total=total, trace=begin.trace
            )
        except Exception as error:  # every end but an answer means one of two things, whatever it is called
            raise _no_answer(request, error, begun=begin.begun) from error
        measured = self._skew.measure(answer, sent=sent, received=self._time.now())
        if measured is not None:
            self._monitor.skew(measured.total_seconds())
        return answer


class _Begin:
    """Asks `before_send` when the connection stands, and remembers that the request was begun."""

    def __init__(self, before_send: ports.BeforeSend) -> None:
        self._before_send = before_send
        self.begun = False

    async def trace(self, event: str, info: dict[str, object]) -> None:
        if event != _WRITING or getattr(info.get("request"), "method", b"") == b"CONNECT":  # a proxy's tunnel first
            return
        if self.begun:
            raise RuntimeError("a mutation is never written twice")
        self._before_send()
        self.begun = True


def accepted(request: Request, answer: Answer) -> ports.Accepted:
    """The job or order of a 2xx answer: `jobId`, `orderId` in v2, `job_id`, `order_id` in v3.

    Raises:
        Ambiguous: it names neither.
    """
    try:
        record = Record.parse(answer.body, request.title)
        job_id = record.text_or("jobId") or record.text_or("job_id") or None
        order_id = record.text_or("orderId") or record.text_or("order_id") or None
    except errors.Unreadable as error:
        raise errors.Ambiguous(f"{error}, and look whether it was carried out", status=answer.status) from error
    if job_id is None and order_id is None:
        message = f"{request.title} was answered {answer.status} without a job or an order: look what became of it"
        raise errors.Ambiguous(message, status=answer.status)
    return ports.Accepted(job_id=job_id, order_id=order_id)


def _no_answer(request: Request, error: Exception, *, begun: bool) -> errors.CloudError:
    why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if begun:
        return errors.Ambiguous(f"{request.title} was begun and got no clear answer ({why}): look what became of it")
    if isinstance(error, errors.Unsent):
        return error
    return errors.Unsent(f"{request.title} was not sent to {request.base_url} ({why}): nothing was changed")
