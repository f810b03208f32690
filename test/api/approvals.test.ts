import { afterEach, beforeEach, expect, it } from 'vitest';
import { operatorOf } from '../../src/main/front-ports.ts';
import { request } from '../main/approvals/book-world.ts';
import { makeTerminal, type Terminal } from '../cli/terminal.ts';
import { makeWorld, type World } from './world.ts';

let world: World;
let terminal: Terminal;
beforeEach(async () => {
  world = await makeWorld();
  terminal = makeTerminal(world, {});
});
afterEach(() => world.close());

it('what waits is shown whole: nothing in it is taken for an order to the terminal that hides what stands behind it', async () => {
  const { workspace } = world.services;
  const argumentsText = '{"to":"alice\u009d","cc":"mallory","note":"\u009c","amount":"\u009b1000m1"}';
  const asked = await world.approvals.pass(
    request(
      { workspace },
      {
        subject: 'resource',
        name: 'pay://alice\u001b]/mallory\u0007',
        argumentsText,
        besideText: argumentsText,
      },
    ),
  );
  const shown = (await terminal.run('approval', 'show', asked.id)).stdout;
  const whole = String.raw`{"to":"alice\u009d","cc":"mallory","note":"\u009c","amount":"\u009b1000m1"}`;
  expect(shown.split(whole)).toHaveLength(3);
  for (const text of [shown, (await terminal.run('approval', 'list')).stdout])
    expect(text).toContain(String.raw`pay://alice\u001b]/mallory\u0007`);
  // So is what is on record of it.
  await world.services.audit.append({
    workspace,
    type: 'call.refused',
    actor: { kind: 'token', id: 'tok_1' },
    data: { tool: 'a\u009d', resource: 'mallory\u009c' },
  });
  expect((await terminal.run('audit', 'tail')).stdout).toContain('mallory');
});

it('what waits is listed, shown with its arguments as they were sent, agreed to and taken back', async () => {
  const { workspace } = world.services;
  const { approvals } = world;
  const asked = await approvals.pass(
    request({ workspace }, { argumentsText: '{"id":9007199254740993,"note":"\\u202e"}' }),
  );
  const list = await terminal.run('approval', 'list');
  expect(list.code).toBe(0);
  expect(list.stdout).toMatch(
    new RegExp(`${asked.id} +pending +github merge +agent \\(token:tok_1\\) +0 of 1`),
  );
  const shown = await terminal.run('approval', 'show', asked.id);
  expect(shown.stdout).toContain('{"id":9007199254740993,"note":"\\u202e"}');

  const approved = await terminal.run('approval', 'approve', asked.id, '--for', '2h', '--reason', 'release');
  expect(approved).toMatchObject({ code: 0 });
  expect(approved.stdout).toContain(`Approved: ${asked.id}, github merge.`);
  expect(await world.client.approval(asked.id)).toMatchObject({
    state: 'approved',
    agreed: [
      {
        by: `local:${operatorOf(workspace).actor.id}`,
        reason: 'release',
        scope: { kind: 'minutes', minutes: 120 },
      },
    ],
    grant: { once: false, session: false },
  });
  expect((await terminal.run('approval', 'list')).stdout).toContain('Nothing waits');
  expect((await terminal.run('approval', 'revoke', asked.id, '--json')).stdout).toContain(
    '"state":"revoked"',
  );
  const again = await terminal.run('approval', 'reject', asked.id);
  expect(again).toMatchObject({ code: 1 });
  expect(again.stderr).toContain('waits for no answer: it is revoked');
  expect((await terminal.run('approval', 'list', '--state', 'revoked')).stdout).toContain(asked.id);
});

it('nothing is answered by a GET, and what is wrong is said', async () => {
  const asked = await world.approvals.pass(request({ workspace: world.services.workspace }));
  const got = await world.ask('GET', `/approvals/${asked.id}/answer`);
  expect(got.status).toBe(404);
  await expect(world.client.approval('apr_none')).rejects.toMatchObject({ code: 'approval_not_found' });
  await expect(
    world.client.answerApproval(asked.id, { decision: 'approve', scope: { kind: 'session' } }),
  ).rejects.toMatchObject({ code: 'approval_no_session' });
  for (const argv of [
    ['approve', asked.id, '--for', 'ever'],
    ['list', '--state', 'lost'],
  ])
    expect((await terminal.run('approval', ...argv)).code).toBe(2);
  expect(await world.client.approval(asked.id)).toMatchObject({ state: 'pending', agreed: [] });
});
