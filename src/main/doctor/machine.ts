/** The machine as the doctor looks at it: everything that its checks read comes through here, so that tests can stand in for it. */
import { execFile } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { getCACertificates } from 'node:tls';
import { limits } from '../../kernel/index.ts';

export interface Entry {
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  /** Milliseconds since the Unix epoch. */
  readonly modifiedAt: number;
}

/** What is free where a path lies. */
interface Room {
  readonly bytes: number;
  /** Files that can still be made; null where the file system does not count them. */
  readonly files: number | null;
}

/** What asking for a name came to: addresses, or why there are none. */
export type Resolution =
  | { readonly ok: true; readonly addresses: readonly string[] }
  /** `code`: of getaddrinfo, such as ENOTFOUND; `TIMEOUT`. */
  | { readonly ok: false; readonly code: string };

export interface Machine {
  readonly uid: number;
  /** @returns the file's text; null when it cannot be read */
  readonly text: (path: string) => string | null;
  /** Links are followed. Null when there is nothing. */
  readonly entry: (path: string) => Entry | null;
  /** Null when it cannot be asked. */
  readonly room: (path: string) => Room | null;
  readonly resolve: (host: string) => Promise<Resolution>;
  /** How many certificate authorities the system trusts. */
  readonly authorities: () => number;
  /** What a program of the system prints; null when it is not there or fails. */
  readonly ask: (program: string, ...args: readonly string[]) => Promise<string | null>;
}

export const thisMachine: Machine = {
  uid: process.getuid?.() ?? 0,
  text(path) {
    try {
      return readFileSync(path, 'latin1');
    } catch {
      return null;
    }
  },
  entry(path) {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? null : { mode: stat.mode & 0o777, uid: stat.uid, modifiedAt: stat.mtimeMs };
  },
  room(path) {
    try {
      const { bavail, bsize, files, ffree } = statfsSync(path);
      return { bytes: bavail * bsize, files: files === 0 ? null : ffree };
    } catch {
      return null;
    }
  },
  async resolve(host) {
    const asked = lookup(host, { all: true }).then(
      (found): Resolution => ({ ok: true, addresses: found.map(({ address }) => address) }),
      (error: NodeJS.ErrnoException): Resolution => ({ ok: false, code: error.code ?? 'unknown error' }),
    );
    const late = sleep(limits.doctorWaitMs, { ok: false, code: 'TIMEOUT' } as const, { ref: false });
    return Promise.race([asked, late]);
  },
  authorities: () => getCACertificates('system').length,
  async ask(program, ...args) {
    if (!existsSync(program)) return null;
    return new Promise((done) => {
      execFile(program, args, { env: {}, cwd: '/', timeout: limits.doctorWaitMs }, (error, stdout) =>
        done(error === null ? stdout.trim() : null),
      );
    });
  },
};
