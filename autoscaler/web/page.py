"""The page at `/`: every target, then the last decisions and operations; works without JavaScript."""

import asyncio
from datetime import datetime
from typing import Any

import jinja2
from fastapi import APIRouter
from starlette.responses import HTMLResponse

from autoscaler import __version__
from autoscaler.errors import StoreError
from autoscaler.ports import Console
from autoscaler.web import view

HISTORY_OF = 20
"""Of how many targets the history is read; with more of them only the last decision of each is listed."""

RECORDS_EACH = 60
EVENTS = 20
OPERATIONS = 10


def router(console: Console) -> APIRouter:
    """The page's path."""
    paths = APIRouter()
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("autoscaler.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters["clock"] = view.clock

    @paths.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        shown = await _gather(console)
        return HTMLResponse(await asyncio.to_thread(_rendered, templates, shown))

    return paths


async def _gather(console: Console) -> dict[str, Any]:
    """Everything the page shows; a store that cannot be read is said on it."""
    shown: dict[str, Any] = {
        "version": __version__,
        "now": console.now(),
        "ready": console.ready(),
        "healthy": console.healthy(),
        "targets": (),
        "records": (),
        "operations": (),
        "trouble": "",
    }
    try:
        shown["targets"] = console.targets()
        shown["records"] = await asyncio.to_thread(_records, console, shown["targets"])
        shown["operations"] = await asyncio.to_thread(console.operations, None, limit=OPERATIONS)
    except StoreError as error:
        shown["trouble"] = str(error)
    return shown


def _records(console: Console, targets: tuple[dict[str, Any], ...]) -> list[tuple[dict[str, Any], ...]]:
    if len(targets) > HISTORY_OF:
        return [(target["decision"],) for target in targets if target["decision"]]
    return [console.decisions(target["name"], before=None, since=None, limit=RECORDS_EACH) for target in targets]


def _rendered(templates: jinja2.Environment, shown: dict[str, Any]) -> str:
    now: datetime = shown["now"]
    events = [event for records in shown["records"] for event in view.events(records)]
    events.sort(key=lambda event: event.at, reverse=True)
    more = {
        "cards": [view.card(target, now) for target in shown["targets"]],
        "events": events[:EVENTS],
        "operations": [view.operation_row(operation) for operation in shown["operations"]],
    }
    return templates.get_template("index.html").render(shown | more)
