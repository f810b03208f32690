/** ATTACKS 1, 4 and 5: through a granted folder to something else of the host. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { newId, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { createSandbox } from '../../src/sandbox/index.ts';
import { hasPython, makeStage, modes, needsPython, outcomes, python, runCell } from './cell-harness.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-grant-attack-')));
chmodSync(root, 0o755);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const home = join(root, 'home');
const shared = join(root, 'shared');
const folder = join(shared, 'folder');
const file = join(shared, 'file');
mkdirSync(home, { mode: 0o755 });
writeFileSync(join(home, 'master.key'), 'the key');
const sandbox = await createSandbox({
  stateDir: join(home, 'run'),
  log: silentLog,
  clock: systemClock,
  random: systemRandom,
});

beforeEach(() => {
  rmSync(shared, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'master.key'), 'nothing');
  writeFileSync(file, 'nothing');
});

async function text(stream: Readable): Promise<string> {
  let all = '';
  for await (const chunk of stream.setEncoding('utf8')) all += String(chunk);
  return all;
}

/**
 * Runs a cell with a grant.
 *
 * @param meanwhile what another cell, which may write into the shared folder, does after the grant was checked and
 *   before it is mounted: while the listeners are handed over
 */
async function read(host: string, meanwhile: () => void) {
  const cell = await sandbox.launch(
    {
      id: newId<'cell'>('cell', systemRandom),
      label: 'test',
      command: ['/bin/sh', '-c', 'cat /data /data/master.key 2>/dev/null; echo; ls -R /data'],
      args: [],
      env: {},
      tcpPorts: [],
      caPem: '',
      files: [{ host, cell: '/data', write: false }],
      limits: {},
    },
    { onTcp: () => undefined, onDnsUdp: () => undefined, onDnsTcp: meanwhile },
  );
  const [stdout, , exit] = await Promise.all([text(cell.stdout), text(cell.stderr), cell.exited]);
  return { stdout, exit };
}

describe('a granted path that another cell replaces while the cell is built', () => {
  const replaced = {
    code: null,
    signal: null,
    started: false,
    reason: 'the sandbox could not be built: sallyport: a granted path was replaced while the cell was built',
    limit: null,
  };

  it.each([folder, file])('control: left alone, %s is what the cell reads', async (host) => {
    const { stdout, exit } = await read(host, () => undefined);
    expect(stdout).toContain('nothing');
    expect(exit).toMatchObject({ started: true });
  });

  it.each([
    ['a folder by a link to the home of the gateway', folder, () => symlinkSync(home, folder)],
    ['a file by a link to the key', file, () => symlinkSync(join(home, 'master.key'), file)],
    ['a folder by another folder', folder, () => mkdirSync(folder)],
    ['a file by another file', file, () => writeFileSync(file, 'other')],
  ])('%s: the program is not started', async (_what, host, replace) => {
    const { stdout, exit } = await read(host, () => {
      renameSync(host, `${host}-kept`);
      replace();
    });
    expect(stdout).toBe('');
    expect(exit).toEqual(replaced);
    expect(readdirSync(join(home, 'run/cells'))).toEqual([]);
  });

  it('the folder above by a link: the program is not started', async () => {
    mkdirSync(join(home, 'folder'), { recursive: true });
    const { stdout, exit } = await read(folder, () => {
      renameSync(shared, `${shared}-kept`);
      symlinkSync(home, shared);
    });
    rmSync(shared);
    rmSync(`${shared}-kept`, { recursive: true });
    expect(stdout).toBe('');
    expect(exit).toEqual(replaced);
  });
});

/** Reads each path that it is given. Prints the error's code, or `ok`. */
const readers = [
  {
    language: 'Node',
    available: true,
    command: [
      'node',
      '-e',
      `const fs = require('node:fs');
       const read = (path) => { try { fs.readdirSync(path); } catch (error) { if (error.code !== 'ENOTDIR') return error.code; fs.readFileSync(path); } return 'ok'; };
       console.log(JSON.stringify(Object.fromEntries(process.argv.slice(1).map((path) => [path.slice(6), read(path)]))));`,
    ],
  },
  {
    language: `Python${needsPython}`,
    available: hasPython,
    command: [
      python,
      '-c',
      `import errno, json, os, sys
def read(path):
    try:
        os.listdir(path) if os.path.isdir(path) else open(path).close()
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]
print(json.dumps({path[6:]: read(path) for path in sys.argv[1:]}))`,
    ],
  },
];

describe.each(readers)('a link in a granted folder, followed from $language', ({ available, command }) => {
  const stage = makeStage();
  afterAll(() => stage.remove());
  const secret = join(stage.folder, 'secret');
  const granted = join(stage.folder, 'granted');
  const links = { absolute: secret, relative: '../secret', above: '../..', deep: 'folder/../../secret' };

  it.skipIf(!available).each(modes)('leads nowhere out of it, gateway as %s', async (mode) => {
    rmSync(granted, { recursive: true, force: true });
    mkdirSync(join(granted, 'folder'), { recursive: true });
    writeFileSync(secret, 'the key', { mode: 0o644 });
    writeFileSync(join(granted, 'own'), 'nothing', { mode: 0o644 });
    for (const [name, to] of Object.entries(links)) symlinkSync(to, join(granted, name));
    const paths = [...Object.keys(links), 'own', '../secret', `..${secret}`].map((name) => `/data/${name}`);
    for (const name of Object.keys(links))
      expect(() => statSync(join(granted, name)), 'the control').not.toThrow();
    const { stdout } = await runCell(stage, mode, {
      command: [...command, ...paths],
      files: [{ host: granted, cell: '/data', write: false }],
    });
    expect(outcomes(stdout)).toEqual({
      own: 'ok',
      absolute: 'ENOENT',
      relative: 'ENOENT',
      deep: 'ENOENT',
      // The cell's own root.
      above: 'ok',
      '../secret': 'ENOENT',
      [`..${secret}`]: 'ENOENT',
    });
  });

  it.skipIf(!available).each(modes)(
    'takes the place of the folder while the cell is built: nothing is started, gateway as %s',
    async (mode) => {
      const parent = mkdtempSync(join(stage.folder, 'swapped-'));
      chmodSync(parent, 0o777);
      const host = join(parent, 'folder');
      mkdirSync(host);
      const [elsewhere, kept] = [stage.folder, join(parent, 'kept')];
      const files = [{ host, cell: '/data', write: false }];
      const cell = { command: [...command, '/data/secret'], files };
      const meanwhile = ['/bin/sh', '-c', `mv "$1" "$2"; ln -s "$3" "$1"`, 'sh', host, kept, elsewhere];
      const { stdout, exit } = await runCell(stage, mode, cell, { meanwhile });
      expect(stdout).toBe('');
      expect(exit).toMatchObject({
        started: false,
        reason:
          'the sandbox could not be built: sallyport: a granted path was replaced while the cell was built',
      });
    },
  );
});
