/** What is in reach of the kill switch: from when a request comes in until it leaves, however either happens. */
import { expect, it } from 'vitest';
import { AppError } from '../../src/kernel/index.ts';
import type { CallRefusal } from '../../src/mcp/index.ts';
import { KillReach } from '../../src/mcp/gate/kill-reach.ts';
import { RequestControl } from '../../src/mcp/client/request-control.ts';
import type { Soon } from '../../src/mcp/soon.ts';
import { echoServer as server, principal as principalOf } from './harness.ts';

const principal = principalOf('tok_ada', 'p');
const target = { principal, profile: 'p', server };
const stopped = (): AppError => new AppError('kill_active', 'stopped', { kind: 'denied' });

function world(mayGo: () => Soon<void>, check: () => Promise<void> = async () => undefined) {
  const refused: CallRefusal[] = [];
  let looks = 0;
  let set = (): void => undefined;
  const reach = new KillReach(
    {
      kills: {
        check() {
          looks += 1;
          return check();
        },
        isStopped: async () => false,
        onKill(listener) {
          set = listener;
          return () => undefined;
        },
      },
      audit: { refused: async (refusal) => void refused.push(refusal) },
    },
    { mayGo, callerMayGo: mayGo },
  );
  return { reach, refused, looks: () => looks, set: () => set() };
}

it('what could not be looked at when it came in is not in it', () => {
  const { reach, set, looks } = world(() => {
    throw new Error('no revision');
  });
  set();
  expect(() => reach.enter(target, new RequestControl())).toThrow('no revision');
  set();
  expect(looks()).toBe(0);
});

it('what has left is not in it, and what has not is', () => {
  const { reach, set, looks } = world(() => undefined);
  const [gone] = [reach.enter(target, new RequestControl()), reach.enter(target, new RequestControl())];
  reach.leave(gone);
  set();
  expect(looks()).toBe(1);
});

it.each([
  ['a switch covers', stopped(), 'kill_active'],
  ['nobody can look at', new Error('the store is gone'), 'kill_unknown'],
])('what %s ends', async (_, error, code) => {
  const { reach, set } = world(
    () => undefined,
    () => Promise.reject(error),
  );
  const control = new RequestControl();
  reach.enter(target, control);
  set();
  await expect.poll(() => control.ended?.code, { timeout: 10_000 }).toBe(code);
});

it.each([
  [{ subject: 'tool', name: 'add' }, { tool: 'add' }],
  [
    { subject: 'prompt', name: 'greet' },
    { tool: null, prompt: 'greet' },
  ],
  [
    { subject: 'resource', name: 'a://b' },
    { tool: null, resource: 'a://b' },
  ],
] as const)('%o that is refused is on record', async (about, recorded) => {
  const { reach, refused } = world(() => Promise.reject(stopped()));
  await expect(reach.check(target, about)).rejects.toMatchObject({ code: 'kill_active' });
  await expect(reach.checkCaller(principal, 'p', about)).rejects.toMatchObject({ code: 'kill_active' });
  await expect(reach.check(target, null)).rejects.toMatchObject({ code: 'kill_active' });
  const whose = { principal, profile: 'p', code: 'kill_active', ...recorded };
  expect(refused).toEqual([
    { ...whose, server: 'echo' },
    { ...whose, server: null },
  ]);
});
