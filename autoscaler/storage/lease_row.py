"""The row that says which of several daemons leads, in PostgreSQL: every statement goes by the database's clock alone.

A commit of an intent locks the row (`hold`), and a claim updates it: so nobody takes over while an intent is being
committed, and who takes over afterwards sees it.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, text

from autoscaler.errors import NotLeader

_NAME = "leader"

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
"""Microseconds, when it is asked: `now()` would be the time at which the transaction began, before it waited."""

_OURS = "lease.holder = :holder AND lease.fence = :fence"

_CLAIM = text(f"""
    INSERT INTO lease (name, holder, fence, until) VALUES (:name, :holder, 1, {_NOW} + :lasts)
    ON CONFLICT (name) DO UPDATE SET
        holder = :holder,
        fence = CASE WHEN {_OURS} THEN lease.fence ELSE lease.fence + 1 END,
        until = {_NOW} + :lasts
    WHERE ({_OURS}) OR lease.until <= {_NOW}
    RETURNING fence
""")  # noqa: S608  # of the constants above

_HOLD = text(f"SELECT 1 FROM lease WHERE name = :name AND {_OURS} AND until > {_NOW} FOR SHARE")  # noqa: S608  # same

_HOLDER = text(f"SELECT holder FROM lease WHERE name = :name AND until > {_NOW}")  # noqa: S608  # same

_RELEASE = text(f"UPDATE lease SET until = {_NOW} WHERE name = :name AND {_OURS}")  # noqa: S608  # same


@dataclass(frozen=True)
class Held:
    """What we claimed and may have lost since; number 0 was never given."""

    holder: str = ""
    fence: int = 0


def claim(connection: Connection, held: Held, holder: str, lasts: timedelta) -> Held | None:
    """Renew what is held, or take what is free or over; None: it is somebody else's."""
    ours = Held(holder, held.fence if held.holder == holder else 0)
    values = _values(ours) | {"lasts": lasts // timedelta(microseconds=1)}
    fence = connection.execute(_CLAIM, values).scalar()
    return None if fence is None else Held(holder, fence)


def hold(connection: Connection, held: Held, site: str) -> None:
    """Keep everybody from taking over until the end of the transaction.

    Raises:
        NotLeader: it is not ours, or over.
    """
    if connection.execute(_HOLD, _values(held)).scalar() is None:
        raise NotLeader(f"{site}: this daemon does not hold the lease; another one leads, or will")


def holder(connection: Connection) -> str:
    """Who holds it, as he named himself; "" where nobody does."""
    return connection.execute(_HOLDER, {"name": _NAME}).scalar() or ""


def release(connection: Connection, held: Held) -> None:
    """End it, where it is still ours."""
    connection.execute(_RELEASE, _values(held))


def _values(held: Held) -> dict[str, object]:
    return {"name": _NAME, "holder": held.holder, "fence": held.fence}
