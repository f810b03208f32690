/** What servers offer, kept in a real store: what waits, what is agreed to, and who is told. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ServerRow } from '../../src/api/index.ts';
import { limits, silentLog, systemClock } from '../../src/kernel/index.ts';
import { type KeptDefinitions, keptDefinitions } from '../../src/main/definitions.ts';
import { operatorOf } from '../../src/main/front-ports.ts';
import type { SeenDefinition } from '../../src/mcp/index.ts';
import { makeWorld, manifest, offered, type World } from '../api/world.ts';

let world: World;
let kept: KeptDefinitions;
let offers: readonly SeenDefinition[];
let row: ServerRow;

const open = (): KeptDefinitions => {
  const { workspace, store, audit } = world.services;
  const operator = operatorOf(workspace).actor;
  return keptDefinitions({
    workspace,
    operator,
    store,
    audit,
    ask: async () => offers,
    clock: systemClock,
    log: silentLog,
  });
};
const verdict = async (seen: SeenDefinition, of = kept) =>
  (await of.judge(world.services.workspace, 'echo'))(seen);
const withhold = (seen: readonly SeenDefinition[]) => kept.withheld(world.services.workspace, 'echo', seen);
const states = async () =>
  (await kept.view(row)).definitions.map(({ kind, name, state }) => `${kind} ${name} ${state}`);

const echo = offered('tool', 'echo');
const changed = offered('tool', 'echo', '{"name":"echo","description":"Does more."}');
const none = offered('instructions', '');

beforeEach(async () => {
  world = await makeWorld();
  const { workspace, store } = world.services;
  await world.client.addServer({ source: './echo.json', manifest: manifest() }, () => undefined);
  const found = await store.servers.findBySlug(workspace, 'echo');
  if (found === null) throw new Error('it was added');
  row = found;
  kept = open();
  offers = [echo, none];
});
afterEach(async () => {
  await kept.close();
  await world.close();
});

describe('definitions', () => {
  it('are nobody agreed to, until somebody does to all that was seen', async () => {
    expect(await verdict(echo)).toBe('unseen');
    const { definitions, looked } = await kept.look(row);
    expect(looked).toBe(false);
    expect(await verdict(echo)).toBe('unseen');
    await kept.decide(row, 'approve', definitions);
    expect(await verdict(echo)).toBe('approved');
    expect(await verdict(changed)).toBe('changed');
    expect(await verdict(offered('tool', 'other'))).toBe('new');
    expect(await verdict(offered('instructions', '', '"Do it."'))).toBe('changed');
  });

  it('are told to who listens when they are agreed to, by another process too', async () => {
    const told: string[] = [];
    kept.onApproved((slug) => void told.push(slug));
    await verdict(echo);
    const another = open();
    await another.look(row);
    expect(told).toEqual([]);
    await another.decide(row, 'approve', [echo]);
    await expect.poll(() => verdict(echo), { timeout: 10_000 }).toBe('approved');
    await kept.settle();
    expect(told).toEqual(['echo']);
    await kept.settle();
    expect(told).toEqual(['echo']);
  });

  it('cannot be agreed to as what they are not any more', async () => {
    await kept.look(row);
    offers = [changed, none];
    await kept.look(row);
    await expect(kept.decide(row, 'approve', [echo])).rejects.toMatchObject({
      code: 'definition_not_waiting',
    });
    await expect(kept.decide(row, 'approve', [offered('tool', 'other')])).rejects.toMatchObject({
      code: 'definition_not_waiting',
    });
    expect(await verdict(echo)).toBe('unseen');
  });

  it('wait once where agents meet them, whatever how often, and each is on record', async () => {
    await kept.look(row);
    await kept.decide(row, 'approve', [echo]);
    for (let times = 0; times < 20; times += 1) withhold([changed]);
    await kept.close();
    withhold([changed]);
    await kept.close();
    expect(await states()).toEqual(['tool echo approved', 'tool echo changed']);
    expect((await world.types()).filter((type) => type === 'definitions.seen')).toHaveLength(2);
  });

  it('wait no more when the server offers what was agreed to again', async () => {
    await kept.look(row);
    await kept.decide(row, 'approve', [echo]);
    offers = [changed, offered('tool', 'more'), none];
    await kept.look(row);
    expect(await states()).toEqual(['tool echo approved', 'tool echo changed', 'tool more new']);
    offers = [echo, none];
    await kept.look(row);
    expect(await states()).toEqual(['tool echo approved']);
  });

  it('are kept up to a number, however many a server makes up', async () => {
    const many = Array.from({ length: limits.definitionsPendingMax + 50 }, (_, at) =>
      offered('tool', `t${at}`),
    );
    withhold(many);
    await kept.close();
    withhold(Array.from({ length: 50 }, (_, at) => offered('tool', `u${at}`)));
    await kept.close();
    expect(await kept.count(row)).toEqual({
      looked: false,
      approved: 0,
      withheld: limits.definitionsPendingMax,
    });
  });

  it('that are too long are never agreed to, and it says so', async () => {
    offers = [
      offered('tool', 'long', JSON.stringify({ name: 'long', description: 'x'.repeat(300_000) })),
      none,
    ];
    const { problem, definitions } = await kept.look(row);
    expect(problem).toMatchObject({ code: 'definition_too_long' });
    expect(definitions.map(({ kind }) => kind)).toEqual(['instructions']);
  });

  it('are turned down for good, and can be agreed to later', async () => {
    await kept.look(row);
    await kept.decide(row, 'reject', [echo]);
    await kept.look(row);
    expect(await states()).toEqual(['instructions  new', 'tool echo rejected']);
    await kept.decide(row, 'approve', [echo]);
    expect(await verdict(echo)).toBe('approved');
  });

  it('of a server that is gone are not those of the next of its name', async () => {
    withhold([echo]);
    await world.client.removeServer('echo');
    await world.client.addServer({ source: './echo.json', manifest: manifest() }, () => undefined);
    await kept.close();
    const next = await world.services.store.servers.findBySlug(world.services.workspace, 'echo');
    expect(next === null ? null : await kept.count(next)).toEqual({
      looked: false,
      approved: 0,
      withheld: 0,
    });
  });
});
