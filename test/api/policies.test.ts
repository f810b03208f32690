import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeWorld, manifest, type World } from './world.ts';

const DENY =
  'rules:\n  - { id: no-write, match: { servers: echo, tools: write }, do: deny, message: Not here }\n';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
  await world.client.addServer({ source: 'echo.json', manifest: manifest() }, () => undefined);
});
afterEach(() => world.close());

it('rules are checked, applied, shown, explained and removed, each change on record', async () => {
  const { client } = world;
  expect(await client.checkPolicy({ text: DENY })).toMatchObject({ ok: true, rules: 1, errors: [] });
  await client.applyPolicy({ text: DENY });
  expect(await client.policies()).toMatchObject([
    { origin: 'workspace', profile: null, text: DENY, errors: [] },
  ]);
  expect(await client.explainPolicy({ server: 'echo', name: 'write' })).toMatchObject({
    outcome: 'deny',
    rule: 'no-write',
    code: 'policy_denied',
    message: 'Not here. Rule: no-write.',
    rules: [{ id: 'no-write', look: 'matched', line: 2, file: 'workspace' }],
  });
  expect(await client.explainPolicy({ server: 'echo', name: 'read' })).toMatchObject({
    outcome: 'allow',
    message: null,
    rules: [{ look: 'match' }],
  });
  expect(await client.explainPolicy({ server: 'echo', name: 'read', text: 'default: deny' })).toMatchObject({
    outcome: 'deny',
    code: 'policy_default_denied',
  });
  await client.removePolicy(null);
  expect(await client.policies()).toEqual([]);
  await expect(client.removePolicy(null)).rejects.toMatchObject({ code: 'policy_not_found' });
  const types = await world.types();
  expect(types.filter((type) => type.startsWith('policy.'))).toEqual(['policy.changed', 'policy.removed']);
});

it('the rules of a profile go with it', async () => {
  const { client } = world;
  await client.setProfile('dev', [{ server: 'echo', tools: '*' }]);
  await client.applyPolicy({ text: DENY, profile: 'dev' });
  const outcome = async (profile: string | null) =>
    (await client.explainPolicy({ server: 'echo', name: 'write', profile })).outcome;
  expect([await outcome('dev'), await outcome(null)]).toEqual(['deny', 'allow']);
  await client.deleteProfile('dev');
  expect(await client.policies()).toEqual([]);
  await client.setProfile('dev', [{ server: 'echo', tools: '*' }]);
  expect(await outcome('dev')).toBe('allow');
});

it('what is wrong is told with its place, and nothing is changed', async () => {
  const { client } = world;
  const text = 'rules:\n  - { id: one, match: { servers: eco }, do: deny }\n';
  expect(await client.checkPolicy({ text, file: 'my.yaml' })).toMatchObject({
    ok: false,
    errors: [{ file: 'my.yaml', line: 2, column: 34, code: 'policy_unknown_server' }],
  });
  await expect(client.applyPolicy({ text })).rejects.toMatchObject({
    code: 'policy_unknown_server',
    message: 'Line 2, column 34: there is no server "eco"; did you mean "echo"?.',
  });
  await expect(client.applyPolicy({ text: DENY, profile: 'nobody' })).rejects.toMatchObject({
    code: 'profile_not_found',
  });
  await expect(client.explainPolicy({ server: 'nobody', name: 'x' })).rejects.toMatchObject({
    code: 'server_not_found',
  });
  expect(await client.policies()).toEqual([]);
});

it('templates are listed, and the example of each that can be carried out here can be applied as it is', async () => {
  const templates = await world.client.policyTemplates();
  expect(templates.length).toBeGreaterThanOrEqual(30);
  const applied: string[] = [];
  for (const { name, example } of templates) {
    const { ok, errors } = await world.client.checkPolicy({
      text: `rules:\n${example.replace(/^/gm, '  ')}\n`,
    });
    if (ok) applied.push(name);
    else
      expect(errors.map(({ code }) => code)).toEqual([
        expect.stringMatching(/^policy_(?:action_unsupported|unknown_tool)$/),
      ]);
  }
  expect(applied.length).toBeGreaterThanOrEqual(30);
});
