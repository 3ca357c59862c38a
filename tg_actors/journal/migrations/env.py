"""Run migrations on the connection handed over by ``schema.py``, inside its one transaction."""

from alembic import context

from tg_actors.journal.tables import metadata

# Batch mode: SQLite cannot alter most columns in place, so a changed table is copied.
context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True
)
context.run_migrations()
