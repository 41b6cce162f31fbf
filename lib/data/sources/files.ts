import type { Reader } from '../dataset.js';

/** A picture file and its label. */
export interface FileRef {
  readonly path: string;
  readonly label: number;
}

/** For datasets of files. The file itself is read where the picture is decoded. */
export const FILES = { kind: 'files' } as const;

/** Opens a reader of files. */
export function openReader(): Reader<FileRef> {
  return {
    read: ({ path, label }) => ({ name: path, picture: { encoded: path }, label }),
    close() {},
  };
}
