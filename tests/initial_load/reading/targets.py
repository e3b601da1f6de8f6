"""Small targets without a server, for the tests of JSON backups."""

from __future__ import annotations

from verifier.initial_load.catalog import Catalog, Column, Table


def column(name: str, written: str) -> Column:
    """``written``: the type, ``!`` behind it for NOT NULL, ``=`` and a default, ``*`` generated."""
    form, _, default = written.partition("=")
    kind = form.rstrip("!*")
    return Column(
        name=name, quoted=f'"{name}"', base=kind, type=kind, underlying=kind, collation=None,
        exact=True, kind="U", not_null="!" in form, default=default or None, fed=False,
        always=False, generated="*" in form, builtin=True, length=None,
    )  # fmt: skip


def target(**tables: dict[str, str]) -> Catalog:
    """A catalogue; a table outside of ``public`` is called ``schema__table``."""
    made = {}
    for oid, (written, columns) in enumerate(tables.items(), 1):
        schema, _, name = written.rpartition("__")
        schema = schema or "public"
        made[oid] = Table(
            oid=oid, schema=schema, name=name, quoted=f"{schema}.{name}", partitioned=False,
            root=oid, columns={each: column(each, form) for each, form in columns.items()},
            keys=(), checks=(), sequences=(), excluding=frozenset(),
        )  # fmt: skip
    return Catalog(made, (), {(table.schema, table.name): table for table in made.values()})
