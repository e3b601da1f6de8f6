import { assigned, listed, query, quoted, run, same, type Transaction } from "./sql.mts";
import type { Sequences, Staged } from "./stage.mts";

export interface Counts {
  inserted: number;
  updated: number;
  unchanged: number;
  merged: number;
  rejected: number;
}

/** Writes what is new or differs, and leaves equal rows alone. */
export async function write(tx: Transaction, table: Staged, rejected: number): Promise<Counts> {
  const target = quoted(table.name);
  const matched = same(table.identity, "t", "s");
  const others = table.given.filter((name) => !table.identity.includes(name));
  // As text: 1.1 equals 1.10 as jsonb, and -0 equals 0.
  const differ =
    others
      .map((name) => `t.${quoted(name)}::text IS DISTINCT FROM s.${quoted(name)}::text`)
      .join(" OR ") || "false";
  // A record that is now a row of another key was merged, whatever it changed there.
  const [before] = await query<{ updated: number; unchanged: number }>(
    tx,
    `SELECT (count(*) FILTER (WHERE ${differ}))::int AS updated,
            (count(*) FILTER (WHERE NOT (${differ})))::int AS unchanged
     FROM ${target} t JOIN ${table.rows} s ON ${matched} WHERE s.record_itself`,
  );
  if (others.length > 0) {
    await run(
      tx,
      `UPDATE ${target} t SET ${assigned(others, "s")}
       FROM ${table.rows} s WHERE ${matched} AND (${differ})`,
    );
  }
  const inserted = await run(
    tx,
    `INSERT INTO ${target} (${listed(table.given)})
     SELECT ${listed(table.given, "s.")} FROM ${table.rows} s
     WHERE NOT EXISTS (SELECT FROM ${target} t WHERE ${matched}) ORDER BY s.record_n`,
  );
  const { updated, unchanged } = before ?? { updated: 0, unchanged: 0 };
  const merged = table.total - rejected - inserted - updated - unchanged;
  return { inserted, updated, unchanged, merged, rejected };
}

/** Sequences move past what they feed and past where the source had them, and never back. */
export async function advance(tx: Transaction, tables: Staged[], said: Sequences): Promise<void> {
  for (const { name: table, columns } of tables) {
    for (const { name: column, sequence } of columns) {
      if (sequence === null) {
        continue;
      }
      const position = said[sequence];
      const [due] = await query<{ next: string; now: string }>(
        tx,
        `SELECT greatest(q.next, f.next, $1::bigint)::text AS next, q.next::text AS now
         FROM (SELECT max(${quoted(column)})::bigint + 1 AS next FROM ${quoted(table)}) f,
              (SELECT last_value + is_called::int AS next FROM ${sequence}) q`,
        position ? String(BigInt(position.lastValue) + (position.isCalled ? 1n : 0n)) : null,
      );
      if (due && due.next !== due.now) {
        // Unlike setval(), this is undone with the transaction.
        await run(tx, `ALTER SEQUENCE ${sequence} RESTART WITH ${due.next}`);
      }
    }
  }
}
