"""The HTTP application, put together from its parts; reference: docs/api.md."""

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.staticfiles import StaticFiles

from autoscaler import __version__
from autoscaler.ports import Console
from autoscaler.web import answers, api, page, probes, steering
from autoscaler.web.addressed import Addressed, Hosts
from autoscaler.web.armour import Armour
from autoscaler.web.head import Head
from autoscaler.web.overview import Overview
from autoscaler.web.same_site import SameSite
from autoscaler.web.token import TokenRule

STATIC = Path(__file__).parent / "static"

Exposition = Callable[[str], tuple[bytes, str]]
"""From an Accept header to the metrics page and its content type."""


def create_app(console: Console, metrics: Exposition, token: SecretStr | None, hosts: Hosts) -> FastAPI:
    """Everything under the addresses of `hosts`. Without a token nothing can be changed through it."""
    app = FastAPI(
        title="DDM Autoscaler",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
    )
    app.add_middleware(Head)
    app.add_middleware(SameSite)
    app.add_middleware(Addressed, hosts=hosts)
    app.add_middleware(Armour)  # the last one added is the first one asked
    answers.install(app)
    rule = TokenRule(token)
    pages = page.Pages(console, steerable=bool(token and token.get_secret_value()))
    overview = Overview(console, pages.fleet)
    app.include_router(probes.router(console, metrics, rule, done=overview.forget))
    app.include_router(api.router(console, rule, overview))
    app.include_router(page.router(console, pages, overview))
    app.include_router(steering.router(console))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
