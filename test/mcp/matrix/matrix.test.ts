/**
 * Each feature of MCP, for clients of either era at each of their ways in, before servers of either era: what a client is given,
 * told and asked is the same everywhere, and the same as without a gateway where its era is the server's.
 */
import { LOG_LEVEL_META_KEY } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Era } from '../../conformance/targets.ts';
import {
  besideWorld,
  CLIENTS,
  remoteWorld,
  SEARCHES,
  type Seat,
  takeSeat,
  type Way,
  WAYS,
  type World,
} from './seats.ts';

const text = async (seat: Seat, name: string, given: Record<string, unknown> = {}): Promise<string> => {
  const { content } = await seat.client.callTool({ name: seat.name(name), arguments: given });
  const [first] = content;
  return first?.type === 'text' ? first.text : JSON.stringify(content);
};
const eventually = { timeout: 10_000 };

/** Each row of the matrix. */
const FEATURES: Readonly<Record<string, (seat: Seat) => Promise<void>>> = {
  async 'definitions, whole'({ client, name }) {
    const { tools } = await client.listTools();
    const tool = tools.find((candidate) => candidate.name === name('json_schema_2020_12_tool'));
    expect(tool?.inputSchema).toMatchObject({
      $defs: { address: { $anchor: 'addressDef' } },
      if: { required: ['contactMethod'] },
      additionalProperties: false,
    });
  },
  async 'binary content'({ client, name }) {
    expect(await client.callTool({ name: name('test_multiple_content_types') })).toMatchObject({
      content: [
        { type: 'text' },
        { type: 'image', mimeType: 'image/png', data: expect.stringMatching(/^iVBOR/) },
        { type: 'resource', resource: { uri: 'test://mixed-content-resource' } },
      ],
    });
    expect(await client.callTool({ name: name('test_audio_content') })).toMatchObject({
      content: [{ type: 'audio', mimeType: 'audio/wav', data: expect.stringMatching(/^UklGR/) }],
    });
    expect(await client.readResource({ uri: 'test://static-binary' })).toMatchObject({
      contents: [{ uri: 'test://static-binary', blob: expect.stringMatching(/^iVBOR/) }],
    });
  },
  async 'a large result'(seat) {
    expect(await text(seat, 'test_large', { bytes: 4_500_000 })).toHaveLength(4_500_000);
  },
  async 'nothing of another revision in its results'({ client, name, stateless }) {
    const said = 'This is a simple text response for testing.';
    const call = await client.callTool({ name: name('test_simple_text') });
    const uri = 'test://static-text';
    const read = await client.readResource({ uri });
    const expected = {
      call: { content: [{ type: 'text', text: said }] },
      read: { contents: [{ uri, mimeType: 'text/plain', text: expect.any(String) }] },
    };
    if (stateless) expect({ call, read }).toMatchObject(expected);
    else expect({ call, read }).toEqual(expected);
  },
  async errors({ client, name }) {
    expect(await client.callTool({ name: name('test_error_handling') })).toMatchObject({ isError: true });
    await expect(client.callTool({ name: name('made-up') })).rejects.toMatchObject({ code: -32_602 });
    await expect(client.readResource({ uri: 'test://nowhere' })).rejects.toMatchObject({ code: -32_602 });
    await expect(client.getPrompt({ name: name('made-up') })).rejects.toMatchObject({ code: -32_602 });
  },
  async progress(seat) {
    const label = `progress ${(waits += 1)}`;
    const steps: number[] = [];
    // The client forgets whom to tell when it reads the answer: progress in the same read with that is told to nobody.
    const onprogress = ({ progress }: { progress: number }): void => {
      steps.push(progress);
      if (progress === 100) heard.push(text(seat, 'test_progress_heard', { label }));
    };
    const heard: Promise<string>[] = [];
    const params = { name: seat.name('test_tool_with_progress'), arguments: { label } };
    await seat.client.callTool(params, { onprogress });
    expect(steps).toEqual([0, 50, 100]);
    expect(await Promise.all(heard)).toEqual(['heard']);
  },
  async cancellation(seat) {
    const label = `wait ${(waits += 1)}`;
    const abort = new AbortController();
    const params = { name: seat.name('test_wait'), arguments: { label } };
    const call = seat.client.callTool(params, { signal: abort.signal }).then(
      () => 'answered',
      () => 'given up',
    );
    await expect.poll(() => text(seat, 'test_waits'), eventually).toMatch(`"waiting":["${label}"`);
    abort.abort();
    expect(await call).toBe('given up');
    await expect
      .poll(() => text(seat, 'test_waits'), eventually)
      .toMatch(new RegExp(`"cancelled":.*"${label}"`));
  },
  async sampling(seat) {
    expect(await text(seat, 'test_sampling', { prompt: 'Well?' })).toBe(
      'LLM response: sampled {"type":"text","text":"Well?"}',
    );
  },
  async 'elicitation with a form'(seat) {
    expect(await text(seat, 'test_elicitation', { message: 'Who?' })).toBe(
      'User response: action=accept, content={"username":"my username","email":"my email"}',
    );
    expect(seat.elicited.at(-1)).toMatchObject({
      message: 'Who?',
      requestedSchema: { required: ['username', 'email'] },
    });
  },
  async 'elicitation at an address'(seat) {
    expect(await text(seat, 'test_elicitation_url')).toBe('page accept');
    expect(seat.elicited.at(-1)).toMatchObject({ mode: 'url', url: 'https://pages.example/form' });
  },
  async roots(seat) {
    expect(await text(seat, 'test_input_required_result_list_roots')).toBe('Roots: file:///work');
  },
  async 'three questions at once'(seat) {
    expect(await text(seat, 'test_input_required_result_multiple_inputs')).toBe(
      'sampled {"type":"text","text":"Generate a greeting"}, my name of file:///work',
    );
  },
  async 'questions one after the other'(seat) {
    expect(await text(seat, 'test_input_required_result_multi_round')).toBe('my name likes my color');
  },
  async 'a question before a prompt'({ client, name }) {
    expect(await client.getPrompt({ name: name('test_input_required_result_prompt') })).toMatchObject({
      messages: [{ content: { text: 'In my context' } }],
    });
  },
  async completion({ client, name }) {
    const ref = { type: 'ref/prompt' as const, name: name('test_prompt_with_arguments') };
    const argument = { name: 'arg1', value: 'par' };
    expect((await client.complete({ ref, argument })).completion.values).toEqual(['paris', 'park', 'party']);
    const template = { type: 'ref/resource' as const, uri: 'test://template/{id}/data' };
    expect(
      (await client.complete({ ref: template, argument: { name: 'id', value: '12' } })).completion.values,
    ).toEqual(['123', '124']);
  },
  async 'prompts and resources'({ client, name }) {
    const given = { arg1: 'one', arg2: 'two' };
    expect(
      await client.getPrompt({ name: name('test_prompt_with_arguments'), arguments: given }),
    ).toMatchObject({ messages: [{ content: { text: "Prompt with arguments: arg1='one', arg2='two'" } }] });
    const { resources } = await client.listResources();
    expect(resources.map(({ uri }) => uri)).toContain('test://static-text');
    const { resourceTemplates } = await client.listResourceTemplates();
    expect(resourceTemplates).toMatchObject([{ uriTemplate: 'test://template/{id}/data' }]);
    expect(await client.readResource({ uri: 'test://template/7/data' })).toMatchObject({
      contents: [{ text: '{"id":"7","templateTest":true,"data":"Data for ID: 7"}' }],
    });
  },
  async subscriptions(seat) {
    const uri = 'test://watched-resource';
    const updates = () =>
      seat.notified.filter(({ method }) => method === 'notifications/resources/updated').length;
    const listening = seat.stateless
      ? await seat.client.listen({ resourceSubscriptions: [uri] })
      : await seat.client.subscribeResource({ uri }).then(() => null);
    const before = updates();
    await text(seat, 'test_trigger_resource_update');
    await expect.poll(updates, eventually).toBe(before + 1);
    await (listening?.close() ?? seat.client.unsubscribeResource({ uri }));
    await text(seat, 'test_trigger_resource_update');
    await text(seat, 'test_simple_text');
    expect(updates()).toBe(before + 1);
  },
  async logging(seat) {
    const heard = () =>
      seat.notified.flatMap(({ method, params }) => (method === 'notifications/message' ? [params] : []));
    const before = heard().length;
    if (!seat.stateless) await seat.client.setLoggingLevel('info');
    const _meta = seat.stateless ? { [LOG_LEVEL_META_KEY]: 'info' } : {};
    await seat.client.callTool({ name: seat.name('test_logging_tool'), arguments: {}, _meta });
    await expect.poll(() => heard().length, eventually).toBe(before + 1);
    expect(heard().at(-1)).toMatchObject({ level: 'error', data: 'trouble' });
  },
  async 'list changes'(seat) {
    const extra = seat.name('test_extra_tool');
    const shown = async () => (await seat.client.listTools()).tools.some(({ name }) => name === extra);
    const before = await shown();
    const told = seat.changes.length;
    await text(seat, 'test_trigger_tool_change');
    await expect.poll(() => seat.changes.length, eventually).toBeGreaterThan(told);
    expect(await shown()).toBe(!before);
  },
};
/** Of a server that several connections may be made to. */
const ELSEWHERE: typeof FEATURES = {
  async 'its own era'(seat) {
    expect(await text(seat, 'test_era')).toBe(seat.stateless ? 'modern' : 'legacy');
  },
};
const LISTS: ReadonlySet<string> = new Set(['definitions, whole', 'list changes']);
let waits = 0;

const ERAS: Readonly<Record<string, Era>> = {
  'a server with sessions': 'session',
  'a server without sessions': 'stateless',
  'a server of both eras': 'both',
};

describe.each(Object.entries(ERAS))('%s on stdio', (_server, era) => {
  rows(era, besideWorld, [...WAYS, ...(era === 'both' ? [] : SEARCHES)]);
});

describe.each(Object.entries(ERAS))('%s over HTTP', (_server, era) => {
  const own = era === 'both' ? ELSEWHERE : {};
  rows(era, remoteWorld, ['HTTP, one server', 'stdio, one server'], { ...FEATURES, ...own });
});

function rows(era: Era, start: (era: Era) => Promise<World>, ways: readonly Way[], checks = FEATURES): void {
  let world: World;
  beforeAll(async () => {
    world = await start(era);
  });
  afterAll(() => world.close());

  describe.each(Object.entries(CLIENTS))('%s', (_client, mode) => {
    const fits = era === 'both' || (era === 'session') === (mode === 'legacy');
    describe.each(ways.filter((way) => way !== 'directly' || fits))('%s', (way) => {
      let seat: Seat;
      beforeAll(async () => {
        seat = await takeSeat(world.harness, era, mode, way);
      });
      afterAll(() => seat?.close());

      // What a search shows of tools, and of changes to them, is `search/search-mode`'s.
      const features = Object.entries(checks).filter(
        ([name]) => !(SEARCHES.includes(way) && LISTS.has(name)),
      );
      it.each(features)('%s', (_feature, check) => check(seat));
    });
  });
}
