"""The roster: the policies, the ceiling and the settings that hold now, each replaced whole.

Whoever keeps what it read here over an await goes on with what held then; a cycle asks once more before it commits.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoscaler.control.poller import under
from autoscaler.core.decision import rfc3339
from autoscaler.core.policy import Policy
from autoscaler.core.target import Mode
from autoscaler.errors import Problem


@dataclass(frozen=True)
class Unobeyed:
    """What the files say, and what is not obeyed since they are not valid."""

    since: datetime
    problems: tuple[Problem, ...]  # at least one

    def as_json(self) -> dict[str, Any]:
        """How many problems there are, and the first of them; a reload's own answer, and the log, have all."""
        first = str(self.problems[0])
        return {"since": rfc3339(self.since), "problems": len(self.problems), "first": first}


class Roster:
    """Read by everybody, replaced by a reload; a reading thread sees old or new."""

    def __init__(
        self,
        policies: Iterable[Policy] = (),
        *,
        ceiling: Mode = Mode.ENFORCE,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """`settings` are those that are shown, secrets masked."""
        self.policies: Mapping[str, Policy] = {policy.name: policy for policy in policies}
        self.ceiling = ceiling
        self.settings: Mapping[str, Any] = settings or {}
        self.unobeyed: Unobeyed | None = None

    @property
    def all(self) -> tuple[Policy, ...]:
        """Every policy, in the order of the files."""
        return tuple(self.policies.values())

    def replace(
        self, policies: Iterable[Policy], *, ceiling: Mode | None = None, settings: Mapping[str, Any] | None = None
    ) -> None:
        """These hold from now on; what is not given stays."""
        self.policies = {policy.name: policy for policy in policies}
        self.ceiling = self.ceiling if ceiling is None else ceiling
        self.settings = self.settings if settings is None else settings

    def read(self, problems: tuple[Problem, ...], now: datetime) -> None:
        """The files were read: with problems they are not obeyed, since they had some first; without they are."""
        since = now if self.unobeyed is None else self.unobeyed.since
        self.unobeyed = Unobeyed(since, problems) if problems else None

    def holds(self, policy: Policy, mode: Mode) -> bool:
        """Whether a decision by this policy, made in this mode, is still what is wanted of its target."""
        now_is = self.policies.get(policy.name)
        if now_is is None or under(now_is.mode, self.ceiling) is not mode:
            return False
        return now_is is policy or now_is.same_as(policy)
