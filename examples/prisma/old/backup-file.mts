import { readFile } from "node:fs/promises";

export type Row = Record<string, unknown>;

/** The records of a JSON backup by table, in the order of the file. */
export async function readBackup(file: string): Promise<Map<string, Row[]>> {
  const backup = JSON.parse(await readFile(file, "utf8"), revive) as {
    data: Record<string, Row[]>;
  };
  return new Map(Object.entries(backup.data));
}

/** JSON.stringify makes an object of a Buffer; Prisma wants bytes. */
function revive(_name: string, value: unknown): unknown {
  if (typeof value === "object" && value !== null && "type" in value && value.type === "Buffer") {
    return Uint8Array.from((value as unknown as { data: number[] }).data);
  }
  return value;
}
