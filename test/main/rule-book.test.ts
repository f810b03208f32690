import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newId, silentLog, systemClock, systemRandom, type WorkspaceId } from '../../src/kernel/index.ts';
import { policyFile } from '../../src/main/rules/policy-file.ts';
import { type KeptRules, keepRules } from '../../src/main/rules/rule-book.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { deeds } from '../../src/policy/rules/types.ts';
import { call } from '../policy/rules/asking.ts';

const denies = (tool: string): string => `rules: [{ id: no-${tool}, match: { tools: ${tool} }, do: deny }]`;

let folder: string;
let store: Store;
let workspace: WorkspaceId;
let book: KeptRules | null = null;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-rules-'));
  store = await openStore({ path: join(folder, 'sallyport.db'), log: silentLog, clock: systemClock });
  workspace = newId<'workspace'>('ws', systemRandom);
});
afterEach(async () => {
  book?.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const file = (): string => join(folder, 'policy.yaml');
const open = async (): Promise<KeptRules> => {
  book = await keepRules({ workspace, store, file: policyFile(file()), log: silentLog });
  return book;
};
/** As an editor saves it. */
const write = (text: string): void => {
  writeFileSync(`${file()}~`, text);
  renameSync(`${file()}~`, file());
};
const save = (profile: string | null, text: string): Promise<void> =>
  store.policies.save(workspace, { profile, text, updatedAt: systemClock.now(), updatedBy: 'local:0' });

const outcome = async (rules: KeptRules, tool: string, profile: string | null = null): Promise<string> =>
  (await rules.rulesOf(workspace, profile)).decide(call(tool)).outcome;

it('the file, the workspace and the profile hold together, the profile for itself alone', async () => {
  write(denies('one'));
  await save(null, denies('two'));
  await save('dev', denies('three'));
  const rules = await open();
  expect(await Promise.all(['one', 'two', 'three'].map((tool) => outcome(rules, tool, 'dev')))).toEqual([
    'deny',
    'deny',
    'deny',
  ]);
  expect(await Promise.all(['one', 'two', 'three'].map((tool) => outcome(rules, tool, 'ops')))).toEqual([
    'deny',
    'deny',
    'allow',
  ]);
  expect(rules.sources().map(({ origin, profile }) => [origin, profile])).toEqual([
    ['file', null],
    ['workspace', null],
    ['profile', 'dev'],
  ]);
});

it('what is stored holds from the next call on, and for requests at once after settling', async () => {
  const rules = await open();
  const cell = { cell: 'cel_a', workspace, server: 'github', profile: 'dev', owner: null } as never;
  const before = rules.current(cell, []);
  let told = 0;
  rules.onChange(() => (told += 1));
  await save('dev', denies('one'));
  expect(await outcome(rules, 'one', 'dev')).toBe('deny');
  expect(rules.current(cell, [])).not.toBe(before);
  expect(told).toBe(1);
  await store.policies.remove(workspace, 'dev');
  await rules.settle();
  expect(rules.current(cell, []).all).toEqual([]);
  await rules.settle();
  expect(told).toBe(2);
});

it('a cell that serves every profile is held to the rules of each that called it', async () => {
  await save(null, denies('one'));
  await save('dev', denies('two'));
  await save('ops', denies('three'));
  const rules = await open();
  const cell = (profile: string) =>
    ({ cell: 'cel_a', workspace, server: 'github', profile, owner: null }) as never;
  const held = (profile: string, callers: readonly string[]) =>
    rules.current(cell(profile), callers).all.map(({ id }) => id);
  expect(held('', [])).toEqual(['no-one']);
  expect(held('', ['dev'])).toEqual(['no-one', 'no-two']);
  expect(held('', ['ops', 'dev', 'other'])).toEqual(['no-one', 'no-two', 'no-three']);
  expect(held('dev', ['ops'])).toEqual(['no-one', 'no-two']);
});

it('the file is read when it changes', async () => {
  const rules = await open();
  write(denies('one'));
  await expect.poll(() => outcome(rules, 'one'), { timeout: 10_000 }).toBe('deny');
  rmSync(file());
  await expect.poll(() => outcome(rules, 'one'), { timeout: 10_000 }).toBe('allow');
});

it('a file that is being saved is read once it stays as it is', async () => {
  const whole = `${denies('one')}\n`;
  const states: (string | null)[] = ['1 whole'];
  const texts = new Map([
    ['1 whole', whole],
    ['2 half', 'default: allow\n'],
    ['3 anew', `default: allow\n${whole}`],
  ]);
  let now: string | null = null;
  const saved = {
    state: () => (now = states.length > 1 ? (states.shift() ?? null) : (states[0] ?? null)),
    read: () => texts.get(now ?? '') ?? '',
  };
  book = await keepRules({ workspace, store, file: saved, log: silentLog });
  const seen: string[] = [];
  book.onChange(() => void outcome(book as KeptRules, 'one').then((one) => seen.push(one)));
  expect(await outcome(book, 'one')).toBe('deny');
  // Moved away, half of it written, then all.
  states.splice(0, 1, null, '2 half', '3 anew');
  await book.settle();
  expect(await outcome(book, 'one')).toBe('deny');
  expect(book.sources()[0]?.text).toBe(texts.get('3 anew'));
  states.splice(0, 1, null);
  await book.settle();
  expect(await outcome(book, 'one'), 'the control: it is gone').toBe('allow');
  expect(seen).toEqual(['deny', 'allow']);
});

it('rules that cannot be read refuse everything, or what held before goes on', async () => {
  write('rules: [{ id: x, do: denny }]');
  const rules = await open();
  const refused = (await rules.rulesOf(workspace, null)).decide(call('any'));
  expect(refused.outcome).toBe('deny');
  expect(refused.decisive?.rule.message).toContain('policy.yaml:1:22: "denny" is not a choice here');
  write(denies('one'));
  await rules.settle();
  expect([await outcome(rules, 'one'), await outcome(rules, 'any')]).toEqual(['deny', 'allow']);
  write('rules: [');
  await rules.settle();
  expect([await outcome(rules, 'one'), await outcome(rules, 'any')]).toEqual(['deny', 'allow']);
  expect(rules.sources()[0]?.errors).toHaveLength(1);
});

it('every action is carried out, wherever the rule comes from', async () => {
  const actions = deeds.map((deed, n) => {
    const needed: Readonly<Record<string, string>> = {
      limit: ', limit: { calls: 1, per: minute }',
      mask: ', mask: { keys: [a] }',
    };
    return `  - { id: r${n}, match: { tools: none }, do: ${deed}${needed[deed] ?? ''} }`;
  });
  await save(null, ['rules:', ...actions].join('\n'));
  const rules = await open();
  expect(rules.sources()[0]?.errors.filter(({ code }) => code === 'policy_action_unsupported')).toEqual([]);
});
