"""The roster: the policies, the ceiling and the settings that hold now, each replaced whole.

Whoever keeps what it read here over an await goes on with what held then; a cycle asks once more before it commits.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from autoscaler.control.poller import under
from autoscaler.core.policy import Policy
from autoscaler.core.target import Mode


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

    def holds(self, policy: Policy, mode: Mode) -> bool:
        """Whether a decision by this policy, made in this mode, is still what is wanted of its target."""
        now_is = self.policies.get(policy.name)
        if now_is is None or under(now_is.mode, self.ceiling) is not mode:
            return False
        return now_is is policy or now_is.same_as(policy)
