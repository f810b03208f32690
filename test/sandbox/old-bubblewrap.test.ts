/** The way to a cell on systems whose bubblewrap is older (Ubuntu 22.04), gone with whatever version this machine has. */
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { newId, systemRandom } from '../../src/kernel/index.ts';
import { bubblewrapFacts, hostArchitecture, readHostFacts } from '../../src/sandbox/host.ts';
import { enterCell } from '../../src/sandbox/launch.ts';
import { memoriesAhead, planCell } from '../../src/sandbox/plan.ts';
import { planShell } from '../../src/sandbox/plan-shell.ts';
import { prepareCell } from '../../src/sandbox/prepare.ts';
import { setupText } from '../../src/sandbox/setup.ts';
import { openPipeStock } from '../../src/sandbox/stdio-pipes.ts';
import { reachableByAnyone } from '../../src/sandbox/reach.ts';
import { completeTools, findTools } from '../../src/sandbox/tools.ts';
import { cellSpec } from './cell-spec.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-old-')));
chmodSync(root, 0o700);
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function text(stream: Readable): Promise<string> {
  let all = '';
  for await (const chunk of stream.setEncoding('utf8')) all += String(chunk);
  return all;
}

/** Runs a shell script in a cell that is built as for a bubblewrap of this version. */
async function runAs(version: string, script: string): Promise<string> {
  const tools = completeTools(findTools());
  const architecture = hostArchitecture();
  if (tools === null || architecture === null) throw new Error('this machine cannot run these tests');
  const facts = readHostFacts(architecture, tools, realpathSync(process.execPath));
  // A checkout may lie where only root can reach it.
  const staged = facts.root && !reachableByAnyone(facts.node) ? [facts.node] : [];
  const input = {
    spec: cellSpec({ command: ['/bin/sh', '-c', script], limits: { diskMiB: 3 } }),
    facts: { ...facts, bubblewrap: bubblewrapFacts(version) },
    packageDir: null,
    files: [],
    staged,
  };
  const shell = planShell({
    shape: { tcpPorts: [], terminal: false },
    facts: input.facts,
    uid: facts.root ? 61_184 : null,
    setup: setupText,
    staged,
    memories: memoriesAhead(input),
  });
  const stdio = await openPipeStock({
    mkfifo: tools.mkfifo,
    newPaths: () => {
      const key = newId<'cell'>('cell', systemRandom);
      return (name) => join(root, `${key}.${name}`);
    },
  }).take();
  const listeners = { onTcp: () => undefined, onDnsUdp: () => undefined, onDnsTcp: () => undefined };
  const prepared = await prepareCell(shell, stdio, () => undefined);
  const launched = await enterCell(prepared, planCell(input), listeners, () => undefined);
  launched.stderr.resume();
  const stdout = await text(launched.stdout);
  await prepared.discard();
  return stdout;
}

describe.each(['0.6.1', '0.7.0', '0.8.0'])('as for bubblewrap %s', (version) => {
  it('memory file systems have their sizes and modes, and nobody but the cell writes to them', async () => {
    const stdout = await runAs(
      version,
      'for path in /tmp /home/cell /dev/shm; do echo $path $(stat -f -c "%S %b" $path) $(stat -c "%a %U" $path); done; touch /tmp/a ~/b /dev/shm/c && echo written',
    );
    const pages = (bytes: number): string => `4096 ${bytes / 4096}`;
    expect(stdout.trim().split('\n')).toEqual([
      `/tmp ${pages(3 * 1024 * 1024)} 1777 cell`,
      `/home/cell ${pages(3 * 1024 * 1024)} 700 cell`,
      `/dev/shm ${pages(64 * 1024 * 1024)} 1777 cell`,
      'written',
    ]);
  });

  it('no user namespace can be made inside, and what was prepared outside is not to be seen', async () => {
    const stdout = await runAs(
      version,
      'unshare --user true 2>/dev/null || echo refused; ls -d /sys 2>/dev/null; echo end',
    );
    expect(stdout).toBe('refused\nend\n');
  });
});
