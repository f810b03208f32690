/**
 * ATTACKS 18 and 23: a client with a good token that takes what the others need: requests without number at a server that all
 * share, on as many sessions as it likes, resources to watch without number. Whoever else uses the same server goes on.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { fixture, type Harness, principal, startHarness, type TestClient } from '../mcp/harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ default: { good: { command: fixture('echo') } } });
});
afterEach(() => harness.close());

async function session(who: string): Promise<TestClient> {
  const client = harness.stdio(principal(who, 'default'), { profile: 'default', server: 'good' });
  await client.initialize();
  return client;
}
const wait = (client: TestClient, id: number): void =>
  client.send({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name: 'wait', arguments: { label: id } },
  });
const echo = (client: TestClient, id: number) => client.request(id, 'tools/call', { name: 'echo' });

describe('ATTACKS 18, 23: a client that takes all', () => {
  it('has so many requests in flight in all its sessions, and others have theirs', async () => {
    const [first, second, other] = await Promise.all([session('tok_1'), session('tok_1'), session('tok_2')]);
    const half = limits.mcpRequestsPerCallerMax / 2;
    for (let id = 1; id <= half; id += 1) {
      wait(first, id);
      wait(second, id);
    }
    expect(await echo(second, 9_001)).toMatchObject({
      error: { code: -32000, data: { code: 'mcp_requests_too_many' } },
    });
    expect(await echo(other, 9_001)).toHaveProperty('result');
    // Control: what is given up is to be had again.
    first.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    await expect
      .poll(async () => (await echo(second, Math.random()))['result'], { timeout: 10_000 })
      .toBeDefined();
    first.duplex.destroy();
    const givenUp = (): number => harness.audit.filter((line) => line.endsWith('mcp_cancelled')).length;
    await expect.poll(givenUp, { timeout: 10_000 }).toBe(half);
    for (let id = half + 1; id < 2 * half; id += 1) wait(second, id);
    expect(await echo(second, 9_002)).toHaveProperty('result');
  });

  it('watches so many resources, of a name that is none without end', async () => {
    const [client, other] = await Promise.all([session('tok_1'), session('tok_2')]);
    const subscribe = (by: TestClient, id: number, uri = `a:${id}`) =>
      by.request(id, 'resources/subscribe', { uri });
    for (let id = 0; id < limits.mcpWatchedResourcesMax; id += 1)
      client.send({ jsonrpc: '2.0', id, method: 'resources/subscribe', params: { uri: `a:${id}` } });
    expect(await client.answer(limits.mcpWatchedResourcesMax - 1)).toHaveProperty('result');
    const tooMany = { error: { data: { code: 'mcp_watched_too_many' } } };
    expect(await subscribe(client, 9_001)).toMatchObject(tooMany);
    expect(await subscribe(client, 9_002, 'a:7')).toHaveProperty('result');
    expect(await subscribe(other, 9_001)).toHaveProperty('result');
    expect(await subscribe(other, 9_002, `a:${'x'.repeat(10_000)}`)).toMatchObject(tooMany);
    expect(await client.request(9_003, 'resources/unsubscribe', { uri: 'a:1' })).toHaveProperty('result');
    expect(await subscribe(client, 9_004)).toHaveProperty('result');
  });
});
