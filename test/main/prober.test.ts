/** What a stored server's probe is made of, and that a kill switch stops one that is under way. */
import { describe, expect, it } from 'vitest';
import type { ServerRow } from '../../src/api/index.ts';
import type { ProbeSpec } from '../../src/egress/index.ts';
import { AppError, type Json, newId, systemRandom } from '../../src/kernel/index.ts';
import { createProber } from '../../src/main/prober.ts';
import { operatorOf } from '../../src/main/front-ports.ts';

const operator = operatorOf(newId<'workspace'>('wsp', systemRandom));
const stopped = new AppError('kill_active', 'Stopped.', { kind: 'denied' });
const never = new AbortController().signal;
const quiet = (): void => undefined;

const row = (over: Record<string, Json> = {}): ServerRow => ({
  id: newId<'server'>('srv', systemRandom),
  slug: 'echo',
  manifest: {
    schemaVersion: 2,
    name: 'echo',
    version: '1.0.0',
    server: { kind: 'sandboxed', command: ['node', '/srv/echo.mjs'] },
    egress: [{ host: 'api.test.example', methods: ['GET'] }],
    credentials: [
      {
        name: 'SEALED',
        env: 'SEALED',
        placeholder: 'key_{hex:32}',
        hosts: ['api.test.example'],
        paths: ['/v1'],
        inject: [{ query: 'key' }],
      },
      { name: 'ENTRUSTED', tier: 'entrusted', env: 'ENTRUSTED', hosts: ['api.test.example'] },
    ],
    ...over,
  },
  manifestHash: 'h',
  source: 'echo.json',
  package: null,
  enabled: true,
  createdAt: 1,
  updatedAt: 1,
});

/** A switch that tests set, and an egress that does as it is told. */
function setUp(run: (spec: ProbeSpec, signal: AbortSignal) => Promise<void> = async () => undefined) {
  const listeners = new Set<() => void>();
  const state = { killed: false, listeners, specs: [] as ProbeSpec[] };
  const prober = createProber({
    operator,
    egress: {
      async probe(spec, _tell, signal) {
        state.specs.push(spec);
        await run(spec, signal);
        signal.throwIfAborted();
        return [];
      },
    },
    kills: {
      async check(principal, server) {
        expect([principal, server]).toEqual([operator, 'echo']);
        if (state.killed) throw stopped;
      },
      onKill(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    random: systemRandom,
  });
  return {
    state,
    prober,
    kill: (): void => {
      state.killed = true;
      for (const listener of listeners) listener();
    },
  };
}

describe('a prober', () => {
  it('asks where the manifest lets the sealed credentials go, with values that look like them', async () => {
    const { prober, state } = setUp();
    await prober.probe(row(), { path: '/v1/me', post: true, hosts: undefined }, quiet, never);
    const [spec] = state.specs;
    expect(spec).toMatchObject({
      workspace: operator.workspace,
      server: 'echo',
      actor: operator.actor,
      rules: [{ host: 'api.test.example', port: 443, protocol: 'https', methods: ['GET'] }],
      credentials: [
        { name: 'SEALED', hosts: ['api.test.example'], paths: ['/v1'], inject: [{ query: 'key' }] },
      ],
    });
    expect(spec?.credentials).toHaveLength(1);
    expect(spec?.options).toEqual({ path: '/v1/me', post: true });
    const values = Array.from({ length: 8 }, () => spec?.canary('SEALED') ?? '');
    for (const value of values) expect(value).toMatch(/^key_[0-9a-f]{32}$/);
    expect(new Set(values).size).toBe(8);
  });

  it('asks a server elsewhere at its own address, and with what stands for the token of a login', async () => {
    const { prober, state } = setUp();
    const remote = (credentials: readonly Json[]): ServerRow =>
      row({
        server: { kind: 'remote', url: 'https://api.test.example/mcp?team=1' },
        egress: [{ host: 'api.test.example' }],
        credentials: [...credentials],
      });
    const key = {
      name: 'KEY',
      hosts: ['api.test.example'],
      inject: [{ header: 'Authorization', format: '{token}' }],
    };
    for (const one of [remote([]), remote([key])]) await prober.probe(one, {}, quiet, never);
    expect(
      state.specs.map(({ home, credentials }) => [home?.href, credentials.map(({ name }) => name)]),
    ).toEqual([
      ['https://api.test.example/mcp?team=1', ['OAUTH_ACCESS_TOKEN']],
      ['https://api.test.example/mcp?team=1', ['KEY']],
    ]);
    expect(state.specs[0]?.credentials[0]).toMatchObject({
      hosts: ['api.test.example'],
      ports: [443],
      inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
    });
    expect(state.specs[0]?.canary('OAUTH_ACCESS_TOKEN').length).toBeGreaterThan(15);
    const api = row({ server: { kind: 'api', baseUrl: 'https://api.test.example/v1' }, credentials: [] });
    await prober.probe(api, {}, quiet, never);
    expect(state.specs[2]).toMatchObject({ home: new URL('https://api.test.example/v1'), credentials: [] });
  });

  it('asks nothing while a kill switch is set', async () => {
    const { prober, state, kill } = setUp();
    kill();
    await expect(prober.probe(row(), {}, quiet, never)).rejects.toBe(stopped);
    expect([state.specs, state.listeners.size]).toEqual([[], 0]);
  });

  it('is cut off by one that is set meanwhile, and by nothing else', async () => {
    const cut = Promise.withResolvers<void>();
    const { prober, state, kill } = setUp(async (_, signal) => {
      for (const listener of state.listeners) listener(); // another server's switch
      await new Promise((done) => setImmediate(done));
      expect(signal.aborted).toBe(false);
      signal.addEventListener('abort', () => cut.resolve(), { once: true });
      kill();
      await cut.promise;
    });
    await expect(prober.probe(row(), {}, quiet, never)).rejects.toBe(stopped);
    expect(state.listeners.size).toBe(0);
  });

  it('ends when nobody waits for it', async () => {
    const gone = new AbortController();
    const { prober } = setUp(async () => gone.abort(stopped));
    await expect(prober.probe(row(), {}, quiet, gone.signal)).rejects.toBe(stopped);
  });

  it('asks nothing for a manifest that is none any more', async () => {
    const { prober, state } = setUp();
    const broken = row({ egress: [{ host: '*' }] });
    await expect(prober.probe(broken, {}, quiet, never)).rejects.toMatchObject({
      code: 'server_manifest_invalid',
    });
    expect(state.specs).toEqual([]);
  });
});
