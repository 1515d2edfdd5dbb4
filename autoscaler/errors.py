"""Every error the product raises on purpose, split by what the caller must do about it.

AutoscalerError
├── BadConfig            the user mends a file or a variable; all problems at once      exit 2
├── StoreError           the state directory or database cannot be used                 exit 1
├── NotLeader            another daemon on the same store leads                      hold until the lease is ours
├── PolicyReplaced       it was changed while a decision was made by the old one        decide anew
├── Undelivered          a webhook did not take a letter                               keep it, try again later
├── ListenError          the HTTP address cannot be bound                               exit 1
└── CloudError           a call to the cloud did not bring what was asked
    ├── Unsent           surely never reached the cloud: refused, DNS, TLS, deadline    decide anew
    ├── Refused          the cloud read it and said no; nothing was changed             decide anew
    │   ├── Busy             another operation is running on the instance               wait for RUNNING
    │   ├── DataNodeBusy     an associated RDS is not available for it                  wait for the RDS
    │   ├── Throttled        too many calls                                             wait `retry_after`
    │   ├── AccessRefused    credentials wrong, expired, or without the permission      renew once, else report
    │   └── NotFound         no such thing                                              report
    ├── Unavailable      a read failed for a reason that may pass: 5xx, reset, time-out try again later
    ├── Unreadable       a read was answered with something that is not the API         report
    └── Ambiguous        a mutation may or may not have been carried out                look, never resend
"""

from dataclasses import dataclass
from datetime import timedelta


class AutoscalerError(Exception):
    """Base of everything this program raises on purpose; its text is one sentence for the user."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in the configuration, with its place.

    `file` is a path, or `environment`; `line` and `column` count from 1, 0 where there is no such place.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        """`FILE:LINE:COLUMN: key.path: what is wrong, what is allowed`."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class BadConfig(AutoscalerError):
    """The configuration cannot be obeyed; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class StoreError(AutoscalerError):
    """The store cannot be opened, read or written; the text names the file and the remedy."""


class NotLeader(AutoscalerError):
    """Another daemon on the same store leads, or our lease is over: the intent was not stored, nothing may be sent."""


class PolicyReplaced(AutoscalerError):
    """A policy was changed, or its target removed, while a decision was made by it; nothing was begun."""


class Undelivered(AutoscalerError):
    """A webhook did not take a letter, as far as can be told; the text names no address.

    `code` is the HTTP status, or an error's name where there was no answer. `gone`: the receiver wants no more.
    `of_letter`: it is this letter that was not liked; else no other would be taken now, and not before `retry_after`.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        gone: bool = False,
        of_letter: bool = False,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.gone = gone
        self.of_letter = of_letter
        self.retry_after = retry_after


class ListenError(AutoscalerError):
    """The HTTP address cannot be bound."""


class CloudError(AutoscalerError):
    """A call to the cloud did not bring what was asked.

    `status` is the HTTP status, 0 where there was no answer; `code` is the service's own code (`DBS.280001`), or "".
    """

    def __init__(self, message: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Unsent(CloudError):
    """Surely never reached the service: connection refused, DNS, TLS, connect or pool time-out, past its deadline."""


class Refused(CloudError):
    """The service read the request and said no; nothing was changed."""


class Busy(Refused):
    """Another operation is running on the instance (409, or a busy code on 403)."""


class DataNodeBusy(Refused):
    """An associated RDS instance is not available for the operation (DBS.300323 and its kin)."""


class Throttled(Refused):
    """Too many calls (429); wait at least `retry_after` where the service named a time."""

    def __init__(
        self, message: str, *, status: int = 429, code: str = "", retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.retry_after = retry_after


class AccessRefused(Refused):
    """The credentials are wrong, have ended, or lack the permission (401, 403)."""


class NotFound(Refused):
    """The service knows no such instance, group, job or project (404, or the service's own code for it)."""


class Unavailable(CloudError):
    """A read failed for a reason that may pass: 5xx, reset, time-out."""


class Unreadable(CloudError):
    """A read was answered 2xx with a body that is not what the API documents."""


class Ambiguous(CloudError):
    """A mutation was perhaps carried out: 5xx, unreadable 2xx, reset, time-out after sending, cancelled."""
