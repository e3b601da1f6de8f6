import type { PrismaClient } from "../database.mts";
import type { Row } from "./backup-file.mts";

/** What tells Prisma which row of `table` a record is. */
export type Where = (table: string, record: Row) => object;

interface Model {
  upsert(asked: { where: object; create: Row; update: Row }): Promise<unknown>;
}

function models(prisma: PrismaClient): Record<string, unknown> {
  return {
    businesses: prisma.businesses,
    domains: prisma.domains,
    business_categories: prisma.businessCategories,
    business_products: prisma.businessProducts,
    product_variants: prisma.productVariants,
    tags: prisma.tags,
    _ProductVariantToTag: prisma.productVariantTags,
    emoji_lookup: prisma.emojiLookup,
    employees: prisma.employees,
    orders: prisma.orders,
    order_items: prisma.orderItems,
  };
}

/** A record is the row with its id; two tables have none. */
export function byId(table: string, record: Row): object {
  switch (table) {
    case "emoji_lookup":
      return { emoji: record["emoji"] };
    case "_ProductVariantToTag":
      return { A_B: { A: record["A"], B: record["B"] } };
    default:
      return { id: record["id"] };
  }
}

/**
 * Upserts record by record, each in a transaction of its own, as the application did it.
 *
 * What fails is written to the log, and the next record is taken. The number of records that
 * were "processed" counts those as well.
 */
export async function upsertAll(
  prisma: PrismaClient,
  backup: Map<string, Row[]>,
  order: Iterable<string>,
  where: Where,
): Promise<number> {
  const byTable = models(prisma);
  let processed = 0;
  for (const table of order) {
    const model = byTable[table] as Model | undefined;
    for (const record of backup.get(table) ?? []) {
      try {
        const row = asPrisma(record);
        await model?.upsert({ where: where(table, row), create: row, update: row });
      } catch (error) {
        console.error(`${table} ${String(record["id"] ?? "")}: ${lastLine(error)}`);
      }
      processed += 1;
    }
  }
  return processed;
}

/** Prisma calls two labels of an enum otherwise than the database does (@map). */
const LABELS: Record<string, string> = { "mobile money": "MOBILE_MONEY", 'on "tab"': "ON_TAB" };

/** A record as Prisma's client takes it; it knows no list that is NULL, and reads one as []. */
function asPrisma(record: Row): Row {
  const row = { ...record };
  if (row["keywords"] === null) {
    row["keywords"] = [];
  }
  const label = LABELS[String(row["paymentMethod"])];
  return label ? { ...row, paymentMethod: label } : row;
}

function lastLine(error: unknown): string {
  return String(error).trim().split("\n").at(-1) ?? "";
}
