#!/bin/sh
# Rows only, as INSERTs, without the tables that describe the database itself.
set -eu
exec pg_dump --data-only --column-inserts --no-owner --no-privileges \
  --exclude-table='*."_prisma_migrations"' --exclude-table='*."InitialLoadSessions"' --file="$1"
