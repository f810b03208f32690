/** `sallyport run` as a user meets it: a command of theirs, in a cell, with keys that it cannot see. */
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { waitFor } from './harness.ts';
import { AS_OWNER, ended, HOST, isRoot, KEY, makeRunWorld, OTHER, OWNER } from './run-world.ts';

const world = await makeRunWorld();
afterAll(() => world.remove());
const {
  home,
  scratch,
  folder,
  arrived,
  own,
  makeFolder,
  makeFile,
  start,
  run,
  sh,
  running,
  events,
  addServer,
} = world;

/** Whether a process has a handler for SIGHUP (Node itself has one for SIGTERM): bit 0 of the mask that /proc shows. */
function isListening(pid: number): boolean {
  const [, caught = '0'] =
    /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return (BigInt(`0x${caught}`) & 1n) !== 0n;
}

describe('the end of a command', () => {
  it.each([
    ['exit 0', 0],
    ['exit 7', 7],
    ['exit 255', 255],
    ['kill -TERM $$', 143],
    ['kill -KILL $$', 137],
  ])('is its own: %s', async (script, code) => {
    expect(await sh(script)).toMatchObject({ code, stdout: '', stderr: AS_OWNER });
  });

  it('is told as by a shell where there was none', async () => {
    const unknown = await run(['--', 'no-such-program']);
    expect(unknown).toMatchObject({ code: 127, stdout: '' });
    expect(unknown.stderr).toContain('There is no program `no-such-program`.');
    const tools = makeFolder('tools');
    writeFileSync(join(tools, 'tool'), '#!/bin/sh\necho from the tool\n', { mode: 0o755 });
    own(join(tools, 'tool'));
    const hidden = await run(['--', join(tools, 'tool')]);
    expect(hidden).toMatchObject({ code: 126, stdout: '' });
    expect(hidden.stderr).toContain(`--mount ${tools}`);
    expect(await run(['--mount', tools, '--', join(tools, 'tool')])).toMatchObject({
      code: 0,
      stdout: 'from the tool\n',
    });
    expect(await run(['--profile', 'nothing', '--', 'true'])).toMatchObject({ code: 125 });
    expect(await run([])).toMatchObject({ code: 2 });
  });

  it('is not taken for an option of ours', async () => {
    expect(await run(['sh', '-c', 'echo "$@"', 'sh', '--ro', '--json', '--help'])).toMatchObject({
      code: 0,
      stdout: '--ro --json --help\n',
    });
  });
});

describe('its streams', () => {
  it('pass every byte on, each to its own', async () => {
    const input = randomBytes(3_000_000);
    const through = await run(['--', 'cat'], { input });
    expect(through.code).toBe(0);
    const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    expect(hash(through.bytes)).toBe(hash(input));
    expect(await sh('echo out; echo err >&2')).toMatchObject({ stdout: 'out\n', stderr: `${AS_OWNER}err\n` });
  });

  it('end a command that nobody reads any more', async () => {
    const child = start(['--', 'sh', '-c', 'yes; echo "$?" >&2']);
    child.stdout?.once('data', () => child.stdout?.destroy());
    const { code, stderr } = await ended(child);
    // `yes` says so itself; it is enough that it came to its end.
    expect(code).toBe(0);
    expect(stderr.slice(AS_OWNER.length)).toMatch(/^(?:yes: .*\n)?\d+\n$/);
  });
});

describe('what it sees', () => {
  it('is its folder, at its own place, to be written as its owner', async () => {
    expect((await sh('pwd; echo made >made')).stdout).toBe(`${folder}\n`);
    expect(readFileSync(join(folder, 'made'), 'utf8')).toBe('made\n');
    expect(statSync(join(folder, 'made')).uid).toBe(isRoot ? OWNER : process.getuid?.());
    const refused = await run(['--ro', '--', 'sh', '-c', 'cat made; echo more >made']);
    expect(refused.stdout).toBe('made\n');
    expect(refused.code).not.toBe(0);
    expect(readFileSync(join(folder, 'made'), 'utf8')).toBe('made\n');
  });

  it('is a folder that is for its owner alone', async () => {
    const closed = makeFolder('closed');
    chmodSync(closed, 0o700);
    expect(await sh('echo x >x && cat x', { cwd: closed })).toMatchObject({ code: 0, stdout: 'x\n' });
  });

  it('is nothing else of this machine', async () => {
    const beside = makeFolder('beside');
    writeFileSync(join(beside, 'file'), 'beside');
    const seen = await sh(
      `cat ${beside}/file; ls ${home.path}; ls ${scratch}; ls /root /home/cell /var 2>&1`,
    );
    expect(seen.stdout).not.toContain('beside\n');
    expect(seen.stdout).not.toContain('sallyport.db');
    expect(seen.stderr).toContain('No such file');
    expect(seen.stdout).toContain('project');
  });

  it('is further folders, to be read or written as it is said', async () => {
    const [read, write] = [makeFolder('read'), makeFolder('write')];
    writeFileSync(join(read, 'file'), 'to be read');
    const script = `cat ${read}/file; echo x >${write}/made; echo x >${read}/made`;
    const ran = await run(['--mount', read, '--mount', `${write}:rw`, '--', 'sh', '-c', script]);
    expect(ran.stdout).toBe('to be read');
    expect(ran.code).not.toBe(0);
    expect([existsSync(join(write, 'made')), existsSync(join(read, 'made'))]).toEqual([true, false]);
  });

  it('is told when it is more than is searched for sockets', async () => {
    const cwd = makeFolder('many');
    for (let each = 0; each <= limits.grantEntriesMax; each += 1) symlinkSync('x', join(cwd, `${each}`));
    const ran = await sh('exit 4', { cwd });
    expect(ran.code).toBe(4);
    expect(ran.stderr).toContain(`${cwd} is large: only its first 20000 files and folders were searched`);
    expect(ran.stderr).not.toContain('repositories');
  });

  it('is not the home of Sallyport', async () => {
    const refused = await run(['--', 'true'], { cwd: home.path });
    expect(refused.code).toBe(125);
    expect(refused.stderr).toContain('is never shown');
  });

  it('is little of the environment, and nothing that could be a secret', async () => {
    const env = {
      TERM: 'xterm-256color',
      LANG: 'de_DE.UTF-8',
      AWS_SECRET_ACCESS_KEY: 'never',
      SSH_AUTH_SOCK: '/never',
    };
    const { stdout } = await sh('env', { env });
    expect(stdout).toContain('TERM=xterm-256color\n');
    expect(stdout).toContain('LANG=de_DE.UTF-8\n');
    expect(stdout).not.toContain('never');
    expect(stdout).not.toContain(home.path);
  });

  it.skipIf(!isRoot)('is a folder of root’s own to be read only, and the user is told', async () => {
    const roots = join(scratch, 'roots');
    mkdirSync(roots);
    const ran = await sh('id -u; ls -ld . | cut -c1-4; echo x >x', { cwd: roots });
    expect(ran.stderr).toContain('belongs to root');
    expect(ran.stdout).toMatch(/^65534\n/);
    expect(ran.code).not.toBe(0);
    expect(existsSync(join(roots, 'x'))).toBe(false);
  });
});

describe('the keys', () => {
  it('are put in for it, and taken out of what comes back', async () => {
    arrived.length = 0;
    const ran = await sh(`echo "$API_KEY"; node fetch.mjs https://${HOST}/`);
    expect(ran.stderr).toBe(AS_OWNER);
    const [, placeholder = ''] = /^(key_[A-Za-z0-9]{32})\n/.exec(ran.stdout) ?? [];
    expect(placeholder).not.toBe('');
    expect(arrived).toEqual([`${HOST} Bearer ${KEY}`]);
    expect(ran.stdout).toBe(`${placeholder}\n200 {"sent":"Bearer ${placeholder}"}\n`);
    expect(ran.stdout).not.toContain(KEY);
    // Each time another.
    expect((await sh('echo "$API_KEY"')).stdout).not.toBe(`${placeholder}\n`);
  });

  it('are used on record, with the server that they belong to', async () => {
    const used = (await events('credential.used')).filter(({ data }) => data['purpose'] === 'inject');
    expect(used.at(-1)).toMatchObject({ server: 'one', data: { name: 'API_KEY' } });
    const cell = (await events('run.started')).at(-1)?.data['cell'];
    expect((await events('run.started')).at(-1)?.data).toMatchObject({
      profile: 'default',
      program: 'sh',
      folder,
      servers: ['one'],
      credentials: ['one/API_KEY'],
    });
    expect((await events('run.finished')).at(-1)?.data).toMatchObject({ cell, code: 0, signal: null });
  });

  it('go where their server may go only', async () => {
    arrived.length = 0;
    const ran = await run(['--', 'node', 'fetch.mjs', `https://${OTHER}/`]);
    expect(ran.stdout).toMatch(/^failed /);
    const allowed = await run(['--host', OTHER, '--', 'node', 'fetch.mjs', `https://${OTHER}/`]);
    expect(allowed.stdout).not.toContain(KEY);
    // The placeholder is known, and its place is elsewhere: the request does not go out.
    expect(allowed.stdout).toMatch(/^403 /);
    const plain = 'const r = await fetch(process.argv[1]); console.log(r.status, await r.text())';
    const without = await run([
      '--host',
      OTHER,
      '--',
      'node',
      '--input-type=module',
      '-e',
      plain,
      `https://${OTHER}/`,
    ]);
    expect(without.stdout).toBe('200 {}\n');
    expect(arrived).toEqual([`${OTHER} undefined`]);
  });

  it('are not there where the server itself would be given them, and the user is told', async () => {
    await addServer('two', (manifest) => {
      manifest['egress'] = [{ host: OTHER }];
      manifest['credentials'] = [
        {
          name: 'LICENCE',
          tier: 'entrusted',
          required: false,
          env: 'LICENCE',
          placeholder: 'lic_{hex:32}',
          hosts: [],
          inject: [],
        },
      ];
    });
    expect(
      (await home.runWith({ input: 'lic-real' }, 'secret', 'set', 'two', 'LICENCE', '--stdin')).code,
    ).toBe(0);
    const ran = await sh('env');
    expect(ran.stderr).toBe(
      `sallyport: two/LICENCE is for that server itself, which would be given its value.\n${AS_OWNER}`,
    );
    expect(ran.stdout).not.toContain('LICENCE');
    await home.json('server', 'remove', 'two');
  });

  it('are not lent to another server’s rules', async () => {
    await addServer('wide', (manifest) => {
      manifest['egress'] = [{ host: HOST, methods: ['GET'] }];
      manifest['credentials'] = [];
    });
    expect(await run(['--', 'true'])).toMatchObject({
      code: 125,
      stderr: expect.stringContaining(`may reach ${HOST} in different ways`) as string,
    });
    await home.json('server', 'remove', 'wide');
  });

  it('of another profile are not there', async () => {
    await home.json('profile', 'create', 'empty');
    const ran = await run(['--profile', 'empty', '--', 'sh', '-c', 'env']);
    // Nor is there anything to be told of keys.
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).not.toContain('API_KEY');
  });
});

describe('while it runs', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const)('%s is for the command', async (signal) => {
    const name = signal.slice(3);
    const { child, said, end } = await running([
      '--',
      'sh',
      '-c',
      `trap 'echo got; exit 9' ${name}; echo READY; while :; do sleep 0.05; done`,
    ]);
    child.kill(signal);
    expect((await end).code).toBe(9);
    expect(said()).toContain('got');
  });

  it('a signal that it leaves alone ends it, and is told as its end', async () => {
    const { child, end } = await running(['--', 'sh', '-c', 'echo READY; exec sleep 1000']);
    child.kill('SIGTERM');
    expect((await end).code).toBe(143);
  });

  it('a signal that comes before it is there is for it as soon as it is', async () => {
    const child = start(['--', 'sleep', '1000']);
    const end = ended(child);
    // When this process listens: not before, as with any program.
    await waitFor(() => isListening(child.pid ?? 0));
    child.kill('SIGHUP');
    expect((await end).code).toBe(129);
  });

  it('the kill switch ends it', async () => {
    const { end } = await running(['--', 'sh', '-c', 'echo READY; exec sleep 1000']);
    expect((await home.run('kill', '--all', '--reason', 'test')).code).toBe(0);
    const { code, stderr } = await end;
    expect(code).toBe(125);
    expect(stderr).toContain('kill switch');
    expect(await run(['--', 'true'])).toMatchObject({ code: 125 });
    expect((await home.run('resume', '--all')).code).toBe(0);
    expect(await run(['--', 'true'])).toMatchObject({ code: 0 });
  });

  it('a change of its servers ends it', async () => {
    const { end } = await running(['--', 'sh', '-c', 'echo READY; exec sleep 1000']);
    expect((await home.run('server', 'disable', 'one')).code).toBe(0);
    expect(await end).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('`one` was changed') as string,
    });
    expect((await home.run('server', 'enable', 'one')).code).toBe(0);
  });

  it('a new value of a key is used from the next request on, and masked', async () => {
    const next = 'sk-next-value-9876543210';
    const go = join(folder, 'go');
    const script = `echo READY; until [ -e stop ]; do sleep 0.05; if [ -e go ]; then rm go; node fetch.mjs https://${HOST}/; fi; done`;
    const { said, end } = await running(['--', 'sh', '-c', script]);
    arrived.length = 0;
    expect((await home.runWith({ input: next }, 'secret', 'set', 'one', 'API_KEY', '--stdin')).code).toBe(0);
    // Another process changed it: this one sees that within half a second, where the machine has the time.
    await waitFor(async () => {
      const before = arrived.length;
      writeFileSync(go, '');
      await waitFor(() => arrived.length > before);
      return arrived.at(-1) === `${HOST} Bearer ${next}`;
    });
    writeFileSync(go, '');
    await waitFor(() => !existsSync(go));
    makeFile('stop', '');
    expect((await end).code).toBe(0);
    expect(new Set(arrived.slice(0, -2))).not.toContain(`${HOST} Bearer ${next}`);
    expect(arrived.slice(-2)).toEqual(Array(2).fill(`${HOST} Bearer ${next}`));
    for (const line of said().trim().split('\n').slice(1))
      expect(line).toMatch(/^200 \{"sent":"Bearer key_[A-Za-z0-9]{32}"\}$/);
    rmSync(join(folder, 'stop'));
    expect((await home.runWith({ input: KEY }, 'secret', 'set', 'one', 'API_KEY', '--stdin')).code).toBe(0);
  });

  it('it does not outlive whoever started it', async () => {
    const mark = join(folder, 'alive');
    const { child, end } = await running([
      '--',
      'sh',
      '-c',
      'echo READY; while :; do date +%s%N >alive; sleep 0.02; done',
    ]);
    await waitFor(() => existsSync(mark));
    child.kill('SIGKILL');
    await end;
    const read = (): string => readFileSync(mark, 'utf8');
    // Killed a moment later, along with the namespace around it.
    await waitFor(async () => {
      const before = read();
      await new Promise((done) => setTimeout(done, 200));
      return before === read();
    });
  });
});
