import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import type { Entry } from '../../src/recording/index.ts';
import { allowed, asked, chunkBytes, recorderWorld, speaker, type World } from './world.ts';

const open: World[] = [];
const world = (...given: Parameters<typeof recorderWorld>): World => {
  const made = recorderWorld(...given);
  open.push(made);
  return made;
};
afterEach(async () => {
  for (const one of open.splice(0)) await one.recorder.close();
});

const request = (id: number, text = 'hello'): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'say', arguments: { text } } });
const answer = (id: number, text: string): string =>
  JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } });

const kinds = (entries: readonly Entry[]): string[] => entries.map(({ kind }) => kind);

describe('levels', () => {
  async function oneCall(level: Parameters<typeof recorderWorld>[0], records: 'full' | null = null) {
    const made = world(level);
    const tape = made.recorder.begin(speaker);
    const taped = tape.request({ text: request(1) });
    await taped.judged(asked({ args: '{"text":"hello"}' }), {
      ...allowed,
      records: records === null ? [] : [{ do: 'record', level: records }],
    });
    taped.called({ call: 'call_1', cell: 'cell_1', server: 'echo', tool: 'say' });
    taped.answered(answer(1, 'there'));
    tape.hangUp();
    await made.recorder.flush();
    return made;
  }

  it('full keeps every message as it was said', async () => {
    const { entries, faults, isWhole } = (await oneCall('full')).read();
    expect([faults, isWhole]).toEqual([[], true]);
    expect(kinds(entries)).toEqual(['session', 'message', 'decision', 'call', 'message', 'end']);
    expect(entries[1]).toMatchObject({
      from: 'client',
      type: 'request',
      request: 1,
      method: 'tools/call',
      text: request(1),
    });
    expect(entries[3]).toMatchObject({ call: 'call_1', cell: 'cell_1' });
    expect(entries[4]).toMatchObject({
      from: 'gateway',
      outcome: 'ok',
      request: 1,
      text: answer(1, 'there'),
    });
  });

  it('arguments keeps those, and no message', async () => {
    const { entries } = (await oneCall('arguments')).read();
    expect(entries[2]).toMatchObject({ kind: 'decision', arguments: '{"text":"hello"}', outcome: 'allow' });
    expect(JSON.stringify(entries)).not.toContain('there');
    expect(entries.some((entry) => 'text' in entry)).toBe(false);
  });

  it('metadata keeps neither', async () => {
    const { entries } = (await oneCall('metadata')).read();
    expect(JSON.stringify(entries)).not.toMatch(/hello|there/);
    expect(entries[2]).toMatchObject({ server: 'echo', name: 'say' });
    expect(entries[2]).not.toHaveProperty('arguments');
  });

  it('off keeps nothing, unless a rule says so', async () => {
    expect((await oneCall('off')).growths).toEqual([]);
    const { entries, faults } = (await oneCall('off', 'full')).read();
    expect(faults).toEqual([]);
    expect(kinds(entries)).toEqual(['session', 'message', 'decision', 'call', 'message', 'end']);
    expect(entries[1]).toMatchObject({ text: request(1) });
  });
});

describe('a level that cannot be read', () => {
  it('is metadata, and neither ends anything nor holds up what comes after', async () => {
    const made = world('full');
    const tape = made.recorder.begin(speaker);
    made.unread = 1;
    tape.received({ text: request(1, 'not read') });
    // Node ends a process for a failure that nobody has looked at by now.
    await new Promise((resolve) => setImmediate(resolve));
    await made.recorder.flush();
    tape.received({ text: request(2, 'read') });
    tape.hangUp();
    await made.recorder.flush();
    const { entries, faults, isWhole } = made.read();
    expect([faults, isWhole]).toEqual([[], true]);
    expect(entries.map((entry) => ('text' in entry ? entry.text : entry.kind))).toEqual([
      'session',
      'message',
      request(2, 'read'),
      'end',
    ]);
    expect(made.failures).toEqual(['level: Error: store locked']);
  });

  it('is that of a session that somebody wants kept', async () => {
    const made = world('off');
    const tape = made.recorder.begin(speaker);
    made.unread = 1;
    expect(tape.wants).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect([tape.wants, made.failures]).toEqual([false, ['level: Error: store locked']]);
  });
});

describe('what is kept', () => {
  it('is what was said, at any length, in any grouping of it', async () => {
    const messages = fc.array(
      fc.record({
        from: fc.constantFrom('client', 'gateway'),
        text: fc.string({ unit: 'binary', maxLength: 40 }),
        times: fc.constantFrom(1, 1, 1, 5_000, 40_000),
        flush: fc.boolean(),
      }),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(messages, async (said) => {
        const made = recorderWorld('full');
        const tape = made.recorder.begin(speaker);
        const texts = said.map(({ text, times }) =>
          // No word of it looks like anything that is masked.
          JSON.stringify({
            jsonrpc: '2.0',
            method: 'n',
            params: [text.replaceAll(/[0-9A-Za-z@:._-]/g, '~').repeat(times)],
          }),
        );
        for (const [index, { from, flush }] of said.entries()) {
          const text = texts[index] ?? '';
          if (from === 'client') tape.received({ text });
          else tape.sent(text, null);
          if (flush) await made.recorder.flush();
        }
        await made.recorder.close();
        const { entries, faults, isWhole } = made.read();
        const kept = entries.flatMap((entry) => (entry.kind === 'message' ? [[entry.from, entry.text]] : []));
        expect([kept, faults, isWhole]).toEqual([said.map(({ from }, at) => [from, texts[at]]), [], true]);
      }),
      { numRuns: 40 },
    );
  });

  it('goes through several chunks where it is larger than one', async () => {
    const made = world('full');
    const tape = made.recorder.begin(speaker);
    const text = JSON.stringify({ jsonrpc: '2.0', method: 'n', params: ['~'.repeat(3 * chunkBytes)] });
    tape.received({ text });
    tape.received({ text: '{"jsonrpc":"2.0","method":"after"}' });
    tape.hangUp();
    await made.recorder.flush();
    expect(made.chunks().length).toBeGreaterThan(3);
    const { entries, faults } = made.read();
    expect(faults).toEqual([]);
    expect(entries[1]).toMatchObject({ text });
    expect(entries[2]).toMatchObject({ method: 'after' });
  });

  it('holds no stored value and nothing that looks like one, in no member', async () => {
    const made = world('full');
    made.secret = 'hunter2-of-the-vault';
    const card = ['4111', '1111', '1111', '1111'].join('');
    const tape = made.recorder.begin(speaker);
    const planted = `${made.secret} ${card}`;
    const taped = tape.request({
      text: JSON.stringify({
        jsonrpc: '2.0',
        id: planted,
        method: planted,
        params: { name: planted, arguments: { deep: [planted] } },
      }),
    });
    await taped.judged(
      asked({
        name: planted,
        args: JSON.stringify({ deep: [planted] }),
        annotations: JSON.stringify({ title: planted }),
      }),
      allowed,
    );
    taped.called({ call: 'call_1', cell: 'cell_1', server: 'echo', tool: planted });
    taped.answered(
      JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        error: { code: planted, message: planted, data: { code: planted } },
      }),
    );
    tape.sent(JSON.stringify({ jsonrpc: '2.0', method: 'n', params: { planted } }), taped);
    tape.hangUp();
    await made.recorder.flush();
    const { entries } = made.read();
    expect(kinds(entries)).toEqual(['session', 'message', 'decision', 'call', 'message', 'message', 'end']);
    const kept = JSON.stringify(entries);
    expect(kept).not.toContain(made.secret);
    expect(kept).not.toContain(card);
    expect(kept).toContain('[masked:stored-value]');
    expect(kept).toContain('[masked:payment-card]');
  });

  it('is no text at all where the stored values cannot be known', async () => {
    const made = world('full');
    made.secret = null;
    const tape = made.recorder.begin(speaker);
    const taped = tape.request({ text: request(1, 'secret words') });
    await taped.judged(asked({ name: 'secret tool', args: '{"text":"secret words"}' }), allowed);
    taped.answered(answer(1, 'secret words'));
    tape.hangUp();
    await made.recorder.flush();
    const { entries } = made.read();
    expect(JSON.stringify(entries)).not.toContain('secret');
    expect(entries[1]).toMatchObject({ left: 'values_unknown' });
    expect(entries[2]).toMatchObject({ left: 'values_unknown' });
  });

  it('is the beginning of what is very long, with nothing of a value that lies across the cut', async () => {
    const made = world('full');
    const value = 'hunter2-of-the-vault';
    made.secret = value;
    const tape = made.recorder.begin(speaker);
    const before = '{"jsonrpc":"2.0","method":"n","params":["';
    const text = `${before}${'~'.repeat(limits.recordingMessageCharsMax - before.length - 10)}${value}${'~'.repeat(100)}"]}`;
    tape.received({ text });
    const taped = tape.request({ text: request(1) });
    await taped.judged(asked({ args: text }), allowed);
    tape.hangUp();
    await made.recorder.flush();
    const [, long, , decision] = made.read().entries;
    expect(long).toMatchObject({ left: 'rest_too_long', chars: text.length, method: 'n' });
    const kept = long?.kind === 'message' ? (long.text ?? '') : '';
    expect(kept).toHaveLength(limits.recordingMessageCharsMax);
    expect(kept.endsWith('~[masked:st')).toBe(true);
    expect(decision).toMatchObject({ kind: 'decision', left: 'too_long' });
    expect(decision).not.toHaveProperty('arguments');
  });

  it('is no part of a value that lies across the cut of a name, at any level', async () => {
    const made = world('metadata');
    const value = 'hunter2-of-the-vault-in-the-cellar';
    made.secret = value;
    const long = `file:///${'~'.repeat(limits.recordingNameCharsMax - 8 - value.length + 1)}${value}`;
    const tape = made.recorder.begin(speaker);
    const taped = tape.request({ text: JSON.stringify({ jsonrpc: '2.0', id: long, method: long }) });
    await taped.judged(asked({ subject: 'resource', name: long }), allowed);
    taped.called({ call: 'call_1', cell: 'cell_1', server: 'echo', tool: long });
    taped.answered(JSON.stringify({ jsonrpc: '2.0', id: 1, error: { code: 1, data: { code: long } } }));
    const tooLong = '~'.repeat(limits.recordingMaskedNameCharsMax + 1);
    tape.sent(JSON.stringify({ jsonrpc: '2.0', method: tooLong }), null);
    tape.hangUp();
    await made.recorder.flush();
    const { entries } = made.read();
    expect(kinds(entries)).toEqual(['session', 'message', 'decision', 'call', 'message', 'message', 'end']);
    expect(JSON.stringify(entries)).not.toContain(value.slice(0, 10));
    expect(entries[2]).toMatchObject({ name: expect.stringMatching(/^file:.*~\[masked/) });
    expect(entries[5]).toMatchObject({ method: '[too long]' });
  });

  it('says which requests their clients gave up', async () => {
    const made = world('metadata');
    const tape = made.recorder.begin(speaker);
    tape.request({ text: request(1) }).answered(null);
    tape.request({ text: request(2) });
    tape.hangUp();
    await made.recorder.flush();
    const cancelled = made
      .read()
      .entries.flatMap((entry) =>
        entry.kind === 'message' && entry.outcome === 'cancelled' ? [entry.request] : [],
      );
    expect(cancelled).toEqual([1, 2]);
  });

  it('goes on in one session while a caller without one asks, and ends when it pauses', async () => {
    const made = world('metadata');
    const requests = { ...speaker, via: 'requests' } as const;
    const first = made.recorder.begin(requests);
    first.request({ text: request(1) }).answered(answer(1, ''));
    first.hangUp();
    expect(made.recorder.begin(requests)).toBe(first);
    expect(made.recorder.begin({ ...requests, actor: 'token:tok_2' })).not.toBe(first);
  });
});

describe('a recording that somebody removed while its session goes on', () => {
  for (const required of [false, true])
    it(`begins anew with what was not taken, which is told${required ? ', where it is required too' : ''}`, async () => {
      const made = world('full', required);
      const tape = made.recorder.begin(speaker);
      const other = made.recorder.begin({ ...speaker, profile: 'another' });
      await tape.request({ text: request(1, 'before') }).judged(asked(), allowed);
      other.received({ text: request(7, 'of another') });
      await made.recorder.flush();
      made.remove(tape.facts.id);
      other.received({ text: request(8, 'of another') });
      const taped = tape.request({ text: request(2, 'after') });
      await taped.judged(asked(), allowed);
      await made.recorder.flush();
      expect(made.failures).toEqual([`removed: ${tape.facts.id}`]);
      taped.answered(answer(2, 'there'));
      tape.hangUp();
      await made.recorder.flush();
      const own = made.growths.filter(({ session }) => session === tape.facts.id);
      made.growths.splice(0, Infinity, ...own);
      const { entries, faults, isWhole } = made.read();
      expect([faults, isWhole]).toEqual([[], true]);
      expect(entries.map((entry) => ('text' in entry ? entry.text : entry.kind))).toEqual([
        'session',
        request(2, 'after'),
        'decision',
        answer(2, 'there'),
        // Of the first request, which nobody answered.
        'message',
        'end',
      ]);
      expect(made.ended).toEqual([tape.facts.id]);
    });

  it('holds up a request that must be on record, where it cannot begin anew', async () => {
    const made = world('full', true);
    const tape = made.recorder.begin(speaker);
    await tape.request({ text: request(1) }).judged(asked(), allowed);
    made.remove(tape.facts.id);
    made.unbegun = 1;
    await expect(tape.request({ text: request(2) }).judged(asked(), allowed)).rejects.toMatchObject({
      code: 'recording_unavailable',
    });
    await made.recorder.flush();
    await tape.request({ text: request(3) }).judged(asked(), allowed);
    const { entries, faults } = made.read(undefined, false);
    expect(faults).toEqual([]);
    expect(entries.find(({ kind }) => kind === 'dropped')).toMatchObject({ messages: 2 });
  });

  it('does not begin anew for its end alone', async () => {
    const made = world('full');
    const tape = made.recorder.begin(speaker);
    tape.received({ text: request(1) });
    await made.recorder.flush();
    made.remove(tape.facts.id);
    tape.hangUp();
    await made.recorder.flush();
    expect([made.growths, made.ended, made.recorder.growing().size]).toEqual([[], [], 0]);
  });
});

describe('a store that does not take it', () => {
  it('holds nobody up, and gets it later, in order', async () => {
    const made = world('full');
    const tape = made.recorder.begin(speaker);
    made.broken = true;
    const taped = tape.request({ text: request(1) });
    await taped.judged(asked(), allowed);
    await made.recorder.flush();
    expect(made.failures).toEqual(['store: Error: disk full']);
    made.broken = false;
    taped.answered(answer(1, 'x'));
    tape.hangUp();
    await made.recorder.flush();
    const { entries, faults } = made.read();
    expect(faults).toEqual([]);
    expect(kinds(entries)).toEqual(['session', 'message', 'decision', 'message', 'end']);
  });

  it('stops requests where they must be on record', async () => {
    const made = world('metadata', true);
    const tape = made.recorder.begin(speaker);
    const first = tape.request({ text: request(1) });
    await first.judged(asked(), allowed);
    expect(made.read(undefined, false).entries.map(({ kind }) => kind)).toEqual([
      'session',
      'message',
      'decision',
    ]);
    made.broken = true;
    await expect(tape.request({ text: request(2) }).judged(asked(), allowed)).rejects.toMatchObject({
      code: 'recording_unavailable',
    });
    made.broken = false;
    await tape.request({ text: request(3) }).judged(asked(), allowed);
    expect(made.read(undefined, false).entries).toHaveLength(7);
  });

  it('stops none of those that nobody wants recorded', async () => {
    const made = world('off', true);
    made.broken = true;
    await made.recorder
      .begin(speaker)
      .request({ text: request(1) })
      .judged(asked(), allowed);
    expect(made.failures).toEqual([]);
  });

  it('stops requests for which there is no room, too', async () => {
    const made = world('metadata', true);
    const tape = made.recorder.begin(speaker);
    const text = JSON.stringify({ jsonrpc: '2.0', method: 'n', params: ['~'.repeat(1_000_000)] });
    for (let count = 0; count < 40; count += 1) tape.received({ text });
    const long = request(1, '~'.repeat(1_000_000));
    await expect(tape.request({ text: long }).judged(asked(), allowed)).rejects.toMatchObject({
      code: 'recording_unavailable',
    });
    // By now there is.
    await tape.request({ text: long }).judged(asked(), allowed);
  });

  it('keeps what was said before its level was another', async () => {
    const made = world('full');
    const tape = made.recorder.begin(speaker);
    tape.received({ text: request(1, 'before') });
    made.level = 'off';
    tape.received({ text: request(2, 'after') });
    tape.hangUp();
    await made.recorder.flush();
    const { entries, faults } = made.read();
    expect(faults).toEqual([]);
    expect(entries.map((entry) => ('text' in entry ? entry.text : entry.kind))).toEqual([
      'session',
      request(1, 'before'),
      'end',
    ]);
  });

  it('says how many messages were lost when there is too much', async () => {
    const made = world('metadata');
    const tape = made.recorder.begin(speaker);
    const text = JSON.stringify({ jsonrpc: '2.0', method: 'n', params: ['~'.repeat(1_000_000)] });
    for (let count = 0; count < 40; count += 1) tape.received({ text });
    tape.hangUp();
    await made.recorder.flush();
    const { entries, faults } = made.read();
    expect(faults).toEqual([]);
    const kept = entries.filter(({ kind }) => kind === 'message').length;
    const dropped = entries.find((entry) => entry.kind === 'dropped');
    expect(kept).toBe(33);
    expect(dropped).toMatchObject({ messages: 7 });
  });
});
