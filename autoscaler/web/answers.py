"""How errors are answered: always JSON `{"error": one sentence}`, with a status that a program can act on."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from autoscaler.errors import CloudError, StoreError
from autoscaler.ports import ChangeInvalidError, ChangeRefusedError, FeedFullError, QuestionInvalidError


def install(app: FastAPI) -> None:
    """Translate every kind of error that can leave an endpoint."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StoreError, _unavailable)
    app.add_exception_handler(CloudError, _unavailable)
    app.add_exception_handler(FeedFullError, _come_back)
    app.add_exception_handler(ChangeRefusedError, _conflict)
    app.add_exception_handler(ChangeInvalidError, _not_allowed)
    app.add_exception_handler(QuestionInvalidError, _not_allowed)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    words = error.detail
    if words in ("Not Found", "Method Not Allowed"):  # the framework's own
        words = f"There is no {request.method} {request.url.path}."
    return JSONResponse({"error": words}, error.status_code, headers=error.headers)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for nothing else
    sentences = (
        f"{'.'.join(map(str, one['loc'][1:])) or 'the body'}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors()
    )
    return JSONResponse({"error": "; ".join(sentences)}, 422)


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 503)


async def _come_back(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 503, headers={"Retry-After": "30"})


async def _conflict(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 409)


async def _not_allowed(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 422)
