/** `sallyport call` in every situation that a user meets: a clear error with a hint, the right exit code, no stack trace. */
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, type Outcome, proberManifest, type Served } from './harness.ts';

const home = makeHome(
  'egress: { allowNetworks: [ 127.0.0.0/8 ] }\napprovals: { webhook: { secretFile: answers.key, people: [ maria ] } }\n',
);
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

  it('is kept where its profile is recorded, without what the vault holds', async () => {
    await home.json('profile', 'set', 'default', '--record', 'full');
    const given = JSON.stringify({ said: 'a quiet word', key: 'sk-real-value-0123456789' });
    expect((await home.run('call', 'prober', 'echo', given, '--profile', 'default')).code).toBe(0);
    await home.json('profile', 'set', 'default', '--record', 'off');
    const [found] = await home.json<{ id: string; calls: number }[]>('session', 'list');
    expect(found?.calls).toBe(1);
    const shown = await home.run('session', 'show', found?.id ?? '');
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('a quiet word') as string });
    expect(shown.stdout).toContain('[masked: stored-value]');
    expect(shown.stdout).not.toContain('sk-real-value-0123456789');
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

describe('rules', () => {
  const rules = (text: string): string => {
    const file = join(home.path, 'rules.yaml');
    writeFileSync(file, text);
    return file;
  };

  it('hold at once, are told to whoever is refused, and are gone when they are removed', async () => {
    const file = rules(`
rules:
  - { id: no-secrets, match: { servers: prober, tools: echo }, template: block-keywords, with: { words: secret } }
`);
    const call = (text: string) => home.run('call', 'prober', 'echo', JSON.stringify({ text }));
    expect((await call('a secret')).code).toBe(0);
    expect(await home.run('policy', 'apply', file)).toMatchObject({ code: 0 });
    const refused = await call('a Secret');
    clear(refused);
    expect(refused).toMatchObject({
      code: 3,
      stderr:
        'error: The text holds a word that is not allowed here. Rule: no-secrets.\nhint:  Leave out: secret.\n',
    });
    expect((await call('nothing')).code).toBe(0);
    expect((await home.run('audit', 'tail', '--json')).stdout).toMatch(/"rule":"no-secrets"/);
    const explained = await home.run('policy', 'explain', 'prober', 'echo', '{"text":"secret"}');
    expect(explained).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('It is refused, by the rule no-secrets.') as string,
    });
    const asked = rules('rules: [{ id: looked-at, match: { servers: prober }, on: tool, do: approve }]');
    expect(await home.run('policy', 'explain', 'prober', 'echo', '--against', asked)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('It waits for an approval, by the rule looked-at.') as string,
    });
    expect((await home.run('policy', 'remove')).code).toBe(0);
    expect((await call('a secret')).code).toBe(0);
  });

  it('mask what is answered, and that is on record without what it was', async () => {
    const file = rules(
      'rules: [{ id: hide, match: { servers: prober }, on: tool, do: mask, mask: { detectors: [payment-card], keys: [owner], strategy: hash } }]',
    );
    const call = () =>
      home.run('call', 'prober', 'echo', '{"card":"4111 1111 1111 1111","owner":"Ann","n":1.5}');
    expect(await home.run('policy', 'apply', file)).toMatchObject({ code: 0 });
    const masked = await call();
    clear(masked);
    expect(masked.stdout).toMatch(
      /^\{"card":"\[hash:[\w-]{16}\]","owner":"\[hash:[\w-]{16}\]","n":1\.5\}\n$/,
    );
    expect((await call()).stdout).toBe(masked.stdout);
    const tail = (await home.run('audit', 'tail', '--json')).stdout;
    expect(tail).toMatch(/"type":"mask\.applied"/);
    expect(tail).toMatch(/"detector":"payment-card"/);
    expect(tail).not.toContain('4111 1111');
    expect((await home.run('policy', 'remove')).code).toBe(0);
    expect((await call()).stdout).toContain('4111 1111 1111 1111');
  });

  it('are refused where they are wrong, with the place of each mistake', async () => {
    const file = rules(
      'rules:\n  - { id: a, match: { servers: probr }, do: deny }\n  - { id: b, when: call.tol == "x", do: denny }\n',
    );
    const outcome = await home.run('policy', 'check', file);
    clear(outcome);
    expect(outcome.code).toBe(1);
    const lines = outcome.stdout.split('\n').map((line) => line.replace(`${file}:`, ''));
    expect(lines.slice(1, 4)).toEqual([
      expect.stringMatching(/^2:\d+: there is no server "probr"; did you mean "prober"\?/),
      expect.stringMatching(/^3:\d+: the name "call.tol" is unknown; did you mean "call.tool"\?/),
      expect.stringMatching(/^3:\d+: "denny" is not a choice here; did you mean "deny"\?/),
    ]);
    expect(await home.run('policy', 'apply', file)).toMatchObject({ code: 1 });
    expect((await home.run('policy', 'show')).stdout).toContain('There are no rules');
  });
});

describe('approvals', () => {
  const key = Buffer.alloc(32, 9);

  /** As whoever is named in the settings would, from elsewhere. */
  async function answered(approval: string): Promise<Response> {
    writeFileSync(join(home.path, 'answers.key'), `whsec_${key.toString('base64')}`, { mode: 0o600 });
    const body = JSON.stringify({ approval, decision: 'approve', by: 'maria' });
    const time = String(Math.floor(Date.now() / 1_000));
    const signature = createHmac('sha256', key).update(`msg_e2e.${time}.${body}`).digest('base64');
    const headers = {
      'webhook-id': 'msg_e2e',
      'webhook-timestamp': time,
      'webhook-signature': `v1,${signature}`,
    };
    return fetch(`${gateway.url}/hooks/approvals`, { method: 'POST', headers, body });
  }

  it('hold a call back, over a restart, until somebody else agrees; then it runs once', async () => {
    const file = join(home.path, 'approve.yaml');
    writeFileSync(file, 'rules: [{ id: ask, match: { servers: prober, tools: echo }, do: approve }]\n');
    expect(await home.run('policy', 'apply', file)).toMatchObject({ code: 0 });
    const call = () => home.run('call', 'prober', 'echo', '{"pay":"alice"}');
    const held = await call();
    clear(held);
    const id = /apr_[0-9a-z]{16}/.exec(held.stdout)?.[0] ?? '';
    expect(held).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(`waits for an approval, ${id}.`) as string,
    });
    expect((await home.run('approval', 'show', id)).stdout).toContain('{"pay":"alice"}');
    const own = await home.run('approval', 'approve', id);
    clear(own);
    expect(own).toMatchObject({ code: 3, stderr: expect.stringContaining('asked for by you') as string });

    await gateway.stop();
    gateway = await home.serve();
    expect(await (await fetch(`${gateway.url}/approvals/${id}`)).text()).toContain(`approval approve ${id}`);
    expect((await fetch(`${gateway.url}/hooks/approvals`, { method: 'POST', body: '{}' })).status).toBe(500);
    expect(await (await answered(id)).json()).toEqual({ approval: id, state: 'approved' });
    expect(await call()).toMatchObject({ code: 0, stdout: '{"pay":"alice"}\n' });
    const again = await call();
    expect(again.code).toBe(1);
    expect(again.stdout).not.toContain(id);
    expect((await home.run('audit', 'tail', '-n', '50', '--json')).stdout).toMatch(/"approval.executed"/);
    expect((await home.run('policy', 'remove')).code).toBe(0);
  });
});
