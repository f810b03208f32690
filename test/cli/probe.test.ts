import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProbeBody } from '../../src/api/index.ts';
import { AppError } from '../../src/kernel/index.ts';
import { clean, echoing, failed, type ProbeEntry, skipped } from '../api/probes.ts';
import { makeWorld, manifest, type World } from '../api/world.ts';
import { makeTerminal, type Terminal } from './terminal.ts';

let world: World;
let terminal: Terminal;
let asked: ProbeBody[];

beforeEach(async () => {
  world = await makeWorld();
  terminal = makeTerminal(world, { './echo.json': manifest() });
  expect((await terminal.run('server', 'add', './echo.json')).code).toBe(0);
  asked = [];
});
afterEach(async () => {
  expect(terminal.open).toBe(0);
  await world.close();
});

function finding(...found: ProbeEntry[]): void {
  world.prober.probe = async (_row, options, tell) => {
    asked.push(options);
    tell('GET api.test.example/');
    return found;
  };
}

const NOTE =
  '\nIn answers to the server, secrets are masked. Whoever else sees those answers sees them as they are.\n';

describe('sallyport server probe', () => {
  it('shows each secret, host and place, and what came back', async () => {
    finding(
      clean(),
      echoing({ place: 'query key', path: '/v1' }),
      clean({ place: 'cookie sid', truncated: true }),
      skipped({ host: '*.test.example', reason: 'only POST allowed' }),
    );
    const ran = await terminal.run('server', 'probe', 'echo');
    expect(ran).toMatchObject({ code: 0, stderr: `GET api.test.example/\n${NOTE}` });
    expect(ran.stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['3 asked, 1 sent the value back, 2 sent nothing back, 1 not asked.'],
      [''],
      ['HOST', 'SECRET', 'PLACE', 'ASKED', 'STATUS', 'CAME BACK'],
      ['api.test.example:443', 'API_KEY', 'header Authorization', 'GET /', '401', 'no'],
      [
        'api.test.example:443',
        'API_KEY',
        'query key',
        'GET /v1',
        '200',
        'header Set-Cookie (raw), body (base64)',
      ],
      [
        'api.test.example:443',
        'API_KEY',
        'cookie sid',
        'GET /',
        '401',
        'no; the end of the answer was not looked at',
      ],
      ['*.test.example:443', 'API_KEY', 'header Authorization', '-', '-', 'not asked: only POST allowed'],
      [''],
    ]);
  });

  it('ends with 1 when something is not known, and calls it neither clean nor found', async () => {
    finding(
      clean(),
      failed(),
      failed({ ...echoing(), outcome: 'failed', code: 'egress_timeout', reason: 'Late.' }),
    );
    const ran = await terminal.run('server', 'probe', 'echo');
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain(
      '3 asked, 1 sent the value back, 1 gave no answer that could be searched, 1 sent nothing back.\n',
    );
    expect(ran.stdout).toContain(
      'unknown: The name api.test.example could not be resolved. (egress_upstream_unresolved)\n',
    );
    expect(ran.stdout).toContain(
      'header Set-Cookie (raw), body (base64); the rest is unknown: Late. (egress_timeout)\n',
    );
  });

  it('prints the report as it is with --json, with the same exit code', async () => {
    finding(echoing(), skipped());
    const ran = await terminal.run('server', 'probe', 'echo', '--json');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(ran.stdout)).toEqual({
      at: expect.any(Number) as number,
      manifestHash: expect.stringMatching(/^\S+$/) as string,
      probes: [echoing(), skipped()],
    });
    finding(failed());
    const unknown = await terminal.run('server', 'probe', 'echo', '--json');
    expect(unknown).toMatchObject({ code: 1, stderr: '' });
    expect(JSON.parse(unknown.stdout)).toMatchObject({ probes: [failed()] });
  });

  it('passes on where to ask, and how', async () => {
    finding();
    await terminal.run('server', 'probe', 'echo');
    await terminal.run(
      'server',
      'probe',
      'echo',
      '--path',
      '/me',
      '--host',
      'a.test',
      '--host',
      'b.test',
      '--post',
    );
    expect(asked).toEqual([{}, { path: '/me', hosts: ['a.test', 'b.test'], post: true }]);
  });

  it('says so when there is nothing to ask', async () => {
    finding();
    expect(await terminal.run('server', 'probe', 'echo')).toMatchObject({
      code: 0,
      stdout: 'There is nothing to ask: no sealed secret of this server goes to any host.\n',
    });
  });

  it('shows nothing that a terminal obeys', async () => {
    finding(failed({ host: 'a\u001b[2Jb', reason: 'x\u001b]0;t\u0007y', code: 'c' }));
    const { stdout } = await terminal.run('server', 'probe', 'echo');
    expect(stdout).not.toContain('\u001b');
    expect(stdout).toContain('unknown: xy (c)');
  });

  it.each([
    ['invalid', 2],
    ['denied', 3],
    ['failed', 1],
  ] as const)('that is %s ends with %i', async (kind, code) => {
    world.prober.probe = async () => {
      throw new AppError('probe_host_denied', 'No.', { kind });
    };
    expect(await terminal.run('server', 'probe', 'echo')).toMatchObject({ code, stderr: 'error: No.\n' });
  });
});

describe('sallyport server show', () => {
  const shown = async (): Promise<string> => (await terminal.run('server', 'show', 'echo')).stdout;

  it('says that a server was never probed, and how to', async () => {
    expect(await shown()).toMatch(/\nprobed +never: sallyport server probe echo\n/);
  });

  it('tells of the last probe: when, and what it found', async () => {
    finding(clean(), echoing({ place: 'query key' }));
    await terminal.run('server', 'probe', 'echo');
    const text = await shown();
    expect(text).toMatch(
      /\nprobed +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: 2 asked, 1 sent the value back, 1 sent nothing back\n/,
    );
    expect(text).toMatch(/\n\nHOST +SECRET +PLACE +ASKED +STATUS +CAME BACK\n/);
    expect(text).toContain('header Set-Cookie (raw), body (base64)\n');
  });

  it('says when the probe was of another manifest, and when there was nothing to ask', async () => {
    finding();
    await terminal.run('server', 'probe', 'echo');
    expect(await shown()).toMatch(/\nprobed +[-\d]+ [:\d]+: nothing to ask\n/);
    await terminal.run('secret', 'inject', 'echo', 'API_KEY', '--query', 'key');
    expect(await shown()).toMatch(
      /\nprobed +[-\d]+ [:\d]+, before the manifest was changed: nothing to ask\n/,
    );
  });
});
