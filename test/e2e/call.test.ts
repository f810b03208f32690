/** `sallyport call` in every situation that a user meets: a clear error with a hint, the right exit code, no stack trace. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, type Outcome, proberManifest, type Served } from './harness.ts';

const home = makeHome('egress: { allowNetworks: [ 127.0.0.0/8 ] }\n');
let gateway: Served;

function clear(outcome: Outcome): void {
  expect(outcome.stdout + outcome.stderr).not.toMatch(
    /\n\s+at .*\d+:\d+|node:internal|TypeError|UnhandledPromise/,
  );
}

async function add(name: string, manifest: string): Promise<void> {
  const file = join(home.path, `${name}.json`);
  writeFileSync(file, manifest);
  await home.json('server', 'add', file);
}

beforeAll(async () => {
  expect((await home.run('init')).code).toBe(0);
  gateway = await home.serve();
  await add('prober', proberManifest(home));
  expect(
    (
      await home.runWith(
        { input: 'sk-real-value-0123456789' },
        'secret',
        'set',
        'prober',
        'API_KEY',
        '--stdin',
      )
    ).code,
  ).toBe(0);
  await add('empty', proberManifest(home, { name: 'empty' }));
  await add('exits', proberManifest(home, { name: 'exits', script: 'exits.mjs', required: false }));
});

afterAll(async () => {
  await gateway.stop();
  home.remove();
});

describe('sallyport call', () => {
  it('gives the result of a tool, as it is with --json', async () => {
    const text = await home.run('call', 'prober', 'echo', '{"a":1}');
    expect(text).toMatchObject({ code: 0, stdout: '{"a":1}\n' });
    const json = await home.json<unknown>('call', 'prober', 'echo', '{"n":12345678901234567890}');
    expect(json).toEqual({ content: [{ type: 'text', text: '{"n":12345678901234567000}' }] });
  });

  it('exits with 1 when the tool says that it failed', async () => {
    const outcome = await home.run('call', 'prober', 'fail');
    expect(outcome).toMatchObject({ code: 1, stdout: 'as asked\n' });
  });

  it('names the servers there are when there is none of that name', async () => {
    const outcome = await home.run('call', 'nobody', 'echo');
    clear(outcome);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toBe(
      'error: There is no server `nobody`.\nhint:  Servers here: empty, exits, prober.\n',
    );
    const json = JSON.parse((await home.run('call', 'nobody', 'echo', '--json')).stdout) as {
      error: { code: string };
    };
    expect(json.error.code).toBe('server_unknown');
  });

  it('says which secret is missing and how to set it', async () => {
    const outcome = await home.run('call', 'empty', 'echo');
    clear(outcome);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain('hint:  Set it: `sallyport secret set empty API_KEY`.');
  });

  it.each([
    ['{"a":', 'The arguments are not JSON'],
    ['[1]', 'The arguments are JSON, but not an object.'],
  ])('refuses the arguments %s with exit code 2', async (text, message) => {
    const outcome = await home.run('call', 'prober', 'echo', text);
    clear(outcome);
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toContain(message);
    expect(outcome.stderr).toContain('hint:  Give a JSON object in quotes');
  });

  it('quotes what a server said that exits at once, and where to read more', async () => {
    const outcome = await home.run('call', 'exits', 'echo');
    clear(outcome);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/exit(ed)?.*(code )?9/);
    expect(outcome.stderr).toContain('exits: the moon is in the wrong phase');
    expect((await home.run('server', 'logs', 'exits')).stdout).toMatch(
      / \| exits: the moon is in the wrong phase\n[^\n]* \* ended: it ended with code 9\n$/,
    );
    expect((await home.run('server', 'list')).stdout).toMatch(/^exits .*FAILING/m);
    expect((await home.run('server', 'show', 'exits')).stdout).toMatch(
      /^stopped +once, at .*: it ended with code 9; /m,
    );
  });

  it('reports a tool that the server does not have', async () => {
    const outcome = await home.run('call', 'prober', 'nothing');
    clear(outcome);
    expect(outcome.code).toBeGreaterThan(0);
    expect(outcome.stderr).toContain('nothing');
  });

  it('tells the server, readably, that a host on its list does not resolve', async () => {
    const outcome = await home.run('call', 'prober', 'request', '{"url":"https://api.test.example/"}');
    expect(outcome.code).toBe(0);
    const answer = JSON.parse(outcome.stdout) as { status: number; body: string };
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({
      error: { code: 'egress_upstream_unresolved', hint: expect.any(String) as string },
    });
  });

  it('is refused with exit code 3 by a kill switch, and works again after resume', async () => {
    expect((await home.run('kill', '--server', 'prober', '--reason', 'test')).code).toBe(0);
    const outcome = await home.run('call', 'prober', 'echo');
    clear(outcome);
    expect(outcome.code).toBe(3);
    expect(outcome.stderr).toContain('hint:  An owner can lift it: sallyport resume --server prober');
    expect((await home.run('resume', '--server', 'prober')).code).toBe(0);
    expect((await home.run('call', 'prober', 'echo')).code).toBe(0);
  });

  it('says so when the gateway is killed under a call, and the next call works without a gateway', async () => {
    const call = home.run('call', 'prober', 'sleep', '{"ms":60000}');
    for (let began = ''; !began.includes('"tool":"sleep"'); ) {
      began = (await home.run('audit', 'tail', '-n', '20', '--json')).stdout;
    }
    await gateway.crash();
    const outcome = await call;
    clear(outcome);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain('error: The gateway ended the connection before it was done.');
    expect(await home.run('call', 'prober', 'echo', '{"again":true}')).toMatchObject({
      code: 0,
      stdout: '{"again":true}\n',
    });
    gateway = await home.serve();
  });

  it.each([
    [['call']],
    [['call', 'prober']],
    [['no-such-command']],
    [['kill']],
    [['token', 'create', '--expires', 'soon']],
  ])('answers bad usage %j with exit code 2', async (args) => {
    const outcome = await home.run(...args);
    clear(outcome);
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).not.toBe('');
  });
});
