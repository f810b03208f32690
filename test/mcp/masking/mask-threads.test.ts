/** Threads that mask what is large: they say what this thread would, and where they do not, nothing gets past them. */
import { afterAll, describe, expect, it } from 'vitest';
import { AppError, limits, Secret, silentLog, type WorkspaceId } from '../../../src/kernel/index.ts';
import { maskBook } from '../../../src/main/masking/mask-book.ts';
import { AnswerMasking } from '../../../src/mcp/masking/answer-masking.ts';
import { BesideMask } from '../../../src/mcp/masking/beside-mask.ts';
import { maskAnywhere, maskWith } from '../../../src/mcp/masking/masked-message.ts';
import { MaskThreads } from '../../../src/mcp/masking/mask-threads.ts';
import { parseMessage, type RpcMessage } from '../../../src/mcp/protocol/message.ts';
import { RequestControl } from '../../../src/mcp/client/request-control.ts';
import type { MaskedMessage, Maskers } from '../../../src/mcp/ports/masks.ts';
import { masksBeside } from '../../../src/policy/index.ts';
import { githubToken } from '../../masking/support.ts';
import { rulesOf } from '../../policy/rules/asking.ts';

const book = maskBook({
  ring: { purposeKey: async () => Secret.fromBytes(Buffer.alloc(32, 7)) },
  log: silentLog,
});
afterAll(() => book.close());

const masks = masksBeside(
  rulesOf(
    'rules: [{ id: secrets, on: tool, do: mask, mask: { detectors: [secrets], strategy: hash } },' +
      ' { id: born, on: tool, do: mask, mask: { keys: [born] } }]',
  ),
  'any',
  { users: [], agents: [], tokens: [] },
);
const maskers = (): Promise<Maskers> => book.maskersOf('ws_test' as WorkspaceId, masks);

function message(text: string): RpcMessage {
  const read = parseMessage(text);
  if (!read.ok) throw new Error(read.error.detail);
  return read.value;
}
const long = 'word '.repeat(limits.maskingApartCharsMin / 5);
const answer = (result: object): RpcMessage => message(JSON.stringify({ jsonrpc: '2.0', id: 1, result }));

describe('a large message', () => {
  const schema = JSON.stringify({ type: 'object', properties: { born: { type: 'string', format: 'date' } } });
  it.each<[string, RpcMessage]>([
    ['with something to mask', answer({ content: [{ type: 'text', text: `${long}${githubToken}` }] })],
    ['with nothing to mask', answer({ content: [{ type: 'text', text: long }] })],
    [
      'whose structured content has a schema',
      answer({ content: [{ type: 'text', text: long }], structuredContent: { born: '1970-01-02' } }),
    ],
    [
      'that is no answer',
      message(`{"jsonrpc":"2.0","method":"a","params":{"data":"${long} ${githubToken}"}}`),
    ],
  ])('%s is masked as it would be here', async (_, large) => {
    const own = await maskers();
    const [here, there]: string[][] = [[], []];
    const expected = maskWith(large, own, (hits) => here?.push(JSON.stringify(hits)), schema);
    const masked = await maskAnywhere(large, own, (hits) => there?.push(JSON.stringify(hits)), schema);
    expect(masked.text).toBe(expected.text);
    expect(masked.kind).toBe(expected.kind);
    expect(there).toEqual(here);
  });

  it('is refused where it cannot be masked there either', async () => {
    const deep = answer({ deep: JSON.parse('['.repeat(140) + ']'.repeat(140)), long });
    await expect(maskAnywhere(deep, await maskers(), () => undefined, null)).rejects.toMatchObject({
      code: 'mask_answer_too_large',
    });
  });
});

/** A program of a thread: what it does with a text. */
const program = (body: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(
      `import { parentPort } from 'node:worker_threads'; parentPort.on('message', ({ text }) => { ${body} });`,
    )}`,
  );
const recipe = { id: 1, whole: [], placed: [], hashKey: null };
const task = (text: string) => ({ recipe, text, schema: null });
const answers = `parentPort.postMessage({ kind: 'masked', text: null, hits: [] });`;

describe('a thread', () => {
  it('that dies takes its message with it, and no other', async () => {
    const threads = new MaskThreads(
      { threads: 1 },
      program(
        `if (text === 'exit') process.exit(3); if (text === 'throw') throw new Error('no'); ${answers}`,
      ),
    );
    const outcomes = await Promise.allSettled(
      ['ok', 'exit', 'ok', 'throw', 'ok'].map((text) => threads.mask(task(text))),
    );
    threads.close();
    expect(outcomes.map((each) => (each.status === 'fulfilled' ? 'ok' : each.reason.code))).toEqual([
      'ok',
      'mask_failed',
      'ok',
      'mask_failed',
      'ok',
    ]);
  });

  it('that cannot be started fails what it was for, and leaves nothing waiting', async () => {
    // A scheme that no thread is started from: its constructor throws.
    const threads = new MaskThreads({ threads: 1, waitingCharsMax: 5 }, new URL('gopher://thread'));
    for (const text of ['first', 'again'])
      await expect(threads.mask(task(text))).rejects.toMatchObject({ code: 'mask_failed' });
    threads.close();
  });

  it('that takes too long is ended, and its message kept back', async () => {
    const threads = new MaskThreads({ threads: 1, deadlineMs: 100 }, program('for (;;);'));
    const [running, waiting] = [threads.mask(task('a')), threads.mask(task('b'))];
    await expect(running).rejects.toMatchObject({ code: 'mask_failed' });
    await expect(waiting).rejects.toMatchObject({ code: expect.stringMatching(/^mask_(?:failed|busy)$/) });
    threads.close();
  });

  it('has no more than so much waiting for it, and drops it at the end', async () => {
    const threads = new MaskThreads({ threads: 1, waitingCharsMax: 10 }, program('for (;;);'));
    const begun = [threads.mask(task('first')), threads.mask(task('8 chars.'))];
    await expect(threads.mask(task('3..'))).rejects.toMatchObject({ code: 'mask_busy' });
    threads.close();
    for (const each of begun) await expect(each).rejects.toMatchObject({ code: 'mask_busy' });
    await expect(threads.mask(task('x'))).rejects.toMatchObject({ code: 'mask_busy' });
  });

  it('is ended when it has nothing to do, and started anew', async () => {
    const threads = new MaskThreads(
      { threads: 1, idleMs: 1 },
      program(
        `parentPort.postMessage({ kind: 'masked', text: String(globalThis.seen = (globalThis.seen ?? 0) + 1), hits: [] });`,
      ),
    );
    const { text } = await threads.mask(task('a'));
    await expect
      .poll(async () => (await threads.mask(task('b'))).text, { timeout: 10_000, interval: 50 })
      .toBe(text);
    threads.close();
  });
});

describe('what is said beside an answer', () => {
  const notice = (text: string): RpcMessage => message(`{"jsonrpc":"2.0","method":"${text}"}`);
  const large = message(`{"jsonrpc":"2.0","method":"large","params":{"data":"${long}"}}`);

  it('comes in the order in which it was said, however long some of it takes', async () => {
    const { promise, resolve } = Promise.withResolvers<MaskedMessage>();
    const beside = new BesideMask(
      async () => ({ whole: null, placed: null, apart: () => promise }),
      () => undefined,
    );
    await beside.refresh();
    const told: string[] = [];
    const tell = (said: RpcMessage): void =>
      beside.message(said, (masked) =>
        told.push(masked !== null && 'method' in masked ? masked.method : 'dropped'),
      );
    tell(notice('one'));
    expect(beside.settled).toBe(null);
    for (const said of [large, notice('two'), large, notice('three')]) tell(said);
    beside.text('{"jsonrpc":"2.0","method":"four"}', (text) => told.push(text ?? 'dropped'));
    expect(told).toEqual(['one']);
    resolve({ text: null, hits: [] });
    await beside.settled;
    expect(told).toEqual(['one', 'large', 'two', 'large', 'three', '{"jsonrpc":"2.0","method":"four"}']);
    expect(beside.settled).toBe(null);
  });

  it('is dropped where it could not be masked, or too much waits', async () => {
    const beside = new BesideMask(
      async () => ({ whole: null, placed: null, apart: () => Promise.reject(new Error('died')) }),
      () => undefined,
    );
    await beside.refresh();
    const told: (RpcMessage | null)[] = [];
    const times = Math.ceil(limits.maskingBesideCharsMax / large.text.length) + 1;
    for (let count = 0; count < times; count += 1) beside.message(large, (masked) => told.push(masked));
    expect(told).toEqual([null, null]);
    await beside.settled;
    expect(told).toEqual(Array.from({ length: times }, () => null));
  });
});

describe('a request that ends while its answer is masked', () => {
  const target = {
    principal: {
      workspace: 'ws_test' as WorkspaceId,
      actor: { kind: 'token', id: 'tok_1' },
      profile: 'p',
      agent: 'a',
    },
    profile: 'p',
    server: { slug: 'echo', title: null, tools: '*', defaultTools: null, callSeconds: null },
  } as const;

  it.each(['by its rules', 'beside them'])('is not answered: %s', async (way) => {
    const { promise, resolve } = Promise.withResolvers<MaskedMessage>();
    const own: Maskers = { whole: null, placed: null, apart: () => promise };
    const masking = new AnswerMasking(
      { masks: { maskersOf: async () => own }, audit: { masked: async () => undefined }, log: silentLog },
      { beside: () => ({ masks, maskers: own }) },
    );
    const response = answer({ content: [], long });
    if (response.kind !== 'response') throw new Error('it is one');
    const work = async () => response;
    for (const isKilled of [false, true]) {
      const control = new RequestControl();
      const answered = { about: {}, control };
      const held =
        way === 'by its rules'
          ? masking.held(target, masks, answered, work)
          : masking.heldBeside(target, answered, work);
      if (!isKilled) resolve({ text: null, hits: [] });
      else control.cancel(new AppError('kill_active', 'A kill switch is set.', { kind: 'denied' }));
      if (isKilled) await expect(held).rejects.toMatchObject({ code: 'kill_active' });
      else await expect(held).resolves.toBe(response);
    }
  });
});
