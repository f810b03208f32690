/**
 * The certificates that programs outside of cells have to trust, as files: one for each token with a server. They are
 * no secrets; each is good for the hosts of one server, and its key is in the memory of this gateway alone.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface AuthorityFiles {
  /** @returns the file's path */
  write(name: string, pem: string): string;
  remove(name: string): void;
  /** Takes away what a gateway before this one left behind. */
  clear(): void;
}

export function authorityFiles(folder: string): AuthorityFiles {
  const pathOf = (name: string): string => join(folder, `${name}.pem`);
  return {
    write(name, pem) {
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      writeFileSync(pathOf(name), pem, { mode: 0o644 });
      return pathOf(name);
    },
    remove: (name) => rmSync(pathOf(name), { force: true }),
    clear: () => rmSync(folder, { recursive: true, force: true }),
  };
}
