import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "./generated/client.ts";

export type { PrismaClient };

/** Runs `work` on the database of DATABASE_URL, and hangs up whatever comes of it. */
export async function withDatabase<T>(work: (prisma: PrismaClient) => Promise<T>): Promise<T> {
  const connectionString = process.env["DATABASE_URL"];
  if (!connectionString) {
    throw new Error("DATABASE_URL is not set; set it to the database to restore into");
  }
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString }) });
  try {
    return await work(prisma);
  } finally {
    await prisma.$disconnect();
  }
}

/** The backup that the command line names. */
export function backupFile(): string {
  const [file] = process.argv.slice(2);
  if (!file) {
    throw new Error("no backup is given; name its file");
  }
  return file;
}
