"""From a database to a file: one snapshot, dumped by pg_dump, counted, with a manifest.

::

    snapshot ─▶ leaving_out ─┬─▶ pg_dump ─▶ counting ──────────▶ SQL
                             └─▶ json_file ◀─ json_cells ──────▶ an application's JSON
"""
