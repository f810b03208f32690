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
/** What happens while the server is asked. */
let meanwhile: () => void;

const open = (): KeptDefinitions => {
  const { workspace, store, audit } = world.services;
  const operator = operatorOf(workspace).actor;
  return keptDefinitions({
    workspace,
    operator,
    store,
    audit,
    ask: async () => {
      meanwhile();
      return offers;
    },
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
  meanwhile = () => undefined;
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

  it('have instructions that are told once somebody agreed to them, and as they were then', async () => {
    const { workspace } = world.services;
    const told = (): Promise<string | null> => kept.approvedInstructions(workspace, 'echo');
    const said = offered('instructions', '', '"Be careful."');
    offers = [echo, said];
    await kept.look(row);
    expect(await told()).toBeNull();
    await kept.decide(row, 'approve', [echo]);
    expect(await told()).toBeNull();
    await kept.decide(row, 'approve', [said]);
    expect(await told()).toBe('"Be careful."');
    withhold([offered('instructions', '', '"Be quick."')]);
    await kept.close();
    expect(await told()).toBe('"Be careful."');
    expect(await kept.approvedInstructions('ws_other' as never, 'echo')).toBeNull();
    expect(await kept.approvedInstructions(workspace, 'other')).toBeNull();
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

  it('are the tools that searches find once they are agreed to: the same array until they change', async () => {
    const searched = () => kept.approvedTools(world.services.workspace, 'echo');
    expect(await searched()).toBeNull();
    await kept.look(row);
    expect(await searched()).toBeNull();
    await kept.decide(row, 'approve', [echo]);
    const { name, text, hash } = echo;
    const before = await searched();
    expect(before).toEqual([{ name, text, hash }]);
    // The store changes, and not in what this is about.
    withhold([changed, offered('prompt', 'greet')]);
    await kept.close();
    expect(await searched()).toBe(before);
    await kept.decide(row, 'approve', [changed]);
    expect(await searched()).toEqual([{ name, text: changed.text, hash: changed.hash }]);
    expect(await kept.approvedTools('ws_other' as never, 'echo')).toBeNull();
    expect(await kept.approvedTools(world.services.workspace, 'gone')).toBeNull();
    const another = open();
    await another.decide(row, 'approve', [offered('prompt', 'greet')]);
    const approved = await searched();
    await world.services.store.servers.remove(world.services.workspace, row.id);
    expect(approved).toHaveLength(1);
    await expect.poll(searched, { timeout: 10_000 }).toBeNull();
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

  it('can be agreed to as the server was last asked, whatever agents met before and meanwhile', async () => {
    const other = offered('tool', 'echo', '{"name":"echo","description":"Sends."}');
    withhold([other]);
    meanwhile = () => withhold([offered('tool', 'more')]);
    const { definitions } = await kept.look(row);
    expect(definitions.map(({ kind, name, hash }) => ({ kind, name, hash }))).toEqual(
      expect.arrayContaining([echo, none].map(({ kind, name, hash }) => ({ kind, name, hash }))),
    );
    expect(definitions).toHaveLength(2);
    // What was met is on record, and nothing of it comes after what was shown.
    expect((await world.types()).filter((type) => type === 'definitions.seen')).toHaveLength(2);
    await kept.close();
    await kept.decide(row, 'approve', definitions);
    expect(await states()).toEqual(['tool echo approved']);
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

  it('wait up to so many characters, however few they are', async () => {
    const long = (name: string) =>
      offered('tool', name, JSON.stringify({ name, description: 'x'.repeat(250_000) }));
    offers = [...Array.from({ length: 20 }, (_, at) => long(`t${at}`)), none];
    await kept.look(row);
    expect((await kept.count(row)).withheld).toBe(16);
    withhold(Array.from({ length: 20 }, (_, at) => long(`u${at}`)));
    await kept.close();
    expect((await kept.count(row)).withheld).toBe(16);
  });

  it('that are too deep are never agreed to', async () => {
    const deep = `{"name":"deep","inputSchema":${'['.repeat(5_000)}${']'.repeat(5_000)}}`;
    offers = [offered('tool', 'deep', deep), none];
    const { problem, definitions } = await kept.look(row);
    expect(problem).toMatchObject({ code: 'definition_too_long' });
    expect(definitions.map(({ kind }) => kind)).toEqual(['instructions']);
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
