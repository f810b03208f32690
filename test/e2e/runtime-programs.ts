/** Programs of many languages for the cell of a whole gateway, and the environments in which they are tried. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { javaTruststore } from '../../src/sandbox/java-truststore.ts';
import { API, type World } from '../attacks/whole-world.ts';
import { createTestAuthority } from '../egress/test-authority.ts';

/** In a cell they are at `/srv/runtimes`. */
export const FIXTURES = join(import.meta.dirname, '../fixtures/runtimes');

/** @param folder that is `/srv/runtimes` in the cell */
export function makeOtherAuthority(folder: string): void {
  const { caPem } = createTestAuthority([API]);
  mkdirSync(join(folder, 'other'));
  writeFileSync(join(folder, 'other/ca.pem'), caPem);
  writeFileSync(join(folder, 'other/cacerts'), javaTruststore(caPem));
}

/** A program's environment: the cell's, or one that somebody made of it. */
export type Surroundings = 'given' | 'other authority' | 'emptied';

/** Runs a program in the cell of a server. */
export const runInCell = (
  world: World,
  command: readonly string[],
  surroundings: Surroundings,
  server = 'attacker',
) =>
  world.inCell(
    ([[program = '', ...args], surroundings], require) => {
      // Git's library reads a folder besides, which the environment need not name.
      const changed: Record<string, string> =
        surroundings === 'other authority' ? { GIT_SSL_CAPATH: '/srv/runtimes/other' } : {};
      for (const [name, value = ''] of Object.entries(process.env)) {
        const other = value
          .replace('/etc/ssl/certs/ca-certificates.crt', '/srv/runtimes/other/ca.pem')
          .replace('/etc/ssl/certs', '/srv/runtimes/other')
          .replace('/srv/runtimes/other/java/', '/srv/runtimes/other/');
        if (surroundings !== 'emptied' || other === value)
          changed[name] = surroundings === 'given' ? value : other;
      }
      const { execFile } = require('node:child_process');
      return new Promise<{ code: unknown; stdout: string; stderr: string }>((done) => {
        execFile(program, args, { env: changed, timeout: 100_000 }, (error, stdout, stderr) =>
          done({ code: error === null ? 0 : (error.code ?? error.signal), stdout, stderr }),
        );
      });
    },
    [command, surroundings] as const,
    server,
  );
