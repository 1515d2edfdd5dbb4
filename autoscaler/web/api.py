"""The API under /api/v1: what the daemon sees and did, and what an operator may change."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from starlette.responses import JSONResponse, Response

from autoscaler.core.decision import rfc3339
from autoscaler.ports import Console
from autoscaler.web import changes, events, shapes
from autoscaler.web.overview import Overview
from autoscaler.web.paging import Asked, Instant, Limit, Page, Read
from autoscaler.web.shapes import described
from autoscaler.web.token import TokenRule
from autoscaler.web.wishes import Overriding, Pausing, Resolution, Resuming
from autoscaler.yamlfile import shape

Json = dict[str, Any]
PREFIX = "/api/v1"
Target = Annotated[str | None, Query(max_length=200, description="only of this target")]

Points = Annotated[int, Query(ge=1, le=2000, description="stretches of time at most; of each the extremes are kept")]

CHARTS_AT_ONCE = 2
"""Charts of long spans take a thread for a second; scrapes and pages need threads, too."""


def router(console: Console, token: TokenRule, overview: Overview) -> APIRouter:
    """Every path of the API."""
    paths = APIRouter(prefix=PREFIX, tags=["api"])
    _add_targets(paths, console, overview)
    _add_history(paths, console)
    events.add(paths, console)
    guarded = APIRouter(route_class=changes.route_class(token, done=overview.forget), dependencies=[Depends(token)])
    _add_changes(guarded, console)
    _add_changes_of_all(guarded, console)
    paths.include_router(guarded)
    return paths


def _add_targets(paths: APIRouter, console: Console, overview: Overview) -> None:
    @paths.get("/targets", responses=described(shapes.Targets, 503))
    async def targets() -> Response:
        """Every target with its nodes, last decision, open operation and cooldowns, and the daemon's time."""
        head = {"now": rfc3339(console.now()), "led_by": console.led_by(), "unobeyed": console.unobeyed()}
        begin = json.dumps(head).encode()[:-1]
        return Response(begin + b"," + await overview.targets.answer(), media_type="application/json")

    @paths.get("/targets/{name}", responses=described(shapes.TargetWithPolicy, *shapes.OF_A_TARGET))
    async def target(name: str) -> Response:
        """One target, with its policy."""
        return JSONResponse(_known(console, name))

    @paths.get("/config")
    async def config() -> Json:
        """The settings that hold, secrets masked; and whether there are files that say otherwise and are not valid."""
        return console.config() | {"unobeyed": console.unobeyed()}


def _add_history(paths: APIRouter, console: Console) -> None:
    @paths.get("/targets/{name}/decisions", responses=described(shapes.Decisions, *shapes.OF_A_TARGET))
    async def decisions(name: str, page: Asked) -> Response:
        """Records of a target by the page: at < before, at >= since."""
        _known(console, name)
        return await _in_a_thread(_decisions, console, name, page)

    at_once = asyncio.Semaphore(CHARTS_AT_ONCE)

    @paths.get("/targets/{name}/samples", responses=described(shapes.Chart, *shapes.OF_A_TARGET))
    async def samples(name: str, since: Instant = None, until: Instant = None, points: Points = 500) -> Response:
        """What a chart of a target shows: the values of its rules, and its nodes, at since <= t < until."""
        _known(console, name)
        async with at_once:
            return await _in_a_thread(console.samples, name, since=since, until=until, points=points)

    @paths.get("/targets/{name}/operations", responses=described(shapes.TargetOperations, *shapes.OF_A_TARGET))
    async def target_operations(name: str, page: Asked) -> Response:
        """Operations of a target by the page: committed_at < before, committed_at >= since."""
        _known(console, name)
        return await _in_a_thread(_target_operations, console, name, page)

    @paths.get("/operations", responses=described(shapes.Operations, *shapes.OF_A_LIST))
    async def operations(page: Asked, target: Target = None) -> Response:
        """Operations of all targets, or of one (also of one that is not there any more), by the page."""
        return await _in_a_thread(_all_operations, console, target, page)

    @paths.get("/interventions", responses=described(shapes.Interventions, *shapes.OF_A_LIST))
    async def interventions(target: Target = None, limit: Limit = 100) -> Response:
        """What operators did by hand (to a target, or to all), the last first: pauses, overrides, closed breakers."""
        return await _in_a_thread(lambda: {"interventions": list(console.interventions(target, limit=limit))})


async def _in_a_thread(read: Callable[..., Json], *arguments: Any, **more: Any) -> Response:
    """Read and write an answer beside the loop, which a long one would hold up."""
    return await asyncio.to_thread(lambda: JSONResponse(read(*arguments, **more)))


def _decisions(console: Console, name: str, page: Page) -> Json:
    def read(before: datetime | None, since: datetime | None, limit: int, oldest_first: bool) -> Sequence[Json]:
        return console.decisions(name, before=before, since=since, limit=limit, oldest_first=oldest_first)

    found, after = page.of(read, "at")
    return {"target": name, "decisions": found, "next": _link(f"targets/{quote(name, safe='')}/decisions?", after)}


def _target_operations(console: Console, name: str, page: Page) -> Json:
    found, after = page.of(_operations(console, name), "committed_at")
    return {"target": name, "operations": found, "next": _link(f"targets/{quote(name, safe='')}/operations?", after)}


def _all_operations(console: Console, target: str | None, page: Page) -> Json:
    found, after = page.of(_operations(console, target), "committed_at")
    of_it = "" if target is None else f"{urlencode({'target': target})}&"
    return {"operations": found, "next": _link(f"operations?{of_it}", after)}


def _operations(console: Console, target: str | None) -> Read:
    return lambda before, since, limit, oldest_first: console.operations(
        target, before=before, since=since, limit=limit, oldest_first=oldest_first
    )


def _link(path: str, after: str | None) -> str | None:
    return None if after is None else f"{PREFIX}/{path}{after}"


def _add_changes(paths: APIRouter, console: Console) -> None:
    @paths.post("/targets/{name}/resolve", responses=described(shapes.Operation, *shapes.OF_A_CHANGE))
    async def resolve(name: str, resolution: Resolution, request: Request) -> Response:
        """Close the open operation that the daemon cannot close; refused while a job of the instance runs."""
        _known(console, name)
        who = resolution.from_(request)
        reason = resolution.reason.strip()
        return JSONResponse(await console.resolve(name, outcome=resolution.outcome, reason=reason, who=who))

    @paths.post("/targets/{name}/pause", responses=described(shapes.Changed, *shapes.OF_A_CHANGE))
    async def pause(name: str, request: Request, wish: Pausing | None = None) -> Response:
        """Have nothing changed on a target for a while, or until it is resumed; what is under way goes on."""
        _known(console, name)
        return await _pause(console, name, wish or Pausing.model_validate({}), request)

    @paths.post("/targets/{name}/resume", responses=described(shapes.Changed, *shapes.OF_A_CHANGE))
    async def resume(name: str, request: Request, wish: Resuming | None = None) -> Response:
        """End the pauses of a target; with `breaker` close its breaker, with `override` end its override, too."""
        _known(console, name)
        return await _resume(console, name, wish or Resuming.model_validate({}), request)

    @paths.post("/targets/{name}/override", responses=described(shapes.Changed, *shapes.OF_A_CHANGE))
    async def override(name: str, wish: Overriding, request: Request) -> Response:
        """Have so many nodes, inside min and max, whatever the rules want; in place of an earlier override."""
        _known(console, name)
        who, reason = wish.from_(request), wish.reason.strip()
        return JSONResponse(await console.override(name, nodes=wish.nodes, lasts=wish.lasts, reason=reason, who=who))


def _add_changes_of_all(paths: APIRouter, console: Console) -> None:
    @paths.post("/pause", responses=described(shapes.Changed, *shapes.OF_ALL))
    async def pause_all(request: Request, wish: Pausing | None = None) -> Response:
        """Have nothing changed on any target, also on those that come later, for a while or until all are resumed."""
        return await _pause(console, None, wish or Pausing.model_validate({}), request)

    @paths.post("/resume", responses=described(shapes.Changed, *shapes.OF_ALL))
    async def resume_all(request: Request, wish: Resuming | None = None) -> Response:
        """End every pause, those of single targets too; with `breaker` and `override` also those of every target."""
        return await _resume(console, None, wish or Resuming.model_validate({}), request)


async def _pause(console: Console, name: str | None, wish: Pausing, request: Request) -> Response:
    who, reason = wish.from_(request), wish.reason.strip()
    return JSONResponse(await console.pause(name, lasts=wish.lasts, reason=reason, who=who))


async def _resume(console: Console, name: str | None, wish: Resuming, request: Request) -> Response:
    who, reason = wish.from_(request), wish.reason.strip()
    done = await console.resume(name, breaker=wish.breaker, override=wish.override, who=who, reason=reason)
    return JSONResponse(done)


def _known(console: Console, name: str) -> Json:
    """The target.

    Raises:
        HTTPException: 404 that names those there are.
    """
    target = console.target(name)
    if target is not None:
        return target
    names = console.names()
    there = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")  # noqa: PLR2004  # a line
    near = shape.nearest(name, names).removeprefix(", ")
    raise HTTPException(
        404,
        f"There is no target {name!r}; there {'is none' if not names else f'are: {there}'}."
        + (f" {near[0].upper()}{near[1:]}" if near else ""),
    )
