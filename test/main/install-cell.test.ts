/** The cell that installers run in: what they see, where they get to, and what stops them. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InstallCell, InstallEnd, InstallJob } from '../../src/sandbox/index.ts';
import { reachableName } from '../../src/sandbox/index.ts';
import { limits } from '../../src/kernel/index.ts';
import { reachableByAnyone } from '../../src/sandbox/reach.ts';
import { removeTree } from '../../src/sandbox/packages/removal.ts';
import { makePackageWorld } from '../sandbox/package-world.ts';

const world = makePackageWorld(() => 'http://127.0.0.1:1/');
let cell: InstallCell;
/** A registry, and something else on this machine that is none. */
const asked: string[] = [];
const registry = createServer((request, response) => {
  asked.push(`${request.headers.host} ${request.url}`);
  response.end('from the registry');
});
const other = createServer((_, response) => void response.end('from elsewhere'));
const portOf = (server: typeof registry): number => (server.address() as AddressInfo).port; // a TCP listener has one

beforeAll(async () => {
  cell = await world.cell();
  for (const server of [registry, other])
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  registry.close();
  other.close();
  rmSync(world.root, { recursive: true, force: true });
});

interface Ran extends InstallEnd {
  readonly lines: readonly string[];
  readonly staging: string;
}

async function run(command: readonly string[], over: Partial<InstallJob> = {}): Promise<Ran> {
  const staging = mkdtempSync(join(world.root, 'staging-'));
  writeFileSync(join(staging, 'given'), 'by the gateway');
  const lines: string[] = [];
  const end = await cell.run({
    label: 'npm:test',
    command,
    env: {},
    staging,
    tools: [],
    network: { kind: 'none' },
    bytesMax: 64 * 1024 * 1024,
    memoryMiB: 512,
    onLine: (line) => lines.push(line),
    signal: new AbortController().signal,
    ...over,
  });
  return { ...end, lines, staging };
}
const shell = (script: string, over: Partial<InstallJob> = {}): Promise<Ran> =>
  run(['sh', '-c', script], over);
const local = () => {
  const port = portOf(registry);
  return { ...reachableName('127.0.0.1', port), port, protocol: 'http' } as const;
};

describe('what an installer has', () => {
  it('is one folder that it may write to, which is its working folder and the gateway’s own afterwards', async () => {
    const { code, staging, lines } = await shell(
      'pwd; cat given; echo new > made; echo changed > given; ls -A /package',
    );
    expect({ code, lines }).toEqual({ code: 0, lines: ['/package', 'by the gatewaygiven', 'made'] });
    expect(readFileSync(join(staging, 'given'), 'utf8')).toBe('changed\n');
    expect(statSync(join(staging, 'made')).uid).toBe(process.geteuid?.());
  });

  it('is nothing of the machine, and nothing of the gateway', async () => {
    const { lines } = await shell(
      `for path in ${world.root} ${join(world.root, 'home')} /root /var/lib /run; do test -e $path && echo sees $path; done; env`,
    );
    expect(lines.filter((line) => line.startsWith('sees'))).toEqual([]);
    expect(lines.join('\n')).not.toContain('must not get there');
    expect(lines).toContain('HOME=/home/cell');
  });

  it('is its tools, to be read only', async () => {
    const tool = mkdtempSync(join(world.root, 'tool-'));
    writeFileSync(join(tool, 'tool.js'), 'console.log("a tool")');
    chmodSync(tool, 0o755);
    const tools = [{ host: tool, cell: '/sallyport/tools/it' }];
    const { lines, code } = await shell('node /sallyport/tools/it/tool.js; echo x > /sallyport/tools/it/y', {
      tools,
    });
    expect(lines[0]).toBe('a tool');
    expect(code).not.toBe(0);
    expect(readdirSync(tool)).toEqual(['tool.js']);
  });

  it('is told by its lines, none of which is too long to keep', async () => {
    const { lines } = await run([
      'node',
      '-e',
      'process.stdout.write("x".repeat(10_000)); console.error("\\nlast")',
    ]);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(2 * 65_536);
    expect(lines.join('')).toContain('last');
    expect(lines.join('').match(/x/g)).toHaveLength(10_000);
  });
});

describe('where an installer gets to', () => {
  const fetchAll = (...urls: readonly string[]): readonly string[] => [
    'node',
    '-e',
    `(async () => { for (const url of ${JSON.stringify(urls)})
      await fetch(url, { signal: AbortSignal.timeout(30_000) }).then(async (answer) => console.log(answer.status, await answer.text()),
        (error) => console.log('failed')); })()`,
  ];

  it('is the registry, under a name where it has none, and nothing else', async () => {
    const to = local();
    const network = { kind: 'registry', hosts: [to] } as const;
    const { lines, unreached } = await run(
      fetchAll(
        `http://${to.host}:${to.port}/package`,
        `http://127.0.0.1:${to.port}/bare`,
        `http://127.0.0.1:${portOf(other)}/`,
        'https://elsewhere.example/',
      ),
      { network },
    );
    expect(lines[0]).toBe('200 from the registry');
    expect(lines.join('\n')).not.toContain('from elsewhere');
    expect(lines.slice(1).filter((line) => line.startsWith('200'))).toEqual([]);
    expect(asked.map((line) => line.split(' ')[1])).toEqual(['/package']);
    expect(unreached).toContainEqual({ host: 'elsewhere.example', why: 'denied' });
    expect(world.events.map(({ type }) => type)).toContain('dns.refused');
  });

  it('names what it could not reach, and why', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const port = portOf(closed);
    await new Promise((resolve) => closed.close(resolve));
    const to = { ...reachableName('127.0.0.1', port), port, protocol: 'http' } as const;
    const network = { kind: 'registry', hosts: [to] } as const;
    const { unreached } = await run(fetchAll(`http://${to.host}:${port}/`), { network });
    expect(unreached).toContainEqual({ host: to.host, why: 'ECONNREFUSED' });
  });

  it('is what the gateway answers by itself, whatever the address', async () => {
    const answer = async (path: string) =>
      path === '/known' ? { status: 200, type: 'text/plain', body: Buffer.from('answered') } : null;
    const { lines } = await run(fetchAll('http://192.0.2.80/known', 'http://192.0.2.81/unknown'), {
      network: { kind: 'answers', answer },
    });
    expect(lines).toEqual(['200 answered', '404 {}']);
  });

  it('is nowhere, where it needs nothing', async () => {
    const { lines } = await run(fetchAll(`http://127.0.0.1:${portOf(registry)}/`, 'http://192.0.2.80/'));
    expect(lines).toEqual(['failed', 'failed']);
  });
});

describe('what stops an installer', () => {
  it('is more on the disk than it may have', async () => {
    const { code, stopped } = await shell(
      'for i in 1 2 3 4; do head -c 5000000 /dev/zero > part$i; done; sleep 60',
      {
        bytesMax: 8_000_000,
      },
    );
    expect({ code, stopped }).toEqual({ code: null, stopped: 'too-large' });
  });

  it('is more on the disk, also when it is done before anybody looks', async () => {
    const { stopped } = await shell('head -c 3000000 /dev/zero > part', { bytesMax: 2_000_000 });
    expect(stopped).toBe('too-large');
  });

  it('is more files than a package may have, however little is in them', async () => {
    const script = `for (let index = 0; index <= ${limits.packageEntriesMax}; index += 1)
      require('node:fs').closeSync(require('node:fs').openSync('file-' + index, 'w'));
      setTimeout(() => undefined, 120_000);`;
    // In memory, where there is such a place: on a disk it takes a minute. A launcher that is shown Node has it there.
    const isFree = existsSync('/dev/shm') && reachableByAnyone(realpathSync(process.execPath));
    const memory = isFree ? '/dev/shm' : world.root;
    const staging = mkdtempSync(join(memory, 'sallyport-many-'));
    try {
      const { code, stopped } = await run(['node', '-e', script], { bytesMax: 2 ** 40, staging });
      expect({ code, stopped }).toEqual({ code: null, stopped: 'too-large' });
    } finally {
      await removeTree(staging);
    }
  });

  it('is a path that is too long to be looked at, and what lies below it', async () => {
    const script = `for (let depth = 0; depth < 60; depth += 1) {
      require('node:fs').mkdirSync('x'.repeat(200));
      process.chdir('x'.repeat(200));
    }
    require('node:fs').writeFileSync('hidden', 'x'.repeat(5_000_000));`;
    const { stopped, staging } = await run(['node', '-e', script], { bytesMax: 2_000_000 });
    expect(stopped).toBe('too-large');
    await removeTree(staging);
    expect(existsSync(staging)).toBe(false);
  });

  it('is that nobody wants it any more, before and while it runs', async () => {
    const gone = new AbortController();
    const running = shell('echo started; sleep 60', {
      signal: gone.signal,
      onLine: () => gone.abort(),
    });
    expect(await running).toMatchObject({ code: null, stopped: 'cancelled' });
    expect(await shell('sleep 60', { signal: AbortSignal.abort() })).toMatchObject({ stopped: 'cancelled' });
  });

  it('leaves folders that nobody may read to be read and removed', async () => {
    const { staging } = await shell('mkdir -p a/b; echo x > a/b/c; chmod 000 a/b a');
    expect(readFileSync(join(staging, 'a/b/c'), 'utf8')).toBe('x\n');
    chmodSync(staging, 0o700);
    mkdirSync(join(staging, 'd'));
    expect(existsSync(join(staging, 'd'))).toBe(true);
  });
});
