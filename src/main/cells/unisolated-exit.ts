/**
 * The way out of servers that run without a cell (`cells.isolation: none-unsafe`): a proxy on a loopback port, which they are
 * asked to use by their environment. Who comes is known by a secret in the proxy's address, which anybody can read who may
 * read that environment; and nothing keeps a server from connecting past it.
 */
import { readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { CellEgress, Egress } from '../../egress/index.ts';
import { AppError, type Log, proxyEnvironment, type Random, type WorkspaceId } from '../../kernel/index.ts';
import type { Cell, CellSpec, Unisolated } from '../../sandbox/index.ts';
import { authorityFiles } from '../proxy/authority-files.ts';

export interface UnisolatedExitDeps {
  readonly workspace: WorkspaceId;
  readonly programs: Unisolated;
  /** Asked at the first launch, when there is an egress. */
  readonly egress: () => Pick<Egress, 'acceptProxied'>;
  /** For the certificates that servers have to trust. */
  readonly folder: string;
  readonly random: Random;
  readonly log: Log;
}

export interface UnisolatedExit {
  /** Starts a program with its share of the data plane behind a proxy. */
  launch(spec: CellSpec, share: CellEgress): Promise<Cell>;
  close(): Promise<void>;
}

/** What the operator has to hear, wherever it matters. */
export const UNISOLATED =
  'cells.isolation is none-unsafe: servers can read every file of this user, the master key included, and connect anywhere';

const SECRET_BYTES = 32;

export function createUnisolatedExit(deps: UnisolatedExitDeps): UnisolatedExit {
  /** By secret. */
  const shares = new Map<string, { readonly slug: string; readonly share: CellEgress }>();
  const folder = join(deps.folder, 'authorities');
  const authorities = authorityFiles(folder);
  let listening: Promise<Server> | null = null;

  const listen = (): Promise<Server> =>
    new Promise((resolve, reject) => {
      sweep(folder);
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        deps.egress().acceptProxied(server, {
          workspace: deps.workspace,
          async admit({ server: slug, token }) {
            const known = shares.get(token);
            if (known !== undefined && known.slug === slug) return known.share;
            throw new AppError('proxy_login_unknown', 'Nobody who runs here has this secret.', {
              kind: 'unauthenticated',
            });
          },
        });
        resolve(server);
      });
    });

  async function launch(spec: CellSpec, share: CellEgress): Promise<Cell> {
    const address = (await (listening ??= listen())).address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    const secret = deps.random.bytes(SECRET_BYTES).toString('hex');
    const file = `${spec.id}.${process.pid}`;
    const caFile = authorities.write(file, share.caPem);
    const forget = (): void => {
      shares.delete(secret);
      authorities.remove(file);
    };
    shares.set(secret, { slug: spec.label, share });
    try {
      const proxy = `http://${spec.label}:${secret}@127.0.0.1:${address.port}`;
      const cell = deps.programs.launch({ ...spec, env: { ...spec.env, ...wayOut(proxy, caFile) } });
      deps.log.warn('cell.unisolated', { cell: spec.id, server: spec.label, why: UNISOLATED });
      void cell.exited.then(forget);
      return cell;
    } catch (error) {
      forget();
      throw error;
    }
  }

  return {
    launch,
    async close() {
      if (listening === null) return;
      const server = await listening;
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** Removes certificates of gateways that are gone. One whose number is another process's by now stays until that is gone too. */
function sweep(folder: string): void {
  for (const name of filesIn(folder)) {
    const writer = /\.(\d+)\.pem$/.exec(name)?.[1];
    if (writer === undefined || !isThere(Number(writer))) rmSync(join(folder, name), { force: true });
  }
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // It is made with the first file.
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const wayOut = (proxy: string, caFile: string): Record<string, string> => ({
  ...Object.fromEntries(proxyEnvironment.proxy.map((name) => [name, proxy])),
  ...proxyEnvironment.others,
  ...Object.fromEntries(proxyEnvironment.authorities.map((name) => [name, caFile])),
});
