/** A server whose requests the gateway makes itself: its start on record, its requests, and each way of ending. */
import { Readable } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ServerRow } from '../../src/api/index.ts';
import type { AuditEvent } from '../../src/audit/index.ts';
import type { OwnAnswer, OwnRequest } from '../../src/egress/index.ts';
import {
  AppError,
  fixedClock,
  type Json,
  type ServerId,
  systemRandom,
  type WorkspaceId,
} from '../../src/kernel/index.ts';
import type { RunningCell, StartDeps } from '../../src/main/cells/start.ts';
import { type Own, startOwn } from '../../src/main/upstreams/own.ts';
import { parseManifest } from '../../src/manifest/index.ts';
import { Fields } from '../../src/wire/index.ts';

const workspace = 'wsp_test' as WorkspaceId;
const TEXT = JSON.stringify({
  schemaVersion: 2,
  name: 'shop',
  version: '1.0.0',
  server: { kind: 'api', baseUrl: 'https://api.test.example' },
  egress: [{ host: 'api.test.example' }],
  credentials: [{ name: 'KEY', tier: 'sealed', hosts: ['api.test.example'], inject: [{ query: 'key' }] }],
});
const { manifest } = parseManifest(TEXT, { file: 'm' });
if (manifest === undefined) throw new Error('the manifest is wrong');

const row: ServerRow = {
  id: 'srv_1' as ServerId,
  slug: 'shop',
  manifest: JSON.parse(TEXT) as Json,
  manifestHash: 'hash',
  source: 'm',
  package: null,
  enabled: true,
  createdAt: 0,
  updatedAt: 0,
};
const key = { slug: 'shop', profile: 'default', owner: null, shared: false };
const request: OwnRequest = {
  method: 'GET',
  scheme: 'https',
  host: 'api.test.example',
  port: 443,
  target: '/a?b',
  fields: [],
  body: null,
};
const never = new AbortController().signal;

let events: AuditEvent[];
let said: string[];
let closed: boolean;
let bodies: Readable[];
let own: Own;

async function start(isSet = true): Promise<RunningCell> {
  const deps = {
    workspace,
    vault: { list: async () => (isSet ? [{ name: 'KEY', owner: null, version: 1 }] : []) },
    audit: { append: async (event: AuditEvent) => events.push(event) },
    egress: {
      openOwn: async () => ({
        request: async (): Promise<OwnAnswer> => {
          if (closed) throw new AppError('egress_closed', 'It is closed.', { kind: 'unavailable' });
          const body = new Readable({ read() {} });
          bodies.push(body);
          return { status: 200, fields: new Fields(), body };
        },
        refresh: async () => {},
        close: () => {
          closed = true;
          for (const body of bodies) body.destroy();
        },
      }),
    },
    logs: { append: (_slug: string, line: { text: string }) => said.push(line.text) },
    clock: fixedClock(0),
    random: systemRandom,
    stopGraceMs: 600_000,
  };
  if (manifest === undefined) throw new Error('the manifest is wrong');
  return startOwn(
    deps as unknown as StartDeps,
    { row, manifest, key, prefix: 'api', readOnly: 'report' },
    () => {},
    (given) => {
      own = given;
      const service = {
        info: { name: 'shop', version: '1' },
        tools: async () => [],
        call: async () => '',
        templates: [],
        read: () => null,
      };
      return { ...given, kind: 'service', era: { known: null, learn: () => {} }, service };
    },
  );
}

beforeEach(() => {
  [events, said, closed, bodies] = [[], [], false, []];
});

describe('a server that the gateway speaks to itself', () => {
  it('is on record before anything is sent, and has an identifier that says what it is', async () => {
    const running = await start();
    expect(running.id).toMatch(/^api_/);
    expect(events).toEqual([
      {
        workspace,
        type: 'upstream.opened',
        actor: { kind: 'cell', id: running.id },
        server: 'shop',
        data: {
          kind: 'api',
          profile: 'default',
          owner: null,
          shared: false,
          manifest: 'hash',
          credentials: ['KEY'],
        },
      },
    ]);
    expect(said).toEqual(['started for profile default']);
  });

  it('sends nothing while a credential that it needs has no value', async () => {
    await start(false);
    await expect(own.request(request, never)).rejects.toMatchObject({ code: 'vault_credential_missing' });
    expect(bodies).toEqual([]);
  });

  it('that is asked to end does so after its last answer', async () => {
    const running = await start();
    await own.request(request, never);
    const stopped = running.stop('idle', 'ask');
    await new Promise((done) => setImmediate(done));
    expect(closed).toBe(false);
    bodies[0]?.destroy();
    await stopped;
    expect(await running.transport.exited).toEqual({ code: null, signal: null, reason: 'idle' });
    expect(events.at(-1)).toMatchObject({ type: 'upstream.closed', data: { reason: 'idle' } });
    expect(said.at(-1)).toBe('ended: idle');
  });

  it.each(['kill', 'cut'] as const)('is ended at once by a %s, also while it is being asked', async (how) => {
    const running = await start();
    await own.request(request, never);
    const asked = running.stop('idle', 'ask');
    await running.stop('killed', how);
    await asked;
    expect(closed).toBe(true);
    await expect(own.request(request, never)).rejects.toMatchObject({ code: 'egress_closed' });
    expect(events.filter(({ type }) => type === 'upstream.closed')).toHaveLength(1);
  });

  it('puts the reason of a request on record, without its query', async () => {
    await start();
    await own.explain({ method: 'GET', target: '/a?key=1', reason: 'to see' });
    expect(events.at(-1)).toMatchObject({
      type: 'upstream.reason',
      data: { method: 'GET', path: '/a', reason: 'to see' },
    });
  });
});
