"""The pages: the fleet at `/`, a target, one of its decisions; readable, without being live, without JavaScript."""

import asyncio
from collections.abc import Callable
from typing import Any

import jinja2
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from autoscaler import __version__
from autoscaler.errors import StoreError
from autoscaler.ports import Console
from autoscaler.web import fleet, squeezed, words

OPERATIONS = 8
"""Of all targets, on the fleet's page."""

Json = dict[str, Any]


def router(console: Console, *, steerable: bool) -> APIRouter:
    """The pages' paths; `steerable`: there is a token with which something can be changed."""
    paths = APIRouter(include_in_schema=False)
    templates = _templates()
    head = _Head(console, steerable=steerable)

    def page(template: str, make: Callable[[], Json], request: Request, status: int = 200) -> Response:
        return squeezed.response(templates.get_template(template).render(make()), request, status)

    @paths.get("/")
    async def of_fleet(request: Request) -> Response:
        shown = head() | _fleet(console)
        return await asyncio.to_thread(page, "fleet.html", lambda: _fleet_words(console, shown), request)

    return paths


def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("autoscaler.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["clock"] = words.clock
    return made


class _Head:
    """What stands on every page."""

    def __init__(self, console: Console, *, steerable: bool) -> None:
        self._console = console
        self._steerable = steerable

    def __call__(self) -> Json:
        return {
            "version": __version__,
            "event": self._console.last_event(),  # before what is shown: what is missed in between is told
            "now": self._console.now(),
            "ready": self._console.ready(),
            "healthy": self._console.healthy(),
            "steerable": self._steerable,
            "trouble": "",
        }


def _fleet(console: Console) -> Json:
    """What only the loop's thread may read."""
    try:
        return {"targets": console.targets(), "recent": console.recent()}
    except StoreError as error:
        return {"targets": (), "recent": {}, "trouble": str(error)}


def _fleet_words(console: Console, shown: Json) -> Json:
    rows = fleet.rows(shown["targets"], shown["recent"], shown["now"])
    more: Json = {"rows": rows, "counts": fleet.counts(rows), "totals": fleet.totals(rows), "operations": []}
    try:
        more["operations"] = [words.operation_row(one) for one in console.operations(None, limit=OPERATIONS)]
    except StoreError as error:
        more["trouble"] = str(error)
    return shown | more
