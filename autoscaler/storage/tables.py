"""The tables, portable between SQLite and PostgreSQL.

Instants are whole microseconds since 1970 UTC: sortable, exact, the same on every database. Sets, lists and records are
JSON *text*, read by `rows`, so that one unreadable value spoils one row and not the whole answer. Words of enums are
plain text without a CHECK: a word that this version does not know is a matter of `rows`, not of the database.
Every change here needs a revision in `migrations/versions`; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

from autoscaler.core.operation import OPEN_STATES, State

OPEN_WORDS = sorted(state.value for state in OPEN_STATES)
ENDED_WORDS = sorted(state.value for state in State if state not in OPEN_STATES)

Serial = BigInteger().with_variant(Integer(), "sqlite")
"""A key that counts up: SQLite numbers rows only in a column that is called INTEGER."""

metadata = MetaData()

operations = Table(
    "operations",
    metadata,
    Column("seq", Serial, primary_key=True),  # the order of two that were committed in the same microsecond
    Column("id", Text, nullable=False, unique=True),
    Column("target", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("instance_id", Text, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("change", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("committed_at", BigInteger, nullable=False),
    Column("send_before", BigInteger, nullable=False),
    Column("node_ids", Text, nullable=False),
    Column("removing", Text, nullable=False),
    Column("zones", Text, nullable=False),
    Column("known_jobs", Text, nullable=False),  # thousands of ids; emptied when the operation ends
    Column("skew_seconds", Double, nullable=False),
    Column("prepaid", Boolean, nullable=False),
    Column("job_id", Text),
    Column("order_id", Text),
    Column("submitted_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("arrived", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("foreign", Boolean, nullable=False),
    Column("shadow", Boolean, nullable=False),
)

# Written out, so that it is the same words on every database and in the revision that makes it.
_OPEN_AND_OURS = text(f'state IN ({", ".join(map(repr, OPEN_WORDS))}) AND NOT "foreign" AND NOT shadow')

Index(
    "one_open_operation_per_instance",  # invariant I1
    operations.c.region,
    operations.c.project_id,
    operations.c.instance_id,
    unique=True,
    sqlite_where=_OPEN_AND_OURS,
    postgresql_where=_OPEN_AND_OURS,
)
Index("operations_of_instance", operations.c.region, operations.c.project_id, operations.c.instance_id)
Index("operations_of_target", operations.c.target, operations.c.committed_at)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("target", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("decision", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("record", Text, nullable=False),  # Decision.as_json()
    Column("operation_id", Text, ForeignKey("operations.id", ondelete="SET NULL")),  # the intent it was stored with
)

_WITH_OPERATION = text("operation_id IS NOT NULL")

Index("decisions_of_target", decisions.c.target, decisions.c.at)
Index("decisions_by_time", decisions.c.at)  # pruning
Index(
    "decisions_of_operation",  # without it, deleting an operation would read every decision
    decisions.c.operation_id,
    sqlite_where=_WITH_OPERATION,
    postgresql_where=_WITH_OPERATION,
)

seen_nodes = Table(
    "seen_nodes",
    metadata,
    Column("region", Text, primary_key=True),
    Column("project_id", Text, primary_key=True),
    Column("instance_id", Text, primary_key=True),
    Column("group_id", Text, primary_key=True),
    Column("nodes", Text, nullable=False),  # a list of {id, first_ready_at, warm}: a group seen empty is a row, too
)

interventions = Table(
    "interventions",  # what operators did by hand: a few, and read whole
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("target", Text),  # none: every target
    Column("from", BigInteger, nullable=False),
    Column("until", BigInteger),  # none: until it is taken back
    Column("nodes", Integer),
    Column("reason", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("ended_at", BigInteger),  # taken back
    Column("ended_by", Text, nullable=False),
    Column("ended_reason", Text),  # none: written by a version that did not ask why
)

lease = Table(
    "lease",  # who leads where several daemons share the database; none is needed in SQLite, whose file has one process
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),  # one more at each take-over
    Column("until", BigInteger, nullable=False),  # by the database's clock
)

outbox = Table(
    "outbox",  # what is to be told to webhooks, and what was: a second telling of the same event is not stored
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("webhook", Text, nullable=False),
    Column("event", Text, nullable=False),  # Letter.id
    Column("kind", Text, nullable=False),
    Column("target", Text),  # none: of no target, or of all
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),  # sent as it is
    Column("due", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
)

_WAITING = text("state = 'waiting'")

Index("one_letter_per_webhook_and_event", outbox.c.webhook, outbox.c.event, unique=True)
Index("outbox_by_time", outbox.c.at)  # pruning
Index(
    "outbox_waiting",
    outbox.c.webhook,
    outbox.c.attempts,
    outbox.c.seq,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)
