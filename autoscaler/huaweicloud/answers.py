"""What an answer means: error bodies of every service, and the error that each status stands for."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from autoscaler import errors
from autoscaler.huaweicloud.wire import Answer, Request

BUSY_CODES = frozenset({"DBS.200011", "DBS.200018", "DBS.200019", "DBS.200047", "DBS.212033"})
"""On a 403: the instance's status forbids it (DDS and RDS error tables; Terraform's DDM client)."""

DATA_NODE_CODES = frozenset({"DBS.300323", "DBS.300110", "DBS.300130", "DBS.300133"})
"""On a 400: an associated RDS or its schema does not allow it (DDM API reference, "Error Codes")."""

UNKNOWN_JOB_CODES = frozenset({"DBS.300120", "DBS.300400"})
"""On a 400: the task centre does not know the task (same table)."""

_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 400, 401, 403, 404
_TIMED_OUT, _CONFLICT, _TOO_LARGE, _TOO_MANY = 408, 409, 413, 429
_REFUSALS = frozenset({_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _TOO_LARGE, _TOO_MANY})
_SERVER_ERRORS = 500

_CODE_NAMES = ("errCode", "error_code", "errorCode", "code")
_TEXT_NAMES = ("externalMessage", "error_msg", "errorMsg", "message", "details", "title")
_NESTED = ("message", "error")
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Fault:
    """The service's own code and words; empty where the body holds none."""

    code: str = ""
    text: str = ""


def fault(body: bytes) -> Fault:
    """Read an error body of DDM, the gateway, Cloud Eye or IAM; anything else is an empty fault."""
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        return Fault()
    levels = [raw, *(raw.get(name) for name in _NESTED)] if isinstance(raw, dict) else []
    objects = [level for level in levels if isinstance(level, dict)]
    return Fault(_first(objects, _CODE_NAMES), _first(objects, _TEXT_NAMES))


def mutation_error(request: Request, answer: Answer) -> errors.CloudError:
    """What an answer other than an acceptance says about a call that changes something."""
    found = fault(answer.body)
    if answer.status not in _REFUSALS:
        return errors.Ambiguous(
            _sentence(request, answer, found, "it is not clear whether it was carried out, so look"),
            status=answer.status,
            code=found.code,
        )
    if answer.status == _CONFLICT or (answer.status == _FORBIDDEN and found.code in BUSY_CODES):
        remedy = "another operation is under way, wait until the instance is RUNNING"
        return errors.Busy(_sentence(request, answer, found, remedy), status=answer.status, code=found.code)
    if answer.status == _BAD_REQUEST and found.code in DATA_NODE_CODES:
        remedy = "an associated RDS instance is not available, wait for it"
        return errors.DataNodeBusy(_sentence(request, answer, found, remedy), status=answer.status, code=found.code)
    return _refusal(request, answer, found)


def read_error(request: Request, answer: Answer) -> errors.CloudError:
    """What an answer other than 2xx says about a call that only reads."""
    found = fault(answer.body)
    if answer.status >= _SERVER_ERRORS or answer.status == _TIMED_OUT:
        remedy = "the service is failing, try again later"
        return errors.Unavailable(_sentence(request, answer, found, remedy), status=answer.status, code=found.code)
    if answer.status < _BAD_REQUEST:
        remedy = "that is not an answer of the API, check the endpoint"
        return errors.Unreadable(_sentence(request, answer, found, remedy), status=answer.status, code=found.code)
    return _refusal(request, answer, found)


def retry_after(answer: Answer, now: datetime) -> timedelta | None:
    """What the header Retry-After asks for: seconds, or an instant; None where it asks for nothing readable."""
    text = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return timedelta(seconds=int(text))
    instant = http_date(text)
    return None if instant is None else max(instant - now, timedelta(0))


def http_date(text: str) -> datetime | None:
    """An HTTP date as an aware instant; None where it is none."""
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _refusal(request: Request, answer: Answer, found: Fault) -> errors.Refused:
    kind, remedy = _refusal_kind(answer, found)
    message = _sentence(request, answer, found, remedy)
    if kind is errors.Throttled:
        wait = retry_after(answer, datetime.now(UTC))
        return errors.Throttled(message, status=answer.status, code=found.code, retry_after=wait)
    return kind(message, status=answer.status, code=found.code)


def _refusal_kind(answer: Answer, found: Fault) -> tuple[type[errors.Refused], str]:
    if answer.status == _UNAUTHORIZED:
        return errors.AccessRefused, "check the credentials and the machine's clock"
    if answer.status == _FORBIDDEN:
        return errors.AccessRefused, "give these credentials the permission in IAM"
    if answer.status == _NOT_FOUND or (answer.status == _BAD_REQUEST and found.code in UNKNOWN_JOB_CODES):
        return errors.NotFound, "check the id, the project and the region"
    if answer.status == _TOO_MANY:
        return errors.Throttled, "too many calls, wait"
    if answer.status == _TOO_LARGE:
        return errors.Refused, "the account's quota is used up, raise it or remove something"
    return errors.Refused, "check the ids and the settings that it was sent"


def _sentence(request: Request, answer: Answer, found: Fault, remedy: str) -> str:
    said = " ".join(part for part in (found.code, f'"{found.text}"' if found.text else "") if part)
    return f"{request.title} was answered {answer.status}{f' ({said})' if said else ''}: {remedy}"


def _first(objects: list[dict[str, Any]], names: tuple[str, ...]) -> str:
    for candidate in objects:
        for name in names:
            value = candidate.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                return " ".join(str(value).split())[:_LONGEST_TEXT]
    return ""
