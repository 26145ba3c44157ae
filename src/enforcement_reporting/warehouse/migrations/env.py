"""Runs the migrations on the connection that is passed in."""

import sqlalchemy as sa
from alembic import context

connection: sa.Connection = context.config.attributes["connection"]
with connection.begin():
    connection.execute(sa.text("select pg_advisory_xact_lock(hashtext('enforcement_reporting.migrations'))"))
    context.configure(connection=connection, version_table="enforcement_reporting_migrations")
    with context.begin_transaction():
        context.run_migrations()
