import { request } from 'node:https';
import { afterEach, describe, expect, it } from 'vitest';
import type { Arrival, StandInRoute } from './catalog-server.ts';
import { arrivalFaults } from './key-arrival.ts';
import { type StandIn, startStandIn } from './stand-in.ts';

const KEY = 'tvly-AbCdEfGh12345678';
const routes: readonly StandInRoute[] = [
  { host: 'api.example.com', method: 'POST', path: '/search', answer: { title: 'asked with {reflected}' } },
];
const arrival: Arrival = {
  host: 'api.example.com',
  method: 'POST',
  path: '/search',
  places: [{ header: 'authorization', form: 'Bearer {key}' }, { json: '/api_key' }],
};

let standIn: StandIn | undefined;
afterEach(async () => {
  await standIn?.close();
  standIn = undefined;
});

/** Posts to the stand-in as if it were the host, verifying its certificate for that name. */
async function post(path: string, headers: Record<string, string>, body: string): Promise<string> {
  standIn ??= await startStandIn(routes);
  const { authority, caPem } = standIn;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `https://${authority}${path}`,
      {
        method: 'POST',
        ca: caPem,
        servername: 'api.example.com',
        headers: { host: 'api.example.com', ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const faults = (): string[] => arrivalFaults(standIn?.requests ?? [], [arrival], KEY);

describe('the stand-in for an API', () => {
  it('answers a known route, and hands the credentials back', async () => {
    const answer = await post('/search?page=1', { authorization: `Bearer ${KEY}` }, `{"api_key":"${KEY}"}`);
    expect(JSON.parse(answer)).toEqual({ title: `asked with Bearer ${KEY} /search?page=1` });
    expect(faults()).toEqual([]);
  });

  it('says so when a request never came', async () => {
    await post('/elsewhere', {}, '');
    expect(standIn?.requests.map((seen) => seen.known)).toEqual([false]);
    expect(faults()).toEqual(['POST api.example.com/search: never arrived']);
  });

  it('says so when the key is missing, or in another form', async () => {
    await post('/search', { authorization: KEY }, '{"api_key":"other"}');
    expect(faults()).toEqual([
      'POST api.example.com/search: header authorization is not "Bearer {key}"',
      'POST api.example.com/search: JSON /api_key is not the key',
      'POST api.example.com/search: key in 1 places, 0 declared',
    ]);
  });

  it('says so when the key stands in a place that nobody declared', async () => {
    await post(`/search?leak=${KEY}`, { authorization: `Bearer ${KEY}` }, `{"api_key":"${KEY}"}`);
    expect(faults()).toEqual(['POST api.example.com/search: key in 3 places, 2 declared']);
  });
});
