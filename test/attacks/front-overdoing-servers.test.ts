/**
 * ATTACKS 22 and 23: a server that makes few bytes much work or memory of the gateway, which all servers share: values without
 * number, within each other without end, lists without end, questions whose answers it does not read. Beside each stands the
 * same in measure, which passes.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, type Harness, principal, startHarness } from '../mcp/harness.ts';

let harness: Harness;
let client: ReturnType<Harness['stdio']>;
beforeAll(async () => {
  harness = await startHarness({ default: { odd: { command: fixture('overdoing') } } });
  client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'odd' });
  await client.initialize();
});
afterAll(() => harness.close());

let calls = 0;
const call = (name: string, n = 1) => {
  calls += 1;
  return client.request(calls, 'tools/call', { name, arguments: { n } });
};
const tooLarge = { error: { data: { code: 'upstream_answer_too_large' } } };

describe('ATTACKS 22, 23: a server that overdoes it', () => {
  it.each([
    ['deep', 900],
    ['wide', 200_000],
    ['much', 2_000_000],
  ])('control: %s, in measure', async (name, n) => {
    expect(await call(name, n)).toHaveProperty('result');
  });

  it.each([
    ['objects within objects', 'deep', 300_000],
    ['objects beside objects', 'wide', 600_000],
  ])('%s: no answer, and the next is', async (_what, name, n) => {
    const [first, next] = await Promise.all([call(name, n), call('honest')]);
    expect(first).toMatchObject(tooLarge);
    expect(next).toHaveProperty('result');
  });

  it('control: a list of many', async () => {
    const { result } = (await client.request('list', 'resources/list')) as { result: { resources: [] } };
    expect(result.resources).toHaveLength(9_000);
  });

  it('a list without end', async () => {
    const whole = harness.stdio(principal('tok_1', 'default'), { profile: 'default' });
    await whole.initialize();
    const { result } = await whole.request('list', 'prompts/list');
    expect(result).toMatchObject({
      prompts: [],
      _meta: { 'app.sallyport/leftOut': [{ server: 'odd', code: 'upstream_listing_too_large' }] },
    });
  });

  it('control: pings are answered', async () => {
    await call('pings', 50);
    await expect
      .poll(async () => (await call('honest'))['result'], { timeout: 10_000 })
      .toMatchObject({ pongs: 50 });
  });

  it('pings whose answers nobody reads are answered up to a measure', async () => {
    const pings = 30_000;
    await call('pings', pings);
    const [transport] = harness.transports;
    const waiting = transport?.input.writableLength ?? 0;
    // Each answer is longer than this; the socket between holds some. What comes beyond a measure is not answered at all.
    expect(waiting).toBeLessThan((pings / 2) * 20);
  });
});
