"""The pages: the fleet at `/`, a target, one of its decisions; readable, without being live, without JavaScript."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import jinja2
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from autoscaler import __version__
from autoscaler.core import reload_words, standing_words
from autoscaler.core.decision import rfc3339
from autoscaler.errors import StoreError
from autoscaler.ports import Console
from autoscaler.web import fleet, of_target, squeezed, words
from autoscaler.web.overview import Overview
from autoscaler.web.paging import Instant, Moment
from autoscaler.yamlfile import shape

OPERATIONS_OF_FLEET, INTERVENTIONS_OF_FLEET = 8, 8

RECORDS, OPERATIONS, INTERVENTIONS = 240, 20, 20
"""Of a target, on its page."""

NAMED = 30
"""Targets that an answer names where there is none of a name."""

Json = dict[str, Any]
_MICROSECOND = timedelta(microseconds=1)


def router(console: Console, pages: "Pages", overview: Overview) -> APIRouter:
    """The pages' paths."""
    paths = APIRouter(include_in_schema=False)

    @paths.get("/")
    async def of_fleet(request: Request) -> Response:
        return await asyncio.to_thread(squeezed.kept, await overview.page.answer(), request)

    @paths.get("/targets/{name}")
    async def of_one(name: str, request: Request, before: Instant = None) -> Response:
        read = pages.head() | _target(console, name)
        if not read["target"]:
            return await pages.missing(name, request, read)
        return await pages.answer("target.html", lambda: _target_words(console, read, before), request)

    @paths.get("/targets/{name}/decisions/{at}")
    async def decision(name: str, at: Moment, request: Request) -> Response:
        read = pages.head() | _target(console, name)
        if not read["target"]:
            return await pages.missing(name, request, read)
        try:
            found = await asyncio.to_thread(console.decisions, name, before=at + _MICROSECOND, since=at, limit=1)
        except StoreError as error:
            return await pages.missing(name, request, read | {"trouble": str(error)})
        found = found or _own(read["target"], at)
        if not found:
            return await pages.missing(name, request, read | {"at": rfc3339(at)})
        return await pages.answer(
            "decision.html", lambda: read | of_target.explained(found[0], read["target"]), request
        )

    return paths


@jinja2.pass_context
def _clock(context: jinja2.runtime.Context, instant: str) -> str:
    """As of the page's own time."""
    return words.clock(instant, context["now"])


class Pages:
    """Templates, and what stands on every page."""

    def __init__(self, console: Console, *, steerable: bool) -> None:
        """`steerable`: there is a token with which something can be changed."""
        self._console = console
        self._steerable = steerable
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("autoscaler.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        self._templates.filters["clock"] = _clock
        self._templates.filters["who_leads"] = standing_words.who_leads
        self._templates.filters["unobeyed"] = reload_words.unobeyed

    def head(self) -> Json:
        return {
            "version": __version__,
            "event": self._console.last_event(),  # before what is shown: what is missed in between is told
            "now": self._console.now(),
            "ready": self._console.ready(),
            "healthy": self._console.healthy(),
            "led_by": self._console.led_by(),
            "unobeyed": self._console.unobeyed(),
            "steerable": self._steerable,
            "trouble": "",
        }

    def fleet(self) -> bytes:
        """Its page as it is kept, squeezed; for a thread."""
        read = self.head() | _fleet(self._console)
        return squeezed.squeezed(self._templates.get_template("fleet.html").render(read))

    async def answer(self, template: str, make: Callable[[], Json], request: Request, status: int = 200) -> Response:
        """Made beside the loop, which a long page would hold up."""

        def made() -> Response:
            return squeezed.response(self._templates.get_template(template).render(make()), request, status)

        return await asyncio.to_thread(made)

    async def missing(self, name: str, request: Request, read: Json) -> Response:
        """404 that says what there is."""
        names = self._console.names()
        near = shape.nearest(name, names).removeprefix(", ")
        found = read | {"name": name, "names": sorted(names)[:NAMED], "more": max(0, len(names) - NAMED), "near": near}
        return await self.answer("missing.html", lambda: found, request, 503 if read["trouble"] else 404)


def _fleet(console: Console) -> Json:
    """What could be read, and what could not."""
    made: Json = {"rows": [], "operations": [], "interventions": []}
    try:
        made["rows"] = fleet.rows(console.targets(), console.recent(), console.now())
        made["operations"] = [words.operation_row(one) for one in console.operations(None, limit=OPERATIONS_OF_FLEET)]
        done = console.interventions(limit=INTERVENTIONS_OF_FLEET)
        made["interventions"] = [of_target.intervention(one) for one in done]
    except StoreError as error:
        made["trouble"] = str(error)
    return made | {"counts": fleet.counts(made["rows"]), "totals": fleet.totals(made["rows"])}


def _target(console: Console, name: str) -> Json:
    try:
        return {"target": console.target(name)}
    except StoreError as error:
        return {"target": None, "trouble": str(error)}


def _own(target: Json, at: datetime) -> tuple[Json, ...]:
    """The last decision, where it is of that moment: who stands by writes none down."""
    decision = target["decision"]
    return (decision,) if decision and datetime.fromisoformat(decision["at"]) == at else ()


def _target_words(console: Console, read: Json, before: datetime | None) -> Json:
    name = read["target"]["name"]
    more: Json = {"before": before and rfc3339(before)}
    records: tuple[Json, ...] = ()
    operations: tuple[Json, ...] = ()
    interventions: tuple[Json, ...] = ()
    try:
        records = console.decisions(name, before=before, since=None, limit=RECORDS)
        operations = console.operations(name, limit=OPERATIONS)
        interventions = console.interventions(name, limit=INTERVENTIONS)
    except StoreError as error:
        more["trouble"] = str(error)
    more["older"] = records[-1]["at"] if len(records) == RECORDS else ""
    return read | of_target.shown(read["target"], records, operations, interventions, read["now"]) | more
