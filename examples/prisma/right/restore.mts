/**
 * A restore that is right: one transaction, all or nothing; the order of tables from the
 * target's own foreign keys; merged on every unique key of the target, with whatever referred
 * to a merged row; every rejected row named, and then nothing written and a failing exit code.
 */
import { readFile } from "node:fs/promises";
import { backupFile, withDatabase } from "../database.mts";
import { resolve, type Merge, type Rejection } from "./merge.mts";
import { listed, named, quoted, run, type Transaction } from "./sql.mts";
import { stage } from "./stage.mts";
import { advance, write, type Counts } from "./write.mts";

interface Claim {
  success: boolean;
  message: string;
  tables: Record<string, Partial<Counts>>;
  merges: Merge[];
  rejections: Rejection[];
}

/** Rows that the target cannot take; nothing is written then. */
class Rejected extends Error {
  constructor(readonly rejections: Rejection[]) {
    super();
  }
}

async function restore(tx: Transaction, text: string): Promise<Claim> {
  await run(tx, "SET LOCAL TimeZone = 'UTC'");
  const [tables, sequences] = await stage(tx, text);
  if (tables.length > 0) {
    // Nobody else writes meanwhile; readers are not disturbed.
    await run(
      tx,
      `LOCK TABLE ${listed(tables.map(({ name }) => name))} IN SHARE ROW EXCLUSIVE MODE`,
    );
  }
  const merges: Merge[] = [];
  const rejections: Rejection[] = [];
  const counts: Record<string, Counts> = {};
  for (const table of tables) {
    const [merged, rejected] = await resolve(tx, table, tables);
    merges.push(...merged);
    rejections.push(...rejected);
    if (rejections.length === 0) {
      counts[quoted(table.name)] = await named(table, write(tx, table, 0));
    }
  }
  if (rejections.length > 0) {
    throw new Rejected(rejections);
  }
  await advance(tx, tables, sequences);
  const written = Object.values(counts).reduce(
    (sum, { inserted, updated }) => sum + inserted + updated,
    0,
  );
  const message = `restored: ${written} rows written, ${merges.length} merged`;
  return { success: true, message, tables: counts, merges, rejections };
}

function failed(error: unknown): Claim {
  const nothing = { success: false, tables: {}, merges: [] };
  if (error instanceof Rejected) {
    const [first] = error.rejections;
    const message =
      `${error.rejections.length} rows rejected, nothing was changed; the first: ${first?.table} ` +
      `${JSON.stringify(first?.key)} ${first?.reason} (${first?.constraint})`;
    return { ...nothing, message, rejections: error.rejections };
  }
  const said = error instanceof Error ? error.message.trim().split("\n").at(-1) : error;
  const message = `nothing was changed: ${said}`;
  return { ...nothing, message, rejections: [] };
}

let claim: Claim;
try {
  const text = await readFile(backupFile(), "utf8");
  claim = await withDatabase((prisma) =>
    prisma.$transaction((tx) => restore(tx, text), { maxWait: 10_000, timeout: 600_000 }),
  );
} catch (error) {
  claim = failed(error);
}
console.log(JSON.stringify(claim));
if (!claim.success) {
  console.error(claim.message);
  process.exitCode = 1;
}
