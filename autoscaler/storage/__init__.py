"""What outlives the process: operations, decisions and seen nodes, in a database.

The only home of SQLAlchemy, Alembic and psycopg. `opening.open_store(url)` gives the adapter of the ports `Store` and
(as `.history`) `History`. Nothing but `StoreError` and the errors that the ports name leaves this package.
"""
