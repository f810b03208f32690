/** Requests that the gateway makes for a server by itself: none is begun under a kill switch, and a download ends with one. */
import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Egress, OwnAnswer } from '../../src/egress/index.ts';
import { AppError, type ServerId, systemRandom } from '../../src/kernel/index.ts';
import { createOAuthHttp } from '../../src/main/oauth/http.ts';
import { createDocumentFetcher } from '../../src/main/upstreams/fetch-document.ts';
import type { KillSwitch } from '../../src/mcp/index.ts';
import { principal } from '../mcp/harness.ts';

const operator = principal('uid', null);
const { workspace } = operator;
const server = { id: 'srv_1' as ServerId, slug: 'far', url: 'https://far.example/mcp' }; // the test's own

let killed: Set<string>;
let listeners: Set<() => void>;
let kills: KillSwitch;
/** What is open: requests that were begun, and shares that were closed. */
let begun: number;
let closed: number;
/** How the upstream answers. */
let answer: (signal: AbortSignal) => Promise<OwnAnswer>;

const kill = (slug: string): void => {
  killed.add(slug);
  for (const listener of listeners) listener();
};
const answered = (text: string): OwnAnswer => {
  const body = new PassThrough();
  body.end(text);
  const fields = { keys: [], get: () => undefined };
  return { status: 200, fields, body } as unknown as OwnAnswer; // what is asked of it
};
const never = (signal: AbortSignal): Promise<OwnAnswer> =>
  new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason)));

const egress = {
  openOwn: async () => ({
    request: (_: unknown, signal: AbortSignal) => {
      begun += 1;
      return answer(signal);
    },
    close: () => void (closed += 1),
  }),
} as unknown as Egress; // what is asked of it

beforeEach(() => {
  [killed, listeners, begun, closed] = [new Set(), new Set(), 0, 0];
  answer = async () => answered('{}');
  kills = {
    async check(_, slug) {
      if (slug !== null && killed.has(slug))
        throw new AppError('kill_active', 'Stopped.', { kind: 'denied' });
    },
    isStopped: async () => false,
    onKill(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
});

describe('a document', () => {
  const fetched = () =>
    createDocumentFetcher({ operator, egress, kills, random: systemRandom }).fetch(
      'https://far.example/openapi.json',
      'far',
      new AbortController().signal,
    );

  it('is not asked for', async () => {
    kill('far');
    await expect(fetched()).rejects.toMatchObject({ code: 'kill_active' });
    expect(begun).toBe(0);
  });

  it('is not waited for any more', async () => {
    answer = never;
    const waits = fetched();
    await expect.poll(() => begun).toBe(1);
    kill('far');
    await expect(waits).rejects.toMatchObject({ code: 'kill_active' });
    expect([closed, listeners.size]).toEqual([1, 0]);
  });

  it('comes under a switch for another server', async () => {
    kill('near');
    expect(await fetched()).toBe('{}');
    expect([begun, closed, listeners.size]).toEqual([1, 1, 0]);
  });
});

describe('a request of a login', () => {
  const sent = () =>
    createOAuthHttp({
      workspace,
      operator,
      kills,
      servers: { find: async () => ({ id: server.id }) as never }, // what is asked of it
      egress: () => egress,
      random: systemRandom,
    }).send(server, {
      url: new URL('https://login.example/token'),
      method: 'POST',
      headers: [],
      body: 'code=1',
      slots: [],
    });

  it('is not made, whatever it would have put into it', async () => {
    kill('far');
    await expect(sent()).rejects.toMatchObject({ code: 'kill_active' });
    expect(begun).toBe(0);
  });

  it('is made under a switch for another server', async () => {
    kill('near');
    expect(await sent()).toMatchObject({ status: 200, text: '{}' });
  });
});
