/**
 * Random lives of approvals against a reference model. What happens at once, on two processes, must come out as it would in
 * some order one after the other; and whatever the order: no use without enough people whose agreements hold, none by whoever
 * asked, none of another request, none more than was agreed to. Who is who changes on the way.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { isAppError } from '../../../src/kernel/index.ts';
import type { Answer, ApprovalBook } from '../../../src/main/approvals/approval-book.ts';
import type { ApprovalScope, People } from '../../../src/policy/index.ts';
import type { ApprovalRepository } from '../../../src/store/index.ts';
import { type BookWorld, bookWorld, request } from './book-world.ts';

const HOUR = 3_600_000;
const REQUESTERS = ['token:a', 'token:b'] as const;
const PEOPLE = ['local:1', 'user:x', 'user:y', 'token:a'] as const;

/** Who is who, as it may be at a time: what is not here is themselves, and null is nobody. */
type Names = Readonly<Record<string, string | null>>;
const NAMES: readonly Names[] = [
  {},
  { 'local:1': 'user:p', 'user:x': 'user:p' },
  { 'user:y': null },
  { 'token:b': 'user:y' },
  { 'token:a': null, 'local:1': 'user:x' },
];
const personIn = (names: Names, account: string): string | null => {
  const named = names[account];
  return named === undefined ? account : named;
};
const peopleIn = (names: Names): People => ({
  areNamed: true,
  personOf: (account) => personIn(names, account),
  behind: (requester) => [personIn(names, requester) ?? []].flat(),
});

type Call = {
  readonly op: 'call';
  readonly by: number;
  readonly what: number;
  readonly session: string | null;
  readonly process: number;
};
type Said = {
  readonly op: 'say';
  readonly decision: Answer['decision'];
  readonly which: number;
  readonly by: number;
  readonly scope: ApprovalScope;
  readonly process: number;
};
type Step =
  | { readonly op: 'batch'; readonly ops: readonly (Call | Said)[] }
  | { readonly op: 'wait'; readonly ms: number }
  | { readonly op: 'rename'; readonly to: number }
  | { readonly op: 'restart'; readonly process: number };

const process = fc.nat(1);
const call: fc.Arbitrary<Call> = fc.record({
  op: fc.constant('call' as const),
  by: fc.nat(1),
  what: fc.nat(1),
  session: fc.constantFrom(null, 's1', 's2'),
  process,
});
const said: fc.Arbitrary<Said> = fc.record({
  op: fc.constant('say' as const),
  decision: fc.constantFrom(
    'approve' as const,
    'approve' as const,
    'approve' as const,
    'reject' as const,
    'revoke' as const,
  ),
  which: fc.nat(5),
  by: fc.nat(PEOPLE.length - 1),
  scope: fc.constantFrom<ApprovalScope>(
    { kind: 'once' },
    { kind: 'session' },
    { kind: 'minutes', minutes: 90 },
  ),
  process,
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant('batch' as const),
      ops: fc.array(fc.oneof(call, said), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('wait' as const),
      ms: fc.constantFrom(60_000, 11 * 60_000, HOUR, 25 * HOUR),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('restart' as const), process }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('rename' as const), to: fc.nat(NAMES.length - 1) }),
  },
);

interface Modelled {
  readonly of: string;
  readonly requester: string;
  readonly session: string | null;
  state: string;
  askUntil: number;
  /** By account. */
  agreed: Map<string, { readonly person: string; readonly scope: ApprovalScope; readonly at: number }>;
  rejectedAt: number;
  once: boolean;
  bound: boolean;
  until: number;
}
type Model = Map<string, Modelled>;

const copyOf = (model: Model): Model =>
  new Map([...model].map(([id, one]) => [id, { ...one, agreed: new Map(one.agreed) }]));

interface Outcome {
  readonly op: Call | Said;
  /** Of an answer, the approval that it was about. */
  readonly id: string;
  readonly result: string;
}

interface Now {
  readonly people: number;
  readonly at: number;
  readonly names: Names;
}

/** How many people agree to it, by who is who now. */
function agreeing(
  { agreed, requester }: Modelled,
  { names, at }: Now,
): Map<string, { scope: ApprovalScope }> {
  const asks = personIn(names, requester);
  return new Map(
    [...agreed].filter(
      ([account, one]) =>
        asks !== null &&
        account !== requester &&
        personIn(names, account) === one.person &&
        one.person !== asks &&
        (one.scope.kind !== 'minutes' || at < one.at + one.scope.minutes * 60_000),
    ),
  );
}

/** Whether this outcome may come next; the model is then as it is after it. */
function follows(model: Model, state: Now, { op, id, result }: Outcome): boolean {
  const { at: now, people } = state;
  for (const one of model.values()) {
    if (one.state === 'pending' && now >= one.askUntil) one.state = 'expired';
    if (one.state === 'approved' && now >= one.until) one.state = 'expired';
  }
  if (op.op === 'say') return follow(model.get(id), op, state, result);
  const requester = REQUESTERS[op.by] ?? '';
  const of = `${requester} ${op.what}`;
  const mine = [...model].filter(([, one]) => one.of === of);
  const usable = mine.filter(
    ([, one]) =>
      one.state === 'approved' &&
      (!one.bound || one.session === op.session) &&
      agreeing(one, state).size >= people,
  );
  if (usable.length > 0) {
    const used = usable.find(([name]) => name === id)?.[1];
    if (used === undefined || result !== 'granted') return false;
    if (used.once) used.state = 'executed';
    return true;
  }
  const waits = mine.find(([, one]) => one.state === 'pending');
  if (waits !== undefined) return result === 'pending' && waits[0] === id;
  const rejected = mine.filter(([, one]) => one.state === 'rejected' && now < one.rejectedAt + 10 * 60_000);
  if (rejected.length > 0) return result === 'rejected' && rejected.some(([name]) => name === id);
  if (result !== 'pending' || model.has(id)) return false;
  model.set(id, {
    of,
    requester,
    session: op.session,
    state: 'pending',
    askUntil: now + HOUR,
    agreed: new Map(),
    rejectedAt: 0,
    once: false,
    bound: false,
    until: 0,
  });
  return true;
}

function follow(one: Modelled | undefined, op: Said, state: Now, result: string): boolean {
  const { at: now, people, names } = state;
  if (one === undefined) return result === 'approval_not_found';
  const by = PEOPLE[op.by] ?? '';
  if (op.decision === 'revoke') {
    if (one.state !== 'pending' && one.state !== 'approved') return result === 'approval_not_open';
    one.state = 'revoked';
    return result === 'revoked';
  }
  if (one.state !== 'pending') return result === 'approval_not_pending';
  if (op.decision === 'reject') {
    one.state = 'rejected';
    one.rejectedAt = now;
    return result === 'rejected';
  }
  if (by === one.requester) return result === 'approval_own_request';
  const person = personIn(names, by);
  const asks = personIn(names, one.requester);
  if (person === null) return result === 'approval_person_unknown';
  if (asks === null) return result === 'approval_requester_unknown';
  if (person === asks) return result === 'approval_own_request';
  const standing = new Set(agreeing(one, state).keys());
  const agreed = new Map([...one.agreed].filter(([account]) => standing.has(account)));
  if ([...agreed.values()].some((other) => other.person === person))
    return result === 'approval_already_agreed';
  if (op.scope.kind === 'session' && one.session === null) return result === 'approval_no_session';
  agreed.set(by, { person, scope: op.scope, at: now });
  one.agreed = agreed;
  if (agreed.size < people) return result === 'pending';
  const all = [...agreed.values()];
  one.state = 'approved';
  one.once = all.some(({ scope }) => scope.kind === 'once');
  one.bound = all.some(({ scope }) => scope.kind === 'session');
  const until = { once: now + HOUR, session: now + 24 * HOUR };
  one.until = Math.min(
    ...all.map(({ scope, at }) =>
      scope.kind === 'minutes' ? at + scope.minutes * 60_000 : until[scope.kind],
    ),
  );
  return result === 'approved';
}

const textOf = (model: Model): string =>
  JSON.stringify(
    [...model]
      .map(([id, one]) => [id, { ...one, agreed: [...one.agreed] }] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );

/** All orders of a few. */
function ordersOf<T>(list: readonly T[]): readonly (readonly T[])[] {
  if (list.length < 2) return [list];
  return list.flatMap((first, at) =>
    ordersOf(list.filter((_, other) => other !== at)).map((rest) => [first, ...rest]),
  );
}

async function perform(
  world: BookWorld,
  books: readonly ApprovalBook[],
  ids: readonly string[],
  people: number,
  op: Call | Said,
): Promise<Outcome> {
  const book = books[op.process];
  if (book === undefined) throw new Error('no such process');
  if (op.op === 'call') {
    const [kind, id = ''] = (REQUESTERS[op.by] ?? '').split(':');
    expect(kind).toBe('token');
    const asked = request(world, {
      principal: { workspace: world.workspace, actor: { kind: 'token', id }, profile: 'p', agent: 'x' },
      argumentsText: `{"n":${op.what}}`,
      session: op.session,
      ask: { people, expireMinutes: 60, justification: false },
    });
    const { state, id: approval } = await book.pass(asked);
    return { op, id: approval, result: state };
  }
  const id = ids[op.which] ?? 'apr_none';
  const [kind = '', name = ''] = (PEOPLE[op.by] ?? '').split(':');
  if (kind !== 'local' && kind !== 'user' && kind !== 'token') throw new Error('no such kind');
  try {
    const { decision, scope } = op;
    const actor = { kind, id: name } as const;
    const { approval } = await book.answer(id, { actor, decision, scope, reason: null });
    return { op, id, result: approval.state };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { op, id, result: error.code };
  }
}

/** @param begin makes what one life begins with: the way to the repository of each process, all of them on one store */
export async function checkInterleavings(
  begin: () => (process: number) => ApprovalRepository,
  runs: number,
): Promise<void> {
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: 2 }),
    fc.array(step, { minLength: 3, maxLength: 14 }),
    async (people, steps) => {
      const world = bookWorld();
      const openStore = begin();
      let names: Names = {};
      world.people = peopleIn(names);
      const books = [world.open(openStore(0)), world.open(openStore(1))];
      /** Each that some order of what was said so far comes to: later looks may tell them apart. */
      let models: readonly Model[] = [new Map()];
      const ids: string[] = [];
      try {
        for (const one of steps) {
          if (one.op === 'wait') world.clock.advance(one.ms);
          else if (one.op === 'rename') {
            names = NAMES[one.to] ?? {};
            world.people = peopleIn(names);
            // Settings are read when a process begins.
            for (const at of [0, 1]) books[at] = world.open(openStore(at));
          } else if (one.op === 'restart') books[one.process] = world.open(openStore(one.process));
          else {
            const known = [...ids];
            const outcomes = await Promise.all(one.ops.map((op) => perform(world, books, known, people, op)));
            const state = { people, at: world.clock.now(), names };
            const after = new Map<string, Model>();
            for (const model of models)
              for (const order of ordersOf(outcomes)) {
                const next = copyOf(model);
                if (order.every((outcome) => follows(next, state, outcome))) after.set(textOf(next), next);
              }
            if (after.size === 0)
              throw new Error(
                `no order explains ${JSON.stringify(outcomes)} after ${models.map(textOf).join(' or ')}`,
              );
            models = [...after.values()];
            for (const { id } of outcomes) if (id !== 'apr_none' && !ids.includes(id)) ids.push(id);
          }
        }
        checkRecord(world, people);
      } finally {
        world.close();
      }
    },
  );
  await fc.assert(property, { numRuns: runs });
}

/** What the audit log says of it, by itself: each use after enough agreements, and a single one where one was agreed to. */
function checkRecord({ events }: BookWorld, people: number): void {
  for (const [at, { type, data }] of events.entries()) {
    if (type !== 'approval.executed') continue;
    const before = events.slice(0, at).filter((event) => event.data['approval'] === data['approval']);
    const agreed = new Set(
      before
        .filter((event) => event.type === 'approval.agreed')
        .map(({ actor }) => `${actor.kind}:${actor.id}`),
    );
    expect(agreed.size).toBeGreaterThanOrEqual(people);
    expect([...agreed].some((by) => by === data['requester'])).toBe(false);
    const asked = before.find((event) => event.type === 'approval.requested');
    expect(asked?.data['hash']).toBe(data['hash']);
    const uses = before.filter((event) => event.type === 'approval.executed').length;
    expect(data['uses']).toBe(uses + 1);
  }
}
