"""The API under /api/v1: what the daemon sees and did, and what an operator may change."""

import asyncio
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    WithJsonSchema,
)
from starlette.responses import JSONResponse, Response

from autoscaler.core.decision import rfc3339
from autoscaler.ports import Console
from autoscaler.web import changes, events
from autoscaler.web.paging import Asked, Instant, Limit, Read
from autoscaler.web.token import TokenRule
from autoscaler.yamlfile import quantities, shape

Json = dict[str, Any]
PREFIX = "/api/v1"
Target = Annotated[str | None, Query(max_length=200, description="only of this target")]

Points = Annotated[int, Query(ge=1, le=2000, description="stretches of time at most; of each the extremes are kept")]

CHARTS_AT_ONCE = 2
"""Charts of long spans take a thread for a second; scrapes and pages need threads, too."""


class _Change(BaseModel):
    """What an operator wants."""

    model_config = ConfigDict(extra="forbid")

    who: str = Field("", max_length=100, description="who wants it, kept with the caller's address")


Span = Annotated[
    timedelta,
    PlainValidator(quantities.duration),
    WithJsonSchema({"type": "string", "pattern": quantities.DURATION_PATTERN, "examples": ["2h", "1h30m"]}),
]
Reason = Annotated[str, Field(max_length=1000, description="why; kept in the history and shown")]


class Pausing(_Change):
    """For how long nothing is to be changed; without `for` until it is resumed."""

    lasts: Span | None = Field(None, alias="for")
    reason: Reason = ""


class Resuming(_Change):
    """What is ended beside the pauses."""

    breaker: StrictBool = Field(default=False, description="close the breaker, too: failures up to now no longer count")
    override: StrictBool = Field(default=False, description="end the override, too")


class Overriding(_Change):
    """How many nodes, and for how long."""

    nodes: StrictInt
    lasts: Span = Field(alias="for")
    reason: Reason = ""


class Resolution(_Change):
    """How an operation ended, by an operator's own eyes."""

    outcome: Literal["succeeded", "failed", "never_happened"] = Field(alias="as")
    reason: str = Field(min_length=1, max_length=1000, pattern=r"\S")


def router(console: Console, token: TokenRule) -> APIRouter:
    """Every path of the API."""
    paths = APIRouter(prefix=PREFIX, tags=["api"])
    _add_targets(paths, console)
    _add_history(paths, console)
    events.add(paths, console)
    guarded = APIRouter(route_class=changes.route_class(token), dependencies=[Depends(token)])
    _add_changes(guarded, console)
    _add_changes_of_all(guarded, console)
    paths.include_router(guarded)
    return paths


def _add_targets(paths: APIRouter, console: Console) -> None:
    @paths.get("/targets")
    async def targets() -> Json:
        """Every target with its nodes, last decision, open operation and cooldowns, and the daemon's time."""
        event = console.last_event()
        return {"now": rfc3339(console.now()), "event": event, "targets": list(console.targets())}

    @paths.get("/targets/{name}")
    async def target(name: str) -> Json:
        """One target, with its policy."""
        return _known(console, name)

    @paths.get("/config")
    async def config() -> Json:
        """The settings, secrets masked."""
        return console.config()


def _add_history(paths: APIRouter, console: Console) -> None:
    @paths.get("/targets/{name}/decisions")
    async def decisions(name: str, page: Asked) -> Json:
        """Records of a target by the page: at < before, at >= since."""
        _known(console, name)
        found, after = await asyncio.to_thread(page.of, _decisions(console, name), "at")
        return {"target": name, "decisions": found, "next": _link(f"targets/{quote(name, safe='')}/decisions", after)}

    at_once = asyncio.Semaphore(CHARTS_AT_ONCE)

    @paths.get("/targets/{name}/samples")
    async def samples(name: str, since: Instant = None, until: Instant = None, points: Points = 500) -> Response:
        """What a chart of a target shows: the values of its rules, and its nodes, at since <= t < until."""
        _known(console, name)
        async with at_once:
            return await asyncio.to_thread(_chart, console, name, since=since, until=until, points=points)

    @paths.get("/targets/{name}/operations")
    async def target_operations(name: str, page: Asked) -> Json:
        """Operations of a target by the page: committed_at < before, committed_at >= since."""
        _known(console, name)
        found, after = await asyncio.to_thread(page.of, _operations(console, name), "committed_at")
        return {"target": name, "operations": found, "next": _link(f"targets/{quote(name, safe='')}/operations", after)}

    @paths.get("/operations")
    async def operations(page: Asked, target: Target = None) -> Json:
        """Operations of all targets, or of one (also of one that is not there any more), by the page."""
        found, after = await asyncio.to_thread(page.of, _operations(console, target), "committed_at")
        link = (
            _link("operations", after)
            if target is None
            else _link(f"operations?{urlencode({'target': target})}", after)
        )
        return {"operations": found, "next": link}

    @paths.get("/interventions")
    async def interventions(limit: Limit = 100) -> Json:
        """What operators did by hand, the last first: pauses, overrides, closed breakers."""
        found = await asyncio.to_thread(console.interventions, limit=limit)
        return {"interventions": list(found)}


def _decisions(console: Console, name: str) -> Read:
    return lambda before, since, limit, oldest_first: console.decisions(
        name, before=before, since=since, limit=limit, oldest_first=oldest_first
    )


def _operations(console: Console, target: str | None) -> Read:
    return lambda before, since, limit, oldest_first: console.operations(
        target, before=before, since=since, limit=limit, oldest_first=oldest_first
    )


def _link(path: str, after: str | None) -> str | None:
    return None if after is None else f"{PREFIX}/{path}{'&' if '?' in path else '?'}{after}"


def _chart(console: Console, name: str, **asked: Any) -> Response:
    """Made and written in one thread: a week of minutes would hold up the loop."""
    return JSONResponse(console.samples(name, **asked))


def _add_changes(paths: APIRouter, console: Console) -> None:
    @paths.post("/targets/{name}/resolve")
    async def resolve(name: str, resolution: Resolution, request: Request) -> Json:
        """Close the open operation that the daemon cannot close; refused while a job of the instance runs."""
        _known(console, name)
        who = _who(resolution, request)
        return await console.resolve(name, outcome=resolution.outcome, reason=resolution.reason.strip(), who=who)

    @paths.post("/targets/{name}/pause")
    async def pause(name: str, request: Request, wish: Pausing | None = None) -> Json:
        """Have nothing changed on a target for a while, or until it is resumed; what is under way goes on."""
        _known(console, name)
        return await _pause(console, name, wish or Pausing.model_validate({}), request)

    @paths.post("/targets/{name}/resume")
    async def resume(name: str, request: Request, wish: Resuming | None = None) -> Json:
        """End the pauses of a target; with `breaker` close its breaker, with `override` end its override, too."""
        _known(console, name)
        return await _resume(console, name, wish or Resuming.model_validate({}), request)

    @paths.post("/targets/{name}/override")
    async def override(name: str, wish: Overriding, request: Request) -> Json:
        """Have so many nodes, inside min and max, whatever the rules want; in place of an earlier override."""
        _known(console, name)
        return await console.override(
            name, nodes=wish.nodes, lasts=wish.lasts, reason=wish.reason.strip(), who=_who(wish, request)
        )


def _add_changes_of_all(paths: APIRouter, console: Console) -> None:
    @paths.post("/pause")
    async def pause_all(request: Request, wish: Pausing | None = None) -> Json:
        """Have nothing changed on any target, also on those that come later, for a while or until all are resumed."""
        return await _pause(console, None, wish or Pausing.model_validate({}), request)

    @paths.post("/resume")
    async def resume_all(request: Request, wish: Resuming | None = None) -> Json:
        """End every pause, those of single targets too; with `breaker` and `override` also those of every target."""
        return await _resume(console, None, wish or Resuming.model_validate({}), request)


async def _pause(console: Console, name: str | None, wish: Pausing, request: Request) -> Json:
    return await console.pause(name, lasts=wish.lasts, reason=wish.reason.strip(), who=_who(wish, request))


async def _resume(console: Console, name: str | None, wish: Resuming, request: Request) -> Json:
    return await console.resume(name, breaker=wish.breaker, override=wish.override, who=_who(wish, request))


def _who(wish: _Change, request: Request) -> str:
    """For the audit: who somebody says they are, and where the request came from."""
    caller = f"token, from {request.client.host}" if request.client else "token"
    said = wish.who.strip()
    return f"{said} ({caller})" if said else caller


def _known(console: Console, name: str) -> Json:
    """The target.

    Raises:
        HTTPException: 404 that names those there are.
    """
    target = console.target(name)
    if target is not None:
        return target
    names = [str(one["name"]) for one in console.targets()]
    there = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")  # noqa: PLR2004  # a line
    near = shape.nearest(name, names).removeprefix(", ")
    raise HTTPException(
        404,
        f"There is no target {name!r}; there {'is none' if not names else f'are: {there}'}."
        + (f" {near[0].upper()}{near[1:]}" if near else ""),
    )
