/**
 * The backup as temporary tables of the target, column by column of the target's own types.
 *
 * The file is text until PostgreSQL reads it: JavaScript's numbers would make 1.1 of 1.10 and
 * lose the end of 12345678901234567890, its dates have no microseconds, and Prisma's client
 * takes neither a NULL in a list nor json's null for something else than NULL.
 */
import type { Table } from "./schema.mts";
import { tables } from "./schema.mts";
import { listed, named, query, quoted, run, type Transaction } from "./sql.mts";

/** A table of the target with the backup's records for it, as rows of `rows`. */
export interface Staged extends Table {
  /**
   * The temporary table. Its column `record_n` is the record's place in the backup, from 1, and
   * `record_itself` says whether the row is still known by a key that the backup has for it.
   */
  rows: string;
  /** Names of the backup's columns. */
  given: string[];
  total: number;
}

/** Positions of the source's sequences, by the name that SQL writes. */
export interface Sequences {
  [name: string]: { lastValue: number | string; isCalled: boolean };
}

interface Metadata {
  format?: string;
  counts: Record<string, number>;
  tables: Record<string, { columns: string[] }>;
}

export async function stage(tx: Transaction, text: string): Promise<[Staged[], Sequences]> {
  await run(tx, "CREATE TEMP TABLE backup (name text, records json) ON COMMIT DROP");
  await run(tx, "INSERT INTO backup SELECT key, value FROM json_each($1::json -> 'data')", text);
  const [about] = await query<{ metadata: string | null; sequences: string | null }>(
    tx,
    `SELECT b ->> 'metadata' AS metadata, b ->> 'sequences' AS sequences
     FROM (SELECT $1::json AS b) f`,
    text,
  );
  const metadata = JSON.parse(about?.metadata ?? "{}") as Metadata;
  if (metadata.format !== "restore-verifier backup") {
    throw new Error("the backup does not say what it holds (metadata.format); make it anew");
  }
  const found = await query<{ name: string }>(tx, "SELECT name FROM backup");
  const names = found.map(({ name }) => name);
  const staged: Staged[] = [];
  for (const table of await tables(tx, names)) {
    const { columns: given } = metadata.tables[table.name] ?? { columns: [] };
    const filling = fill(tx, table, given, `stage_${staged.length}`);
    staged.push(await named(table, filling));
  }
  for (const [name, count] of Object.entries(metadata.counts)) {
    const found = staged.find((table) => table.name === name)?.total ?? 0;
    if (found !== count) {
      throw new Error(`the backup is damaged: it has ${found} of ${count} rows of ${name}`);
    }
  }
  return [staged, JSON.parse(about?.sequences ?? "{}") as Sequences];
}

async function fill(tx: Transaction, table: Table, given: string[], rows: string): Promise<Staged> {
  const values = given.map((name) => {
    const column = table.columns.find((each) => each.name === name && !each.generated);
    if (!column) {
      throw new Error(`the target has no column ${name} in ${table.name}; migrate it first`);
    }
    return value(name, column.type);
  });
  await run(
    tx,
    `CREATE TEMP TABLE ${rows} (
       LIKE ${quoted(table.name)}, record_n int, record_itself boolean) ON COMMIT DROP`,
  );
  const total = await run(
    tx,
    `INSERT INTO ${rows} (${listed(given)}, record_n, record_itself)
     SELECT ${values.join(", ")}, e.n, true
     FROM backup b, json_array_elements(b.records) WITH ORDINALITY e(r, n),
          json_populate_record(NULL::${quoted(table.name)}, e.r) p
     WHERE b.name = $1`,
    table.name,
  );
  return { ...table, rows, given, total };
}

/** One field of the record `e.r`, which PostgreSQL has made the row `p` of as far as it can. */
function value(name: string, type: string): string {
  const field = `e.r -> '${name.replaceAll("'", "''")}'`;
  switch (type) {
    case "json":
    case "jsonb":
      // A field that is not there is NULL, and null is json's own.
      return `(${field})::${type}`;
    case "bytea":
      return `CASE WHEN json_typeof(${field}) = 'object' THEN (
        SELECT decode(coalesce(string_agg(lpad(to_hex(o::int), 2, '0'), '' ORDER BY i), ''), 'hex')
        FROM json_array_elements_text(${field} -> 'data') WITH ORDINALITY d(o, i)) END`;
    case "bytea[]":
      throw new Error(`the column ${name} is an array of bytes, which this restore does not read`);
    default:
      return `p.${quoted(name)}`;
  }
}
