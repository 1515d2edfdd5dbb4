"""The API under /api/v1: what the daemon sees and did, and `resolve`, the one thing that can be changed."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from autoscaler.core.decision import rfc3339
from autoscaler.ports import Console
from autoscaler.web.token import TokenRule

Json = dict[str, Any]
Limit = Annotated[int, Query(ge=1, le=1000, description="how many at most, newest first")]
Instant = Annotated[AwareDatetime | None, Query(description="RFC 3339, with its offset")]

LATER_READS = ("events", "targets/{name}/samples")
LATER_CHANGES = ("targets/{name}/pause", "targets/{name}/resume", "targets/{name}/override")
"""Paths that are promised and not there yet: refused by name."""


class Resolution(BaseModel):
    """How an operation ended, by an operator's own eyes."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["succeeded", "failed", "never_happened"] = Field(alias="as")
    reason: str = Field(min_length=1, max_length=1000, pattern=r"\S")


def router(console: Console, token: TokenRule) -> APIRouter:
    """Every path of the API."""
    paths = APIRouter(prefix="/api/v1", tags=["api"])
    _add_targets(paths, console)
    _add_history(paths, console)
    _add_changes(paths, console, token)
    for path in LATER_READS:
        paths.add_api_route(f"/{path}", _later, methods=["GET"], include_in_schema=False)
    for path in LATER_CHANGES:
        paths.add_api_route(f"/{path}", _later, methods=["POST"], include_in_schema=False)
    return paths


def _add_targets(paths: APIRouter, console: Console) -> None:
    @paths.get("/targets")
    async def targets() -> Json:
        """Every target with its nodes, last decision, open operation and cooldowns, and the daemon's time."""
        return {"now": rfc3339(console.now()), "targets": list(console.targets())}

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
    async def decisions(name: str, before: Instant = None, since: Instant = None, limit: Limit = 100) -> Json:
        """Records of a target, newest first: at < before, at >= since."""
        _known(console, name)
        found = await asyncio.to_thread(console.decisions, name, before=before, since=since, limit=limit)
        return {"target": name, "decisions": list(found)}

    @paths.get("/targets/{name}/operations")
    async def target_operations(name: str, limit: Limit = 100) -> Json:
        """Operations of a target, newest first."""
        _known(console, name)
        found = await asyncio.to_thread(console.operations, name, limit=limit)
        return {"target": name, "operations": list(found)}

    @paths.get("/operations")
    async def operations(limit: Limit = 100) -> Json:
        """Operations of all targets, newest first."""
        found = await asyncio.to_thread(console.operations, None, limit=limit)
        return {"operations": list(found)}


def _add_changes(paths: APIRouter, console: Console, token: TokenRule) -> None:
    @paths.post("/targets/{name}/resolve", dependencies=[Depends(token)])
    async def resolve(name: str, resolution: Resolution, request: Request) -> Json:
        """Close the open operation that the daemon cannot close; refused while a job of the instance runs."""
        _known(console, name)
        who = f"token, from {request.client.host}" if request.client else "token"
        return await console.resolve(name, outcome=resolution.outcome, reason=resolution.reason.strip(), who=who)


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
    raise HTTPException(404, f"There is no target {name!r}; there {'is none' if not names else f'are: {there}'}.")


async def _later() -> None:
    raise HTTPException(501, "This is not in this version.")
