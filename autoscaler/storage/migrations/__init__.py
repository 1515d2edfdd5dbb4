"""Revisions of the tables, oldest first in `versions/`; each is one transaction and keeps what is stored.

HEAD names the newest, so that opening a store that is up to date needs no Alembic; a test holds it against `versions/`.
"""

from pathlib import Path

HEAD = "0005"

SCRIPTS = Path(__file__).parent
