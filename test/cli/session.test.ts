/** Recorded sessions from the tape to the terminal: a real store, vault, audit log and seals. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RejudgeReport } from '../../src/api/index.ts';
import type { World } from '../api/world.ts';
import { beginAt, operatorWorld, type OperatorWorld, sayTo } from '../recording/operator-world.ts';
import { allowed, asked } from '../recording/world.ts';
import type { CellId } from '../../src/kernel/index.ts';
import type { Terminal } from './terminal.ts';

const AGAINST = `
rules:
  - { id: no-bye, match: { servers: echo }, when: 'mentions(args, ["bye"])', do: deny }`;

const LIMITED = `
rules:
  - { id: few, match: { servers: echo }, do: limit, limit: { calls: 2, per: minute } }`;

let world: World;
let terminal: Terminal;
let recorded: OperatorWorld['recorded'];
let show: OperatorWorld['show'];

beforeEach(async () => {
  ({ world, terminal, recorded, show } = await operatorWorld({
    './against.yaml': AGAINST,
    './harmless.yaml': AGAINST.replaceAll('bye', 'never'),
    './few.yaml': LIMITED,
    './many.yaml': LIMITED.replace('calls: 2', 'calls: 20'),
  }));
});
afterEach(async () => {
  expect(terminal.open).toBe(0);
  await world.close();
});

describe('a recorded session', () => {
  it('is listed, shown with the requests of its calls, played, exported, deleted; who reads it is on record', async () => {
    const { audit, workspace } = world.services;
    const id = await recorded(['hello']);
    await audit.append({
      workspace,
      type: 'egress.request',
      actor: { kind: 'cell', id: 'cell_1' },
      server: 'echo',
      data: { calls: [{ id: 'call_0' }], host: 'api.test.example', method: 'GET', path: '/x' },
    });
    const shown = await show(id);
    expect(shown.calls).toBe(1);
    expect(shown.checked).toEqual({ kind: 'checked', end: 'there', faults: [] });
    expect(shown.lines.map(({ kind }) => kind).toSorted()).toEqual(
      ['session', 'message', 'decision', 'call', 'message', 'end', 'event'].toSorted(),
    );
    const text = await terminal.run('session', 'show', id);
    expect(text.stdout).toContain('said hello');
    expect(text.stdout).toContain('egress.request echo call_0 GET api.test.example /x');
    expect(text.stdout).toContain('It is whole, and nothing was changed.');
    const played = await terminal.run('session', 'replay', id, '--speed', '0');
    expect(played.stdout).toContain('#1 tools/call');
    const exported = (await terminal.run('session', 'export', id)).stdout.trim().split('\n');
    expect(exported.map((one) => (JSON.parse(one) as { kind: string }).kind)).toEqual([
      'session',
      'message',
      'decision',
      'call',
      'message',
      'end',
      'event',
      'checked',
    ]);
    expect((await terminal.run('session', 'delete', id)).code).toBe(0);
    expect(await terminal.json('session', 'list')).toEqual([]);
    expect((await terminal.run('session', 'show', id)).stderr).toContain(`There is no recording \`${id}\``);
    const types = (await world.types()).filter((type) => type.startsWith('recording.'));
    expect(types).toEqual([
      'recording.begun',
      'recording.ended',
      'recording.read',
      'recording.read',
      'recording.read',
      'recording.read',
      'recording.removed',
    ]);
  });

  it('of a prompt is shown with what its server sent until its answer, and a moment longer', async () => {
    const { audit, workspace } = world.services;
    const sent = (cell: string, path: string) =>
      audit.append({
        workspace,
        type: 'egress.finished',
        actor: { kind: 'cell', id: cell },
        server: 'echo',
        data: { host: 'api.test.example', method: 'GET', path, status: 200 },
      });
    const tape = beginAt(world.recordings, workspace);
    const taped = tape.request({ text: '{"jsonrpc":"2.0","id":1,"method":"prompts/get"}' });
    await sent('cell_1', '/before');
    await new Promise((resolve) => setTimeout(resolve, 3));
    await taped.judged(asked({ subject: 'prompt', name: 'greet' }), allowed);
    taped.asked({ server: 'echo', cell: 'cell_1' as CellId });
    await new Promise((resolve) => setTimeout(resolve, 3));
    await sent('cell_1', '/during');
    await sent('cell_2', '/another');
    taped.answered('{"jsonrpc":"2.0","id":1,"result":{}}');
    tape.hangUp();
    await world.recordings.flush();
    const [found] = (await terminal.json('session', 'list')) as { id: string }[];
    const text = await terminal.run('session', 'show', found?.id ?? '');
    expect(text.stdout).toContain('#1 is with echo');
    expect(text.stdout).toContain('egress.finished echo #1 GET api.test.example /during 200');
    expect(text.stdout).not.toMatch(/\/before|\/another/);
  });

  it('is found by profile, server and time', async () => {
    const id = await recorded(['a']);
    const ids = async (...argv: string[]) =>
      ((await terminal.json('session', 'list', ...argv)) as { id: string }[]).map((one) => one.id);
    expect(await ids('--profile', 'default', '--server', 'echo', '--since', '1h')).toEqual([id]);
    expect(await ids('--profile', 'other')).toEqual([]);
    expect(await ids('--server', 'ech')).toEqual([]);
    expect(await ids('--since', new Date(Date.now() + 60_000).toISOString())).toEqual([]);
    expect((await terminal.run('session', 'list', '--since', 'yesterday')).code).toBe(2);
  });

  it('is held against other rules, and nothing is called', async () => {
    const id = await recorded(['hello', 'bye']);
    const told = [...world.told];
    const same = await terminal.run('session', 'replay', id, '--against', './harmless.yaml');
    expect([same.code, same.stdout]).toEqual([
      0,
      '2 requests: 0 would be decided otherwise, 0 cannot be told.\n',
    ]);
    expect((await terminal.run('session', 'replay', id, '--against')).code).toBe(0);
    const other = await terminal.run('session', 'replay', id, '--against', './against.yaml');
    expect(other.code).toBe(3);
    expect(other.stdout).toContain('2 requests: 1 would be decided otherwise, 0 cannot be told.');
    expect(other.stdout).toMatch(/echo +say +allow +deny +no-bye/);
    expect(world.told).toEqual(told);
  });

  it('is counted anew where the rules limit it, from nothing', async () => {
    const id = await recorded(['a', 'b', 'c']);
    const replayed = (file: string) => terminal.run('session', 'replay', id, '--against', file);
    const few = await replayed('./few.yaml');
    expect(few.code).toBe(3);
    expect(few.stdout).toContain('3 requests: 1 would be decided otherwise, 0 cannot be told.');
    expect(few.stdout).toMatch(/echo +say +allow +limited +few/);
    expect((await replayed('./many.yaml')).stdout).toContain('3 requests: 0 would be decided otherwise');
  });

  it('that was limited at the time is as it was, unless that was because of others', async () => {
    const tape = beginAt(world.recordings, world.services.workspace);
    await sayTo(tape, 1, 'a');
    await sayTo(tape, 2, 'b');
    const taped = tape.request({ text: '{"jsonrpc":"2.0","id":3,"method":"tools/call"}' });
    await taped.judged(asked({ profile: 'default', args: '{"text":"c"}' }), allowed);
    taped.answered(
      '{"jsonrpc":"2.0","id":3,"error":{"code":-32000,"message":"later","data":{"code":"limit_exceeded"}}}',
    );
    tape.hangUp();
    await world.recordings.flush();
    const [found] = (await terminal.json('session', 'list')) as { id: string }[];
    const replayed = async (file: string) =>
      (await terminal.json('session', 'replay', found?.id ?? '', '--against', file)) as RejudgeReport;
    const last = async (file: string) => (await replayed(file)).requests.at(-1);
    expect(await replayed('./few.yaml')).toMatchObject({ changed: 0, unsure: 0, refused: 0 });
    expect(await last('./few.yaml')).toMatchObject({
      before: 'limited',
      after: 'limited',
      rule: 'few',
      ran: false,
    });
    expect(await last('./many.yaml')).toMatchObject({ before: 'limited', unsure: 'limits_of_others' });
    expect(await last('./harmless.yaml')).toMatchObject({ before: 'limited', after: 'allow', unsure: null });
  });

  it('without arguments, or with masked ones, is not guessed at', async () => {
    await terminal.run('profile', 'set', 'default', '--record', 'metadata');
    const bare = await recorded(['bye']);
    const found = await terminal.run('session', 'replay', bare, '--against', './against.yaml');
    expect(found.code).toBe(0);
    expect(found.stdout).toContain('its arguments were not recorded, and a rule asks for them');
    await terminal.run('profile', 'set', 'default', '--record', 'arguments');
    const masked = await recorded(['mail me: someone@mail.example.com']);
    const unsure = await terminal.run('session', 'replay', masked, '--against', './against.yaml');
    expect(unsure.stdout).toContain('its arguments were masked, and a rule asks for them');
  });

  it('is of the level that its profile has from the next message on', async () => {
    await terminal.run('profile', 'set', 'default', '--record', 'off');
    expect(await recorded(['hello'])).toBe('');
    await terminal.run('profile', 'set', 'default', '--record', 'default');
    expect((await show(await recorded(['hello']))).lines.some((one) => 'text' in one)).toBe(true);
    expect((await terminal.run('profile', 'set', 'default', '--record', 'all')).code).toBe(2);
  });

  it('shows nothing that a terminal obeys', async () => {
    const id = await recorded(['\u001b]0;owned\u0007\u202e\u0085']);
    for (const command of [
      ['show', id],
      ['export', id],
      ['replay', id, '--speed', '0'],
      ['replay', id, '--speed', '0', '--json'],
      ['show', 'ses_\u009b2J', '--json'],
    ]) {
      const { stdout } = await terminal.run('session', ...command);
      expect(stdout.replaceAll(/[\n -~✔→←…�]/g, '')).toBe('');
    }
  });
});
