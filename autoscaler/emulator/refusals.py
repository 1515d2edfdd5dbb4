"""The shapes in which each service says no."""

from collections.abc import Mapping
from typing import Any

from autoscaler.emulator.calls import Answer, Refused

IAM, DDM, CLOUD_EYE, RDS = "iam", "ddm", "cloud_eye", "rds"
SERVICES = (IAM, DDM, CLOUD_EYE, RDS)

_CODES = {  # what a service says where nothing more exact is known
    DDM: {400: "DBS.280001", 403: "DBS.200010", 404: "DBS.200001", 409: "DBS.200019", 500: "DBS.200412"},
    RDS: {400: "DBS.280001", 403: "DBS.200010", 404: "DBS.200001", 409: "DBS.200011", 500: "DBS.200412"},
    CLOUD_EYE: {400: "ces.0014", 401: "ces.0015", 403: "ces.0017", 404: "ces.0016", 429: "ces.0429", 500: "ces.0007"},
}
_MESSAGES = {
    400: "Parameter error.",
    401: "Authentication failed.",
    403: "Policy doesn't allow the operation to be performed.",
    404: "The resource does not exist.",
    409: "Another operation is being performed on the DB instance.",
    413: "The quota is exceeded.",
    429: "Too Many Requests.",
    500: "Server failure.",
}


def answer(
    service: str,
    status: int,
    code: str | None = None,
    message: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """A refusal in the service's own words.

    DDM: "Abnormal Request Results" of its API reference; Cloud Eye: "What Do I Do If the API Rate Limit Is Reached" of
    its FAQ; IAM: the Keystone shape of its API reference; codes without a service are the API gateway's.
    """
    text = message or _MESSAGES.get(status, _MESSAGES[500] if status >= 500 else _MESSAGES[400])  # noqa: PLR2004 - server errors
    known = code or _CODES.get(service, {}).get(status)
    return Answer(status, _body(service, status, known, text), headers or {})


def _body(service: str, status: int, code: str | None, text: str) -> Any:
    if service == IAM:
        return {"error": {"code": status, "message": text, "title": _TITLES.get(status, "Error")}}
    if service == CLOUD_EYE:
        message = {"details": text, "code": code or "ces.0007"}
        return {"http_code": status, "message": message, "encoded_authorization_message": None}
    if code is None or service == RDS:
        return {"error_code": code or _gateway_code(status), "error_msg": text}
    return {"errCode": code, "externalMessage": text}


_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}


def _gateway_code(status: int) -> str:
    """APIG user guide: Error Codes."""
    return {401: "APIGW.0301", 403: "APIGW.0302", 404: "APIGW.0101", 429: "APIGW.0308"}.get(status, "APIGW.0201")


def refuse(service: str, status: int, code: str | None = None, message: str | None = None) -> Refused:
    """The same, to be raised."""
    return Refused(answer(service, status, code, message))
