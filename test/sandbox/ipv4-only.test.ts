/** A machine without IPv6, made by a filter that answers as such a kernel does. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeFilter, type Instruction, op } from '../../src/sandbox/seccomp/filter.ts';
import { x64Numbers, arm64Numbers } from '../../src/sandbox/seccomp/syscall-numbers.ts';
import { type DriverReport, makeStage, output } from '../attacks/cell-harness.ts';

const stage = makeStage();
afterAll(() => stage.remove());

/** `socket(AF_INET6, …)` fails with EAFNOSUPPORT; all else is as it was. */
const withoutIpv6: readonly Instruction[] = [
  { code: op.loadWord, jt: 0, jf: 0, k: 0 },
  {
    code: op.jumpEqual,
    jt: 0,
    jf: 3,
    k: (process.arch === 'arm64' ? arm64Numbers : x64Numbers).get('socket') ?? -1,
  },
  { code: op.loadWord, jt: 0, jf: 0, k: 16 },
  { code: op.jumpEqual, jt: 0, jf: 1, k: 10 },
  { code: op.give, jt: 0, jf: 0, k: 0x0005_0061 },
  { code: op.give, jt: 0, jf: 0, k: 0x7fff_0000 },
];

/** In a user namespace made without root, the system's programs seem to be nobody's, and cells trust only root's. */
const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('without IPv6 (waits for root)', () => {
  it('a cell listens on IPv4, and what it connects to arrives', async () => {
    const connect = `const net = require('node:net');
      const to = (host) => new Promise((done) => net.connect(443, host).on('data', (b) => done(String(b))).on('error', (e) => done(e.code)));
      (async () => console.log(await to('203.0.113.9'), await to('2001:db8::9')))();`;
    const input = JSON.stringify({ cells: [{ command: ['node', '-e', connect] }] });
    const driver = join(import.meta.dirname, '../attacks/cell-driver.ts');
    const child = spawn(
      '/usr/bin/bwrap',
      ['--dev-bind', '/', '/', '--seccomp', '3', '--', process.execPath, driver, stage.home('root'), input],
      { env: { PATH: '/usr/bin:/bin', NODE_NO_WARNINGS: '1' }, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] },
    );
    const filter = child.stdio[3];
    if (filter instanceof Duplex) filter.end(encodeFilter(withoutIpv6));
    const { stdout, stderr } = await output(child);
    expect(stderr).toBe('');
    const [cell] = (JSON.parse(stdout) as DriverReport).cells;
    expect(cell?.arrived).toEqual(['tcp 443 203.0.113.9']);
    expect(cell?.stdout).toBe('sallyport EAFNOSUPPORT\n');
  });
});
