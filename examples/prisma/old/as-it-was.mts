/**
 * The application's restore as it was when it failed: every record is upserted by its id, in
 * the order of the backup file, and the answer is a success whatever came of it.
 */
import { backupFile, withDatabase } from "../database.mts";
import { readBackup } from "./backup-file.mts";
import { byId, upsertAll } from "./upsert-all.mts";

const backup = await readBackup(backupFile());
const processed = await withDatabase((prisma) => upsertAll(prisma, backup, backup.keys(), byId));
console.log(JSON.stringify({ success: true, message: `processed ${processed} records` }));
