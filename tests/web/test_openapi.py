"""What OpenAPI promises, held against the real application and console: whatever is sent, no 5xx and no other shape."""

import asyncio
from datetime import timedelta

import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import SecretStr

from autoscaler.web import app
from autoscaler.web.addressed import Hosts
from tests.control.house import House
from tests.web.conftest import TOKEN, metrics

BEARER = {"Authorization": f"Bearer {TOKEN}"}
ENDLESS = "/api/v1/events"
"""It has tests of its own: its answer does not end."""

PROMISES = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
    schemathesis.checks.response_headers_conformance,
]


async def _lived() -> House:
    """A house in which things have happened: decisions, an operation that is open, a pause and an override."""
    house = House()
    await house.hot()
    for _ in range(3):
        house.minutes()
        await house.evaluate()
    await house.console().pause(None, lasts=timedelta(hours=2), reason="a move", who="ann")
    await house.console().override("orders", nodes=6, lasts=timedelta(hours=2), reason="", who="ben")
    return house


APPLICATION = app.create_app(asyncio.run(_lived()).console(), metrics, SecretStr(TOKEN), Hosts(names=["testserver"]))
API = schemathesis.openapi.from_asgi("/api/v1/openapi.json", APPLICATION).exclude(path=[ENDLESS])
API.config.generation.update(modes=list(schemathesis.GenerationMode))

bounded = settings(
    max_examples=30, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def check(case: schemathesis.Case) -> None:
    case.call_and_validate(headers=BEARER, checks=PROMISES)


@API.parametrize()
@bounded
def test_whatever_is_sent_the_answer_is_as_promised(case):
    check(case)


@API.include(path_regex="{name}").parametrize()
@bounded
def test_whatever_is_sent_of_a_target_that_is_there_the_answer_is_as_promised(case):
    case.path_parameters["name"] = "orders"
    check(case)


def test_every_answer_of_the_api_has_a_shape():
    paths = APPLICATION.openapi()["paths"]
    good = {path: said["responses"]["200"] for path, methods in paths.items() for said in methods.values()}
    shapes = {path: said["content"].get("application/json", {}).get("schema", {}) for path, said in good.items()}

    bare = [path for path, shape in shapes.items() if path.startswith("/api/v1") and "$ref" not in shape]
    assert bare == ["/api/v1/config", ENDLESS]
