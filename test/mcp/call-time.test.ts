/** The longest time of one call: the client is told, the server is told, and everybody else goes on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, type Harness, principal, startHarness } from './harness.ts';

describe('a call of a server with limits.callSeconds', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness({
      default: {
        echo: { command: fixture('echo'), tools: '*', callSeconds: 1 },
        patient: { command: fixture('echo', 'patient'), tools: '*' },
      },
    });
  });
  afterAll(() => harness.close());

  const connect = async (server: string) => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server });
    await client.initialize();
    return client;
  };
  const seen = async (client: Awaited<ReturnType<typeof connect>>, id: string): Promise<string> =>
    JSON.stringify(await client.request(id, 'tools/call', { name: 'seen' }));

  it('is stopped when it takes longer, however others fare meanwhile', async () => {
    const client = await connect('echo');
    const late = client.request('late', 'tools/call', { name: 'wait', arguments: { label: 'late' } });
    expect(await client.request('quick', 'tools/call', { name: 'fail' })).toMatchObject({
      error: { code: -32042 },
    });
    expect(await late).toEqual({
      jsonrpc: '2.0',
      id: 'late',
      error: {
        code: -32000,
        message: 'The call to "echo" was stopped: call limit 1 s.',
        data: {
          code: 'call_time_limit',
          hint: 'The limit is `limits.callSeconds` of its manifest. See what it is doing: sallyport server logs echo',
        },
      },
    });
    expect(await seen(client, 'after')).toContain('cancelled late');
    expect(harness.audit).toContain('finished echo wait failed call_time_limit');
    expect(harness.audit).toContain('finished echo fail error -32042');
    expect(harness.transports.every(({ alive }) => alive)).toBe(true);
    client.end();
  });

  it('goes on where the manifest says nothing', async () => {
    const [limited, patient] = [await connect('echo'), await connect('patient')];
    void patient.request(1, 'tools/call', { name: 'wait', arguments: { label: 'patient' } });
    const late = await limited.request(1, 'tools/call', { name: 'wait', arguments: { label: 'late' } });
    expect(late).toMatchObject({ error: { data: { code: 'call_time_limit' } } });
    expect(await seen(patient, 'c')).not.toContain('cancelled');
    for (const client of [limited, patient]) client.end();
  });
});
