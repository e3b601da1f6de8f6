/**
 * Which records are the same row: as each other, and as a row of the target. By every unique
 * key of the target, and after their parents: a reference to a merged row follows it first.
 */
import { Sets } from "./sets.mts";
import type { Reference } from "./schema.mts";
import {
  assigned,
  given,
  keyOf,
  listed,
  query,
  quoted,
  run,
  same,
  type Transaction,
} from "./sql.mts";
import type { Staged } from "./stage.mts";

export interface Rejection {
  table: string;
  key: Record<string, string>;
  reason: string;
  constraint: string;
}

export interface Merge {
  table: string;
  key: Record<string, string>;
  survivor: Record<string, string>;
}

/** Merges what belongs together in `table`, and takes out what the target cannot take. */
export async function resolve(
  tx: Transaction,
  table: Staged,
  all: Staged[],
): Promise<[Merge[], Rejection[]]> {
  const merges: Merge[] = [];
  const rejections: Rejection[] = [];
  const tree = table.references.some(({ parent }) => parent === table.name);
  for (;;) {
    rejections.push(...(await orphans(tx, table, all)));
    const [merged, refused] = await once(tx, table, all);
    merges.push(...merged);
    rejections.push(...refused);
    // What refers to merged records of its own table may have become equal by that.
    if (!tree || merged.length + refused.length === 0) {
      return [merges, rejections];
    }
  }
}

/** Takes out records without their parent, and those that lose theirs by that. */
async function orphans(tx: Transaction, table: Staged, all: Staged[]): Promise<Rejection[]> {
  const found: Rejection[] = [];
  for (let before = -1; before < found.length;) {
    before = found.length;
    for (const reference of table.references) {
      found.push(...(await withoutParent(tx, table, reference, all)));
    }
  }
  return found;
}

async function withoutParent(
  tx: Transaction,
  table: Staged,
  reference: Reference,
  all: Staged[],
): Promise<Rejection[]> {
  const { columns, parent, references } = reference;
  const joined = columns
    .map((column, i) => `p.${quoted(references[i] ?? "")} = s.${quoted(column)}`)
    .join(" AND ");
  const staged = all.filter(({ name }) => name === parent).map(({ rows }) => rows);
  const nowhere = [quoted(parent), ...staged].map(
    (place) => `NOT EXISTS (SELECT FROM ${place} p WHERE ${joined})`,
  );
  const gone = await query<{ key: string }>(
    tx,
    `DELETE FROM ${table.rows} s
     WHERE ${given(columns, "s")} AND ${nowhere.join(" AND ")}
     RETURNING ${keyOf(table.identity, "s")} AS key`,
  );
  return gone.map(({ key }) => ({
    table: table.name,
    key: JSON.parse(key),
    reason: `has no parent in ${parent}`,
    constraint: reference.name,
  }));
}

interface Fate {
  n: number;
  winner: number;
  /** Key of the row of the target that they are; null if there is none. */
  target: string | null;
}

async function once(
  tx: Transaction,
  table: Staged,
  all: Staged[],
): Promise<[Merge[], Rejection[]]> {
  const together = new Sets();
  const targets = new Map<number, Set<string>>();
  for (const { columns } of table.keys) {
    const equal = await query<{ ns: number[] }>(
      tx,
      `SELECT array_agg(record_n) AS ns FROM ${table.rows} s
       WHERE ${given(columns, "s")} GROUP BY ${listed(columns)} HAVING count(*) > 1`,
    );
    equal.forEach(({ ns }) => together.join(ns));
    const held = await query<{ n: number; key: string }>(
      tx,
      `SELECT s.record_n AS n, ${keyOf(table.identity, "t")} AS key
       FROM ${table.rows} s JOIN ${quoted(table.name)} t ON ${same(columns, "t", "s")}`,
    );
    held.forEach(({ n, key }) => targets.set(n, (targets.get(n) ?? new Set()).add(key)));
  }
  targets.forEach((_, n) => together.join([n]));
  const groups = together.all().map((members) => ({
    members,
    keys: [...new Set(members.flatMap((n) => [...(targets.get(n) ?? [])]))],
  }));
  const claims = new Map<string, number>();
  groups.forEach(({ keys }) => keys.forEach((key) => claims.set(key, (claims.get(key) ?? 0) + 1)));
  const fates: Fate[] = [];
  const rejected: number[] = [];
  for (const { members, keys } of groups) {
    const [target = null] = keys;
    if (keys.length > 1 || (target !== null && claims.get(target) !== 1)) {
      rejected.push(...members);
    } else {
      const winner = Math.max(...members);
      fates.push(...members.map((n) => ({ n, winner, target })));
    }
  }
  return [await carryOut(tx, table, all, fates), await refuse(tx, table, rejected)];
}

async function refuse(tx: Transaction, table: Staged, rejected: number[]): Promise<Rejection[]> {
  const gone = await query<{ key: string }>(
    tx,
    `DELETE FROM ${table.rows} s WHERE record_n IN (SELECT json_array_elements_text($1::json)::int)
     RETURNING ${keyOf(table.identity, "s")} AS key`,
    JSON.stringify(rejected),
  );
  return gone.map(({ key }) => ({
    table: table.name,
    key: JSON.parse(key),
    reason: "is two rows of the target by different keys, or one that another record is as well",
    constraint: table.keys.map(({ name }) => name).join(", "),
  }));
}

/** The last record of each group survives, under the key that the target has for it. */
async function carryOut(
  tx: Transaction,
  table: Staged,
  all: Staged[],
  fates: Fate[],
): Promise<Merge[]> {
  const map = table.rows.replace("stage", "map");
  const old = table.identity.map((name) => `old.${quoted(name)} AS ${quoted(`old ${name}`)}`);
  const renewed = table.identity.map((name) => {
    const type = table.columns.find((column) => column.name === name)?.type;
    return `coalesce((f.target ->> '${name}')::${type}, w.${quoted(name)}) AS ${quoted(name)}`;
  });
  await run(tx, `DROP TABLE IF EXISTS ${map}`);
  await run(
    tx,
    `CREATE TEMP TABLE ${map} ON COMMIT DROP AS
     SELECT old.record_n AS n, 0 AS winner, ${old.join(", ")}, ${listed(table.identity, "old.")}
     FROM ${table.rows} old WHERE false`,
  );
  await run(
    tx,
    `INSERT INTO ${map}
     SELECT f.n, f.winner, ${listed(table.identity, "old.")}, ${renewed.join(", ")}
     FROM json_to_recordset($1::json) f(n int, winner int, target json)
     JOIN ${table.rows} old ON old.record_n = f.n JOIN ${table.rows} w ON w.record_n = f.winner`,
    JSON.stringify(
      fates.map((fate) => ({ ...fate, target: fate.target && JSON.parse(fate.target) })),
    ),
  );
  const moved = table.identity
    .map((name) => `m.${quoted(`old ${name}`)} <> m.${quoted(name)}`)
    .join(" OR ");
  for (const child of all) {
    for (const reference of child.references.filter(({ parent }) => parent === table.name)) {
      await follow(tx, child, reference, map, moved);
    }
  }
  const merges = await query<{ key: string; survivor: string }>(
    tx,
    `SELECT ${keyOf(table.identity, "m", "old ")} AS key, ${keyOf(table.identity, "m")} AS survivor
     FROM ${map} m WHERE ${moved} ORDER BY m.n`,
  );
  await run(
    tx,
    `UPDATE ${table.rows} s SET ${assigned(table.identity, "m")},
            record_itself = EXISTS (SELECT FROM ${map} m JOIN ${table.rows} r ON r.record_n = m.n
                             WHERE m.winner = s.record_n AND r.record_itself AND NOT (${moved}))
     FROM ${map} m WHERE m.n = s.record_n AND m.winner = s.record_n`,
  );
  await run(
    tx,
    `DELETE FROM ${table.rows} s USING ${map} m WHERE m.n = s.record_n AND m.winner <> m.n`,
  );
  return merges.map(({ key, survivor }) => ({
    table: table.name,
    key: JSON.parse(key),
    survivor: JSON.parse(survivor),
  }));
}

/** Moves the references of `child` from merged rows to their survivors. */
async function follow(
  tx: Transaction,
  child: Staged,
  reference: Reference,
  map: string,
  moved: string,
): Promise<void> {
  const parent = (i: number, prefix = ""): string =>
    `m.${quoted(prefix + (reference.references[i] ?? ""))}`;
  const columns = reference.columns.map(quoted);
  await run(
    tx,
    `UPDATE ${child.rows} c SET ${columns.map((name, i) => `${name} = ${parent(i)}`).join(", ")}
     FROM ${map} m WHERE (${moved})
       AND ${columns.map((name, i) => `c.${name} = ${parent(i, "old ")}`).join(" AND ")}`,
  );
}
