"""IAM: sign-in, projects, temporary keys; and the metadata service that gives an ECS its agency's keys."""

from datetime import datetime, timedelta
from typing import Any

from autoscaler.emulator import accounts, refusals
from autoscaler.emulator.calls import Answer, Call, Operation

_NAME = "emulator"


def sign_in(call: Call) -> Answer:
    """IAM API reference: Obtaining a User Token Through Password Authentication. 201, the token in a header."""
    body = call.json()["auth"]
    identity = body["identity"]
    if identity["methods"] != ["password"]:
        raise refusals.refuse("iam", 400, message="Only the password method is emulated.")
    user = identity["password"]["user"]
    if not call.cloud.accounts.knows_password(user["name"], user["password"], user["domain"]["name"]):
        raise refusals.refuse("iam", 401, message="The username or password is wrong.")
    project = _scope(call, body.get("scope") or {})
    project_id = project["id"] if project else None
    token = call.cloud.accounts.sign_in(call.now, project_id=project_id, generation=call.cloud.world.revocations)
    return Answer(201, {"token": _token(call, token, project)}, {"X-Subject-Token": token.text})


def _scope(call: Call, scope: dict[str, Any]) -> dict[str, str] | None:
    """The project of the token: any name means the one there is; an empty scope none."""
    settings = call.cloud.world.settings
    wanted = scope.get("project")
    if wanted is None:
        return None
    if wanted.get("id", settings.project.id) != settings.project.id:
        raise refusals.refuse("iam", 401, message="The project does not exist or is not yours.")
    return {"id": settings.project.id, "name": wanted.get("name") or settings.project.name or settings.region}


def _token(call: Call, token: accounts.Pass, project: dict[str, str] | None) -> dict[str, Any]:
    domain = {"id": _domain_id(call), "name": call.cloud.world.settings.user.domain}
    answer: dict[str, Any] = {
        "expires_at": keystone_time(token.expires_at),
        "issued_at": keystone_time(token.issued_at),
        "methods": ["password"],
        "user": {"id": _domain_id(call)[::-1], "name": _NAME, "domain": domain, "password_expires_at": ""},
        "roles": [{"id": "0", "name": "te_admin"}],
    }
    if project:
        answer["project"] = project | {"domain": domain}
    if call.query.get("nocatalog") != "true":
        answer["catalog"] = []
    return answer


def list_projects(call: Call) -> Answer:
    """IAM API reference: Querying Project Information; `name` filters, and any name is the project's."""
    settings = call.cloud.world.settings
    project = {
        "id": settings.project.id,
        "name": call.query.get("name") or settings.project.name or settings.region,
        "domain_id": _domain_id(call),
        "parent_id": _domain_id(call),
        "is_domain": False,
        "enabled": True,
        "description": "",
        "links": {"self": f"http://{call.headers.get('host', '')}/v3/projects/{settings.project.id}"},
    }
    links = {"self": f"http://{call.headers.get('host', '')}/v3/projects", "next": None, "previous": None}
    return Answer(200, {"projects": call.half([project]), "links": links})


def temporary_keys(call: Call) -> Answer:
    """IAM API reference: Obtaining a Temporary Access Key and Security Token Through a Token. 900 to 86400 s."""
    identity = call.json()["auth"]["identity"]
    told = identity["token"]
    text = told.get("id") or call.headers.get("x-auth-token", "")
    if call.cloud.accounts.token(text, call.now, call.cloud.world.revocations) is None:
        raise refusals.refuse("iam", 401, message="The token must be updated.")
    seconds = int(told.get("duration_seconds", 900))
    if not 900 <= seconds <= 86_400:  # noqa: PLR2004 - the documented bounds
        raise ValueError("duration_seconds is out of bounds")
    return Answer(201, _credential(_key(call, timedelta(seconds=seconds))))


def metadata_token(call: Call) -> Answer:
    """ECS user guide: metadata, the token of its second version (huaweicloudsdkcore `auth/internal.py`)."""
    if "x-metadata-token-ttl-seconds" not in call.headers:
        return Answer(400, text="X-Metadata-Token-Ttl-Seconds is missing")
    return Answer(200, text="emulated-metadata-token")


def agency_keys(call: Call) -> Answer:
    """ECS user guide: metadata, Security Key. The token is optional, but a wrong one is refused."""
    if call.headers.get("x-metadata-token", "emulated-metadata-token") != "emulated-metadata-token":
        return Answer(401, text="the metadata token is not valid")
    return Answer(200, _credential(_key(call, None)))


def _key(call: Call, life: timedelta | None) -> accounts.Pass:
    return call.cloud.accounts.temporary_key(call.now, life=life, generation=call.cloud.world.revocations)


def _credential(key: accounts.Pass) -> dict[str, Any]:
    ends = keystone_time(key.expires_at)
    return {"credential": {"access": key.access, "secret": key.secret, "securitytoken": key.text, "expires_at": ends}}


def keystone_time(moment: datetime) -> str:
    """`2019-02-13T06:52:13.855000Z`: always six digits, always Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _domain_id(call: Call) -> str:
    return call.cloud.world.settings.project.id[::-1]


OPERATIONS = (
    Operation("sign_in", "POST", "/v3/auth/tokens", sign_in, open=True),
    Operation("list_projects", "GET", "/v3/projects", list_projects),
    Operation("temporary_keys", "POST", "/v3.0/OS-CREDENTIAL/securitytokens", temporary_keys, open=True),
    Operation("metadata_token", "PUT", "/meta-data/latest/api/token", metadata_token, open=True),
    Operation("agency_keys", "GET", "/openstack/latest/securitykey", agency_keys, open=True),
)
