/**
 * What the target says about itself: columns, unique keys, references, and the order of its
 * tables that follows from them. Nothing of it is kept in a list by hand.
 */
import { query, type Transaction } from "./sql.mts";

export interface Column {
  name: string;
  type: string;
  generated: boolean;
  /** The sequence that feeds it. */
  sequence: string | null;
}

export interface Key {
  name: string;
  primary: boolean;
  columns: string[];
  /** Columns as they are, all rows, NULLs distinct: the only kind that this restore knows. */
  plain: boolean;
}

export interface Reference {
  name: string;
  columns: string[];
  parent: string;
  references: string[];
}

export interface Table {
  name: string;
  columns: Column[];
  keys: Key[];
  references: Reference[];
  /** Columns that every row is known by. */
  identity: string[];
}

const COLUMNS = `
  SELECT c.relname::text AS table, a.attname::text AS name,
         format_type(a.atttypid, a.atttypmod) AS type, a.attgenerated <> '' AS generated,
         pg_get_serial_sequence(quote_ident(c.relname), a.attname) AS sequence
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  ORDER BY c.relname, a.attnum`;

const KEYS = `
  SELECT c.relname::text AS table, x.relname::text AS name, i.indisprimary AS primary,
         (SELECT array_agg(a.attname::text ORDER BY k.n)
          FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY k(att, n)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.att) AS columns,
         i.indexprs IS NULL AND i.indpred IS NULL
           AND coalesce(to_jsonb(i) ->> 'indnullsnotdistinct', 'false') = 'false' AS plain
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
  WHERE c.relnamespace = current_schema()::regnamespace AND i.indisunique
  ORDER BY c.relname, i.indisprimary DESC, x.relname`;

const REFERENCES = `
  SELECT c.relname::text AS table, k.conname::text AS name, p.relname::text AS parent,
         (SELECT array_agg(a.attname::text ORDER BY u.n) FROM unnest(k.conkey)
            WITH ORDINALITY u(att, n)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.att) AS columns,
         (SELECT array_agg(a.attname::text ORDER BY u.n) FROM unnest(k.confkey)
            WITH ORDINALITY u(att, n)
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.att) AS references
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
  WHERE c.relnamespace = current_schema()::regnamespace AND k.contype = 'f'
  ORDER BY c.relname, k.conname`;

type Of<T> = T & { table: string };

/** Those of `names` that the target has, parents first. */
export async function tables(tx: Transaction, names: string[]): Promise<Table[]> {
  const columns = await query<Of<Column>>(tx, COLUMNS);
  const keys = await query<Of<Key>>(tx, KEYS);
  const references = await query<Of<Reference>>(tx, REFERENCES);
  const found = names.map((name) => {
    const table = {
      name,
      columns: columns.filter((column) => column.table === name),
      keys: keys.filter((key) => key.table === name),
      references: references.filter((reference) => reference.table === name),
    };
    if (table.columns.length === 0) {
      throw new Error(`the target has no table ${name}; migrate it first`);
    }
    return { ...table, identity: identity(name, table.keys) };
  });
  return ordered(found);
}

function identity(name: string, keys: Key[]): string[] {
  const [odd] = keys.filter((key) => !key.plain);
  const [first] = keys;
  if (odd || !first) {
    const why = odd ? `the unique index ${odd.name} is no plain one` : "there is no unique key";
    throw new Error(`${name}: ${why}, so that this restore cannot tell its rows apart`);
  }
  return first.columns;
}

function ordered(all: Table[]): Table[] {
  const byName = new Map(all.map((table) => [table.name, table]));
  const done = new Set<Table>();
  const visit = (table: Table, below: Table[]): void => {
    if (done.has(table)) {
      return;
    }
    if (below.includes(table)) {
      const names = below.map((each) => each.name).join(", ");
      throw new Error(
        `the tables ${names} refer to each other; this restore has no order for them`,
      );
    }
    for (const { parent } of table.references) {
      const above = byName.get(parent);
      if (above && above !== table) {
        visit(above, [...below, table]);
      }
    }
    done.add(table);
  };
  all.forEach((table) => visit(table, []));
  return [...done];
}
