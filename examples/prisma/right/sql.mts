import type { PrismaClient } from "../database.mts";

export type Transaction = Parameters<Parameters<PrismaClient["$transaction"]>[0]>[0];

/** The rows of a query. Whatever has to stay exact is selected as text. */
export function query<T>(tx: Transaction, sql: string, ...values: unknown[]): Promise<T[]> {
  return tx.$queryRawUnsafe<T[]>(sql, ...values);
}

/** Runs a statement; how many rows it changed. */
export function run(tx: Transaction, sql: string, ...values: unknown[]): Promise<number> {
  return tx.$executeRawUnsafe(sql, ...values);
}

/** What `work` gives; its errors with the table that it was about. */
export async function named<T>(table: { name: string }, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const said = error instanceof Error ? error.message.trim().split("\n").at(-1) : String(error);
    throw new Error(`${table.name}: ${said}`);
  }
}

/** A name as SQL writes it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `alias."a", alias."b"` */
export function listed(names: readonly string[], alias = ""): string {
  return names.map((name) => alias + quoted(name)).join(", ");
}

/** `one."a" = other."a" AND …` */
export function same(names: readonly string[], one: string, other: string): string {
  return names.map((name) => `${one}.${quoted(name)} = ${other}.${quoted(name)}`).join(" AND ");
}

/** `"a" = other."a", …`, to set columns. */
export function assigned(names: readonly string[], other: string): string {
  return names.map((name) => `${quoted(name)} = ${other}.${quoted(name)}`).join(", ");
}

/** `alias."a" IS NOT NULL AND …` */
export function given(names: readonly string[], alias: string): string {
  return names.map((name) => `${alias}.${quoted(name)} IS NOT NULL`).join(" AND ");
}

/** Values as one text, `{"id": "…", …}`; `prefix` is before the names of the columns. */
export function keyOf(names: readonly string[], alias: string, prefix = ""): string {
  const pairs = names.map(
    (name) => `'${name.replaceAll("'", "''")}', ${alias}.${quoted(prefix + name)}::text`,
  );
  return `json_build_object(${pairs.join(", ")})::text`;
}
