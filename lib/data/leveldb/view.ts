import { constants } from 'node:fs';
import { copyFile, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { FormatError } from '../../errors.js';
import { lookAt, unreadable } from '../place.js';
import { liveTables } from './manifest.js';

export type Level = ClassicLevel<Buffer, Buffer>;

/** A database that is open to be read. */
export interface View {
  readonly level: Level;
  close(): Promise<void>;
}

/** Files that LevelDB writes once and then only reads. */
const TABLE = /\.(ldb|sst)$/;
/** What it reads besides when it opens a database. */
const STATE = /^(CURRENT|MANIFEST-\d+|\d+\.log)$/;

/** LevelDB keeps open files; its own default of 1000 for each thread may be more than the system allows. */
const MOST_FILES = 100;

/**
 * Opens a database without touching it. LevelDB cannot open one without writing to its folder: it takes a lock, begins
 * new logs and removes old files. It is given a folder of its own, where the tables, which never change, are links.
 * @throws {FormatError} when it is damaged or cut short, as far as LevelDB notices when it opens
 */
export async function openView(path: string): Promise<View> {
  const folder = await mkdtemp(join(tmpdir(), 'cortado-leveldb-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await fill(folder, path);
    const level = new ClassicLevel<Buffer, Buffer>(folder, {
      ...{ keyEncoding: 'buffer', valueEncoding: 'buffer' },
      ...{ createIfMissing: false, maxOpenFiles: MOST_FILES },
    });
    await level.open();
    return {
      level,
      async close() {
        await level.close();
        await remove();
      },
    };
  } catch (cause) {
    await remove();
    throw damaged(path, cause, folder);
  }
}

/** Only what belongs to the database: LevelDB writes over other tables, through the link. */
async function fill(folder: string, path: string): Promise<void> {
  const names = await readdir(path).catch((cause: unknown) => Promise.reject(unreadable(path, cause)));
  for (const name of names) if (STATE.test(name)) await copyFile(join(path, name), join(folder, name));
  const current = (await readFile(join(folder, 'CURRENT'), 'utf8')).trim();
  const tables = liveTables(await readFile(join(folder, current)), join(path, current));
  for (const [number, size] of tables) {
    const name = names.find((each) => TABLE.test(each) && Number.parseInt(each) === number);
    if (name === undefined) throw new FormatError(`${path}: damaged: its table ${number}.ldb is missing`);
    const from = resolve(path, name);
    const { size: bytes } = await lookAt(from);
    if (bytes < size) throw new FormatError(`${from}: cut short: expected ${size} bytes, got ${bytes}`);
    // Where links are not allowed, a copy: one that shares its blocks, on file systems that can.
    const to = join(folder, name);
    await symlink(from, to).catch(() => copyFile(from, to, constants.COPYFILE_FICLONE));
  }
}

/** The error for a database that LevelDB cannot read. */
export function damaged(path: string, cause: unknown, folder = path): FormatError {
  if (cause instanceof FormatError) return cause;
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const reason = (inner instanceof Error ? inner.message : String(inner)).replaceAll(folder, path);
  return new FormatError(`${path}: not a readable LevelDB: ${reason}`, { cause });
}
