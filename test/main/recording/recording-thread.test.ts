import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits, Secret, silentLog, systemClock, systemRandom } from '../../../src/kernel/index.ts';
import { homeFiles } from '../../../src/main/config.ts';
import { createReceivers } from '../../../src/main/delivery/receivers.ts';
import { operatorOf } from '../../../src/main/front-ports.ts';
import { recordingThread } from '../../../src/main/recording/recording-thread.ts';
import { createRecordings, type Recordings } from '../../../src/main/recording/session-recordings.ts';
import { beginAt, operatorWorld, type OperatorWorld, sayTo } from '../../recording/operator-world.ts';
import type { Batch } from '../../../src/recording/index.ts';

let operator: OperatorWorld;
let onThread: Recordings;

beforeEach(async () => {
  operator = await operatorWorld();
  const { services, config } = operator.world;
  onThread = createRecordings({
    ...services,
    config: { ...config.recording, level: 'full' },
    threadOn: homeFiles(config.home).database,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
});
afterEach(async () => {
  await onThread.close();
  await operator.world.close();
});

const idOf = async (): Promise<string> => {
  const [found] = (await operator.terminal.json('session', 'list')) as { id: string }[];
  return found?.id ?? '';
};

describe('recordings that a thread writes', () => {
  it('are whole, with their end, and without values that were stored meanwhile', async () => {
    const tape = beginAt(onThread, operator.world.services.workspace);
    const value = ['pk', 'live', 'Zk3v9QmB7xTt41Lr'].join('_');
    await sayTo(tape, 1, 'a word like xylophonist');
    await onThread.flush();
    const set = await operator.terminal.runWith(value, 'secret', 'set', 'echo', 'API_KEY', '--stdin');
    expect(set.code).toBe(0);
    await sayTo(tape, 2, `and ${Buffer.from(value).toString('base64url')}`);
    await onThread.close();
    const { lines, checked } = await operator.show(await idOf());
    expect(checked).toEqual({ kind: 'checked', end: 'there', faults: [] });
    expect(JSON.stringify(lines)).toContain('xylophonist');
    expect(JSON.stringify(lines)).toContain('"detector":"stored-value"');
    expect(JSON.stringify(lines)).not.toContain(Buffer.from(value).toString('base64url'));
    expect((await operator.world.types()).filter((type) => type.startsWith('recording.'))).toEqual([
      'recording.begun',
      'recording.ended',
      'recording.read',
    ]);
  });

  it("are without the values of the gateway's own receivers, too", async () => {
    const { services } = operator.world;
    const receivers = createReceivers({
      ...services,
      operator: operatorOf(services.workspace),
      clock: systemClock,
      random: systemRandom,
    });
    await receivers.set('siem', Secret.fromString('gusty marmalade collector'));
    const tape = beginAt(onThread, services.workspace);
    await sayTo(tape, 1, 'a gusty marmalade collector and a xylophonist');
    await onThread.close();
    const kept = JSON.stringify((await operator.show(await idOf())).lines);
    expect(kept).toContain('xylophonist');
    expect(kept).not.toContain('marmalade');
  });

  it('of more than one batch are in the order in which it was said', async () => {
    const tape = beginAt(onThread, operator.world.services.workspace);
    const long = '~'.repeat(limits.recordingBatchCharsMax / 4);
    for (let id = 1; id <= 12; id += 1) await sayTo(tape, id, `${id} ${long}`);
    await onThread.close();
    const { lines, checked } = await operator.show(await idOf());
    expect(checked.faults).toEqual([]);
    expect(lines.filter(({ kind }) => kind === 'call')).toHaveLength(12);
    expect(lines.flatMap(({ text }) => /said (\d+)/.exec(text ?? '')?.[1] ?? []).map(Number)).toEqual(
      Array.from({ length: 12 }, (_, index) => index + 1),
    );
  });
});

describe('a recording that another process may be at', () => {
  it('is not deleted, and begins anew where it was removed all the same', async () => {
    const { services } = operator.world;
    const tape = beginAt(onThread, services.workspace);
    await sayTo(tape, 1, 'a xylophonist');
    await onThread.flush();
    const id = await idOf();
    const refused = await operator.terminal.run('session', 'delete', id);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('15 minutes')]);
    expect(await services.store.recordings.remove(services.workspace, id)).toBe(true);
    await sayTo(tape, 2, 'a zitherist');
    await onThread.close();
    const { lines, calls, checked } = await operator.show(id);
    expect(checked).toEqual({ kind: 'checked', end: 'there', faults: [] });
    const told = JSON.stringify(lines);
    expect([calls, told.includes('zitherist'), told.includes('xylophonist')]).toEqual([1, true, false]);
    expect((await operator.terminal.run('session', 'delete', id)).code).toBe(0);
  });
});

describe('a thread that ends by itself', () => {
  it('loses what it had, and the next one writes over what may be of it', async () => {
    const { services, config } = operator.world;
    const link = recordingThread(homeFiles(config.home).database, 24);
    const key = Secret.fromBytes(systemRandom.bytes(32));
    const facts = {
      id: 'ses_1',
      profile: null,
      server: null,
      actor: 'local:0',
      agent: 'local',
      via: 'session',
      startedAt: 1,
    } as const;
    const batch = (from: Batch['parts'][number]['from'], text: string, times = 1): Batch => ({
      workspace: services.workspace,
      at: 2,
      areValuesKnown: true,
      parts: [
        {
          facts,
          secret: key,
          dataKey: Buffer.from('wrapped'),
          from,
          spoken: Array.from({ length: times }, () => ({
            said: { kind: 'said', from: 'client', ms: 1, text },
            level: 'full',
          })),
          lost: null,
          endedMs: null,
        },
      ],
    });
    const none = { chunks: 0, entries: 0, calls: 0, dropped: 0 };
    link.learn(services.workspace, []);
    const first = await link.write(batch(none, '{"method":"small"}'));
    expect(first).toEqual({ ok: true, written: [{ ...none, chunks: 1, entries: 2 }] });
    const tooMuch = link.write(
      batch({ ...none, chunks: 1, entries: 2 }, `{"method":"${'a"'.repeat(8_000_000)}`),
    );
    await expect(tooMuch).rejects.toMatchObject({ code: 'recording_thread_ended' });
    expect(link.epoch).toBe(1);
    // Whoever was told of no values keeps no text.
    const again = await link.write(batch(none, '{"method":"again"}'));
    expect(again).toEqual({ ok: true, written: [{ ...none, chunks: 1, entries: 2 }] });
    await link.close();
    key.destroy();
    const chunks = await services.store.recordings.chunks(services.workspace, facts.id, 0, 10);
    expect(chunks.map(({ sequence }) => sequence)).toEqual([0]);
    expect(await services.store.recordings.find(services.workspace, facts.id)).toMatchObject({
      entries: 2,
      bytes: chunks[0]?.sealed.length,
    });
  });
});
