#!/bin/sh
# The first sketch of the redesign: every INSERT becomes an upsert by id, and psql runs them all.
set -eu
awk '
  match($0, /^INSERT INTO [^(]+\([^)]*\) VALUES/) {
    list = substr($0, 1, RLENGTH - length(") VALUES"))
    sub(/^[^(]*\(/, "", list)
    count = split(list, column, ", ")
    assignments = ""
    for (i = 1; i <= count; i++)
      if (column[i] != "id")
        assignments = assignments (assignments ? ", " : "") column[i] " = EXCLUDED." column[i]
    sub(/;$/, " ON CONFLICT (id) DO " (assignments ? "UPDATE SET " assignments : "NOTHING") ";")
  }
  { print }
' "$1" | psql --no-psqlrc --quiet --single-transaction --set=ON_ERROR_STOP=1
