/**
 * The same with the fix that the analysis asked for, taken literally: the composite key for
 * one table, and parents before children by a list that somebody keeps.
 */
import { backupFile, withDatabase } from "../database.mts";
import { readBackup, type Row } from "./backup-file.mts";
import { byId, upsertAll } from "./upsert-all.mts";

/** getTableDependencyOrder() */
const ORDER = [
  "businesses",
  "domains",
  "business_categories",
  "business_products",
  "product_variants",
  "tags",
  "_ProductVariantToTag",
  "emoji_lookup",
  "employees",
  "orders",
  "order_items",
];

function where(table: string, record: Row): object {
  if (table === "business_categories") {
    const { businessType, domainId, name } = record;
    return { businessType_domainId_name: { businessType, domainId, name } };
  }
  return byId(table, record);
}

const backup = await readBackup(backupFile());
const processed = await withDatabase((prisma) => upsertAll(prisma, backup, ORDER, where));
console.log(JSON.stringify({ success: true, message: `processed ${processed} records` }));
