/** Calls on a front over the real store and rules: what is changed while calls are made holds from the next one on, whoever changed it. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  AppError,
  type CellId,
  type ProfileId,
  silentLog,
  systemClock,
  systemRandom,
} from '../../src/kernel/index.ts';
import { killSwitch, revisionOf, upstreams } from '../../src/main/front-ports.ts';
import { policyFile } from '../../src/main/rules/policy-file.ts';
import { type KeptRules, keepRules } from '../../src/main/rules/rule-book.ts';
import type { Services } from '../../src/main/services.ts';
import { createFront, type Front, type Principal, type UpstreamTransport } from '../../src/mcp/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { row } from './cell-world.ts';
import { type TemporaryHome, temporaryHome } from './temporary-home.ts';

const echo: UpstreamTransport = {
  kind: 'service',
  cell: 'cell_echo' as CellId,
  exited: new Promise(() => undefined),
  close: async () => undefined,
  service: {
    info: { name: 'echo', version: '1.0.0' },
    tools: async () => ['{"name":"echo","inputSchema":{"type":"object"}}'],
    call: async () => '{"content":[]}',
    templates: [],
    read: () => null,
  },
};

let home: TemporaryHome;
let services: Services;
let others: Store;
let rules: KeptRules;
let front: Front;
let principal: Principal;

beforeEach(async () => {
  home = await temporaryHome();
  services = await home.services();
  const { store, workspace } = services;
  others = await openStore({
    path: join(home.config.home, 'sallyport.db'),
    log: silentLog,
    clock: systemClock,
    mustExist: true,
  });
  rules = await keepRules({
    workspace,
    store,
    file: policyFile(join(home.folder, 'policy.yaml')),
    log: silentLog,
  });
  principal = { workspace, actor: { kind: 'token', id: 'tok_1' }, profile: 'dev', agent: 'test' };
  await store.servers.insert(workspace, row('echo'));
  await store.profiles.insert(workspace, dev('*'));
  const done = async (): Promise<void> => undefined;
  front = createFront({
    revision: revisionOf(store, rules),
    upstreams: upstreams(services, { open: () => echo }, silentLog),
    kills: killSwitch(services, new Set()),
    rules,
    audit: { started: done, finished: done, refused: done, masked: done, alerted: done },
    definitions: {
      judge: async () => () => 'approved',
      approvedTools: async () => null,
      approvedInstructions: async () => null,
      withheld: () => undefined,
      onApproved: () => () => undefined,
    },
    limits: {
      used: async () => new Map(),
      take: async () => ({ ok: true, end: () => undefined }),
    },
    approvals: {
      pass: async () => ({ state: 'rejected', id: '', address: null }),
      waits: async () => false,
      onChange: () => () => undefined,
    },
    masks: { maskersOf: async () => ({ whole: null, placed: null }), close: () => undefined },
    authenticate: () => principal,
    standing: { until: async () => Infinity, onChange: () => () => undefined },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    config: {
      allowedHosts: [],
      allowedOrigins: [],
      publicUrl: null,
      authorizationServers: [],
      holdMs: 0,
      version: '0.0.0',
    },
  });
});
afterEach(async () => {
  await front.close();
  rules.close();
  await others.close();
  await services.close();
  home.remove();
});

const dev = (tools: readonly string[] | '*') => ({
  id: 'prf_dev' as ProfileId,
  name: 'dev',
  entries: [{ server: 'echo', tools }],
  options: {},
  createdAt: 0,
  updatedAt: 0,
});
const outcome = (): Promise<string> =>
  front.callTool(principal, 'dev', 'echo', 'echo', '{}').then(
    () => 'ok',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );
const settled = (code: string) => expect.poll(outcome, { timeout: 10_000 }).toBe(code);
const kill = { scope: 'token', target: 'tok_1', reason: 'test', by: 'local:0', at: 0 } as const;
const denies = 'rules: [{ id: no-echo, match: { tools: echo }, do: deny }]';

it('a kill switch of this process, and its end', async () => {
  const { store, workspace } = services;
  expect([await outcome(), await outcome()]).toEqual(['ok', 'ok']);
  await store.kills.set(workspace, kill);
  expect(await outcome()).toBe('kill_active');
  await store.kills.lift(workspace, 'token', 'tok_1');
  expect(await outcome()).toBe('ok');
});

it('a kill switch of another process, and its end', async () => {
  expect([await outcome(), await outcome()]).toEqual(['ok', 'ok']);
  await others.kills.set(services.workspace, { ...kill, scope: 'server', target: 'echo' });
  await settled('kill_active');
  await others.kills.lift(services.workspace, 'server', 'echo');
  await settled('ok');
});

it('rules of the store, and rules of a file', async () => {
  const { store, workspace } = services;
  expect([await outcome(), await outcome()]).toEqual(['ok', 'ok']);
  const save = (text: string) =>
    store.policies.save(workspace, {
      profile: 'dev',
      text,
      updatedAt: systemClock.now(),
      updatedBy: 'local:0',
    });
  await save(denies);
  expect(await outcome()).toBe('policy_denied');
  await save('rules: []');
  expect(await outcome()).toBe('ok');
  writeFileSync(join(home.folder, 'policy.new'), denies);
  renameSync(join(home.folder, 'policy.new'), join(home.folder, 'policy.yaml'));
  await settled('policy_denied');
});

it('the choice of tools, a server that is switched off, and a profile that is gone', async () => {
  const { store, workspace } = services;
  expect([await outcome(), await outcome()]).toEqual(['ok', 'ok']);
  await store.profiles.update(workspace, dev([]));
  expect(await outcome()).toBe('tool_not_selected');
  await store.profiles.update(workspace, dev('*'));
  expect(await outcome()).toBe('ok');
  const found = await store.servers.findBySlug(workspace, 'echo');
  if (found === null) throw new Error('it was inserted');
  await store.servers.update(workspace, { ...found, enabled: false });
  expect(await outcome()).toBe('mcp_server_unknown');
  await store.profiles.remove(workspace, dev('*').id);
  expect(await outcome()).toBe('mcp_profile_unknown');
});
