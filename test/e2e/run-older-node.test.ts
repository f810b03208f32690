/** `sallyport run` where the machine's Node is too old for it, and starts the one that scripts/setup brought. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { waitFor } from './harness.ts';
import { makeRunWorld } from './run-world.ts';

const root = resolve(import.meta.dirname, '../..');

/** One that cannot become another program: before 22.15. */
const older = ['/usr/bin/node', '/usr/local/bin/node'].find((node) => {
  const script = 'process.exit(typeof process.execve === "function" ? 1 : 0)';
  return existsSync(node) && spawnSync(node, ['-e', script]).status === 0;
});

const childrenOf = (parent: number): readonly string[] =>
  readdirSync('/proc').filter((name) => {
    try {
      return readFileSync(`/proc/${name}/status`, 'latin1').includes(`\nPPid:\t${parent}\n`);
    } catch {
      return false; // no process, or one that is gone by now
    }
  });

// Waits for a machine with such a Node, and with the one that scripts/setup brings there.
describe.skipIf(older === undefined || !existsSync(join(root, '.toolchain/bin/node')))(
  'an older Node',
  async () => {
    const world = await makeRunWorld();
    const { folder, home, scratch } = world;
    afterAll(async () => {
      // What should have ended and did not ends here.
      await home.run('kill', '--all');
      world.remove();
    });

    async function running(script: string) {
      const child = spawn(older ?? '', [join(root, 'bin/sallyport.mjs'), 'run', '--', 'sh', '-c', script], {
        cwd: folder,
        env: {
          PATH: process.env['PATH'] ?? '',
          HOME: scratch,
          SALLYPORT_HOME: home.path,
          TMPDIR: home.temporary,
        },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const end = once(child, 'exit');
      await waitFor(() => said.includes('READY'));
      return { child, end, said: () => said };
    }

    it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGCONT'] as const)(
      '%s is for the command',
      async (signal) => {
        const script = `trap 'echo got; exit 9' ${signal.slice(3)}; echo READY; for i in $(seq 200); do sleep 0.05; done`;
        const { child, end, said } = await running(script);
        child.kill(signal);
        expect(await end).toEqual([9, null]);
        await waitFor(() => said().includes('got'));
      },
    );

    it('nothing outlives it', async () => {
      const { child, end } = await running('echo READY; exec sleep 1000');
      const started = childrenOf(child.pid ?? 0);
      expect(started).toHaveLength(1);
      child.kill('SIGKILL');
      await end;
      await waitFor(() => started.every((pid) => !existsSync(`/proc/${pid}`)));
    });
  },
);
