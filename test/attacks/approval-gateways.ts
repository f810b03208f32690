/**
 * Gateways with one database between them, a real server behind each, and somebody who agrees to what they are shown: what is
 * approved, and what is sent then.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { silentLog, systemClock } from '../../src/kernel/index.ts';
import type { ApprovalBook } from '../../src/main/approvals/approval-book.ts';
import type { ApprovalScope } from '../../src/policy/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { bookWorld } from '../main/approvals/book-world.ts';
import {
  fixture,
  type Harness,
  type Parsed,
  principal,
  startHarness,
  type TestClient,
} from '../mcp/harness.ts';
import { rulesOf } from '../policy/rules/asking.ts';

export const ASK_FIRST = rulesOf(
  'rules: [{ id: ask-first, match: { servers: echo, tools: [echo, write] }, do: approve }]',
);
export const MARIA = { kind: 'user', id: 'maria' } as const;
export const PAYMENT = '{"to":"alice","amount":1}';
const PENDING = expect.stringContaining('waits for an approval') as string;
export const RUNS = { result: { from: 'echo' } };
export const WAITS = { result: { isError: true, content: [{ text: PENDING }] } };

export interface Replica {
  readonly harness: Harness;
  readonly book: ApprovalBook;
  readonly client: TestClient;
}

export class ApprovalGateways {
  readonly world = bookWorld();
  readonly stores: Store[] = [];
  readonly #replicas: Replica[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'sallyport-approvals-'));

  /** One more gateway on the same database. */
  async replica(who = 'tok_1', server = 'echo'): Promise<Replica> {
    const path = join(this.#folder, 'sallyport.db');
    const store = await openStore({ path, log: silentLog, clock: systemClock });
    this.stores.push(store);
    const book = this.world.open(store.approvals);
    const harness = await startHarness(
      { default: { [server]: { command: fixture(server), tools: '*' } } },
      { holdMs: 0 },
    );
    harness.approvals.pass = (request) => book.pass(request);
    harness.approvals.waits = (id) => book.waits(id);
    harness.setRules(ASK_FIRST);
    const one = { harness, book, client: await connect(harness, who, server) };
    this.#replicas.push(one);
    return one;
  }

  sent(): number {
    return this.#replicas.flatMap(({ harness }) => harness.audit).filter((one) => one.startsWith('started '))
      .length;
  }

  used(): readonly unknown[] {
    return this.world.events
      .filter(({ type }) => type === 'approval.executed')
      .map(({ data }) => data['approval']);
  }

  async close(): Promise<void> {
    for (const { harness } of this.#replicas) await harness.close();
    this.world.close();
    for (const store of this.stores) await store.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export async function connect(harness: Harness, who: string, server = 'echo'): Promise<TestClient> {
  const client = harness.stdio(principal(who, 'default'), { profile: 'default', server });
  await client.initialize();
  return client;
}

let lastId = 0;
export function nextId(): number {
  lastId += 1;
  return lastId;
}

/** @param args JSON as the client writes it */
export async function call(client: TestClient, args: string, tool = 'echo'): Promise<Parsed> {
  const id = nextId();
  client.send(
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${tool}","arguments":${args}}}`,
  );
  return client.answer(id);
}

const ONCE: ApprovalScope = { kind: 'once' };

export const approve = (book: ApprovalBook, id: string, scope: ApprovalScope = ONCE) =>
  book.answer(id, { actor: MARIA, decision: 'approve', scope, reason: null });

/** Agrees to what waits. @returns what is shown of it beside its arguments */
export async function agree(
  book: ApprovalBook,
  scope: ApprovalScope = ONCE,
): Promise<string | null | undefined> {
  const [asked] = await book.list('pending');
  await approve(book, asked?.id ?? '', scope);
  return asked?.about.besideText;
}

/** Asks for the payment, and has it agreed to. */
export async function approved({ client, book }: Replica, scope?: ApprovalScope): Promise<string> {
  expect(await call(client, PAYMENT)).toMatchObject(WAITS);
  const [one] = await book.list('pending');
  const id = one?.id ?? '';
  await approve(book, id, scope);
  return id;
}
