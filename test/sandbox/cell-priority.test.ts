/** What a real cell's programs find of their standing with the processor, and what they can do about it. */
import { existsSync } from 'node:fs';
import { getPriority } from 'node:os';
import { afterAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { cellSpec } from './cell-spec.ts';
import { textOf, watchedSandbox } from './watched-sandbox.ts';

const { sandbox, remove } = await watchedSandbox({ intervalMs: 50 });
afterAll(remove);

/** What a script of Node writes, as JSON. */
async function told(script: string): Promise<unknown> {
  const nothing = () => undefined;
  const cell = await sandbox.launch(cellSpec({ command: ['node', '-e', script] }), {
    onTcp: nothing,
    onDnsUdp: nothing,
    onDnsTcp: nothing,
  });
  const [stdout, stderr] = await Promise.all([textOf(cell.stdout), textOf(cell.stderr), cell.exited]);
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

const below = Math.min(19, getPriority() + limits.cellNiceSteps);

describe('a cell gives way to the gateway', () => {
  it('with everything that it starts, and cannot take that back', async () => {
    const child = `const os = require('node:os'); const back = (value) => { try { os.setPriority(value); return 'done' } catch (error) { return error.info.code + ' ' + os.getPriority() } }; console.log(JSON.stringify({ nice: os.getPriority(), back: back(${below} - 1), top: back(-20) }))`;
    const script = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}], { stdio: 'inherit', detached: true })`;
    const refused = expect.stringMatching(new RegExp(`^E(?:ACCES|PERM) ${below}$`));
    expect(await told(script)).toEqual({ nice: below, back: refused, top: refused });
  });

  describe.skipIf(!existsSync('/proc/self/autogroup'))('where the kernel groups processes by session', () => {
    /** Waits in the cell until its session gives way, then does this; answers what was found, -1 for never. */
    const found = (then: string) =>
      `const fs = require('node:fs'); const file = '/proc/self/autogroup'; const nice = () => Number(/nice (-?\\d+)/.exec(fs.readFileSync(file, 'utf8'))[1]); const end = Date.now() + 20000; const until = (wanted, next) => { const at = nice(); if (wanted === at) next(); else if (Date.now() > end) console.log(-1); else setTimeout(until, 20, wanted, next); }; until(${below}, () => { ${then} })`;
    const own = `console.log(nice())`;

    it('does so in the sessions that it makes', async () => {
      const script = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(found(own))}], { stdio: 'inherit', detached: true })`;
      expect(await told(script)).toBe(below);
    });

    it('and does so again where it took that back', async () => {
      // From whoever is not root the kernel takes one such value in a tenth of a second.
      const back = `const take = () => { try { fs.writeFileSync(file, '0') } catch (error) { if (error.code !== 'EAGAIN') throw error; return setTimeout(take, 120) } until(${below}, () => { ${own} }) }; take()`;
      expect(await told(found(back))).toBe(below);
    });
  });
});
