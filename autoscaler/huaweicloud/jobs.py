"""The task centre (DDM API reference, "Querying Tasks" and "Querying a Task")."""

from datetime import datetime

from autoscaler import errors
from autoscaler.core import checks
from autoscaler.huaweicloud.gateway import Gateway, identifier
from autoscaler.huaweicloud.records import Record, unique


async def jobs(gateway: Gateway, start: datetime, end: datetime) -> tuple[checks.Job, ...]:
    """All tasks of the project created in [start, end]: one full reading, every page.

    Raises:
        CloudError: a page failed, or the pages do not add up.
    """
    query = (("start_time", _milliseconds(start)), ("end_time", _milliseconds(end)))
    found = await gateway.pages("ddm", "list_jobs", "/v3/{project}/jobs", items="jobs", query=query)
    return tuple(_job(record, job_id, record.text_or("instance_id")) for job_id, record in unique(found, "id"))


async def job(gateway: Gateway, job_id: str) -> checks.Job | None:
    """One task; None where the cloud does not know it (any more).

    Raises:
        CloudError: it could not be asked.
    """
    try:
        answer = await gateway.get("ddm", "show_job", f"/v3/{{project}}/jobs/{identifier(job_id, 'job')}")
    except errors.NotFound:
        return None
    record = answer.record("job")
    instance_id = record.record("instance").text_or("id") if record.has("instance") else ""
    return _job(record, record.text("id"), instance_id)


def _job(record: Record, job_id: str, instance_id: str) -> checks.Job:
    return checks.Job(
        id=job_id,
        name=record.text_or("name"),
        status=record.text("status"),
        instance_id=instance_id,
        created_at=_time(record, "created_time"),
        ended_at=_time(record, "end_time"),
        fail_reason=record.text_or("fail_reason"),
    )


def _time(record: Record, name: str) -> datetime | None:
    """`2018-08-06T10:41:14+0100` (an offset without a colon); None where it is empty or without an offset."""
    text = record.text_or(name)
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise record.unreadable(f"{name!r} is not a time") from error
    return read if read.tzinfo is not None else None


def _milliseconds(instant: datetime) -> str:
    return str(int(instant.timestamp() * 1000))
