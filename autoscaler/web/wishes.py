"""What operators ask for, as the body of a request says it."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import Request
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    WithJsonSchema,
)

from autoscaler.core import plain
from autoscaler.yamlfile import quantities


def _shown(said: object) -> object:
    """Words of one line, without what a terminal would obey where they are shown."""
    return plain.line(said) if isinstance(said, str) else said


Words = Annotated[str, BeforeValidator(_shown)]


class Wish(BaseModel):
    """What an operator wants."""

    model_config = ConfigDict(extra="forbid")

    who: Words = Field("", max_length=100, description="who wants it, kept with the caller's address")

    def from_(self, request: Request) -> str:
        """For the audit: who somebody says they are, and where the request came from."""
        caller = f"token, from {request.client.host}" if request.client else "token"
        said = self.who.strip()
        return f"{said} ({caller})" if said else caller


Span = Annotated[
    timedelta,
    PlainValidator(quantities.duration),
    WithJsonSchema({"type": "string", "pattern": quantities.DURATION_PATTERN, "examples": ["2h", "1h30m"]}),
]
Reason = Annotated[Words, Field(max_length=1000, description="why; kept in the history and shown")]


class Pausing(Wish):
    """For how long nothing is to be changed; without `for` until it is resumed."""

    lasts: Span | None = Field(None, alias="for")
    reason: Reason = ""


class Resuming(Wish):
    """What is ended beside the pauses."""

    breaker: StrictBool = Field(default=False, description="close the breaker, too: failures up to now no longer count")
    override: StrictBool = Field(default=False, description="end the override, too")
    reason: Reason = ""


class Overriding(Wish):
    """How many nodes, and for how long."""

    nodes: StrictInt
    lasts: Span = Field(alias="for")
    reason: Reason = ""


class Resolution(Wish):
    """How an operation ended, by an operator's own eyes."""

    outcome: Literal["succeeded", "failed", "never_happened"] = Field(alias="as")
    reason: Words = Field(min_length=1, max_length=1000, pattern=r"\S")


class Reloading(Wish):
    """That the files are read anew."""

    reason: Reason = ""
