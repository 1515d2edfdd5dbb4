"""`GET /targets/{name}/foretold`: what a change would do, in words, for the dialogs that ask before they make it."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from autoscaler.core import standing_words
from autoscaler.errors import StoreError
from autoscaler.ports import Console
from autoscaler.web import foretold
from autoscaler.yamlfile import quantities

Text = Annotated[str, Query(max_length=40)]


class Action(StrEnum):
    """What an operator may do to a target."""

    PAUSE = "pause"  # nothing is changed
    RESUME = "resume"  # ends pauses, and what else is asked for
    OVERRIDE = "override"  # so many nodes
    RESOLVE = "resolve"  # closes the open operation


def router(console: Console) -> APIRouter:
    """The path; it changes nothing, so it needs no token."""
    paths = APIRouter(include_in_schema=False)

    @paths.get("/targets/{name}/foretold")
    async def say(
        name: str,
        action: Action,
        lasts: Annotated[str, Query(alias="for", max_length=40)] = "",
        nodes: Text = "",
        outcome: Annotated[str, Query(alias="as", max_length=40)] = "",
        *,
        override: bool = False,
        breaker: bool = False,
    ) -> Response:
        """In words, with 422 what is wrong with it, and 409 where another daemon is to be asked."""
        led_by = console.led_by()
        if led_by is not None:
            words = f"This daemon stands by and would refuse it: {standing_words.who_leads(led_by)}."
            return PlainTextResponse(words, 409)
        try:
            target = console.target(name)
            if target is None:
                return PlainTextResponse(f"There is no target {name}.", 404)
            match action:
                case Action.PAUSE:
                    words = foretold.pause(target, _span(lasts) if lasts.strip() else None, console.now())
                case Action.RESUME:
                    words = foretold.resume(target, override=override, breaker=breaker)
                case Action.OVERRIDE:
                    words = foretold.override(target, _count(nodes), _span(lasts), console.now())
                case Action.RESOLVE:
                    words = foretold.resolve(target, outcome)
            return PlainTextResponse(words)
        except (foretold.NothingToSayError, ValueError) as error:
            return PlainTextResponse(str(error), 422)
        except StoreError as error:
            return PlainTextResponse(str(error), 503)

    return paths


def _span(text: str) -> timedelta:
    return quantities.duration(text.strip())


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise foretold.NothingToSayError("Say how many nodes, as a whole number.")
    return int(text)
