/** Approval books on one store, as several processes have them, with a clock that is told the time. */
import type { AuditEvent } from '../../../src/audit/index.ts';
import {
  type Clock,
  fixedClock,
  newId,
  Secret,
  silentLog,
  systemClock,
  systemRandom,
  type WorkspaceId,
} from '../../../src/kernel/index.ts';
import { ApprovalBook } from '../../../src/main/approvals/approval-book.ts';
import { peopleOf } from '../../../src/main/approvals/people.ts';
import { serverState } from '../../../src/main/approvals/server-state.ts';
import type { Services } from '../../../src/main/services.ts';
import type { ApprovalRequest } from '../../../src/mcp/index.ts';
import type { People } from '../../../src/policy/index.ts';
import { createKeyRing, type KeyRing, localKeyProvider } from '../../../src/seal/index.ts';
import type { ApprovalRepository } from '../../../src/store/index.ts';
import { MemoryTenantKeys } from '../../seal/memory-tenant-keys.ts';

const START_MS = 1_800_000_000_000;

const key = Secret.fromString(Buffer.alloc(32, 7).toString('hex'));

export interface BookWorld {
  readonly workspace: WorkspaceId;
  readonly clock: Clock & { advance(ms: number): void };
  readonly ring: KeyRing;
  readonly events: AuditEvent[];
  /** Who is who: nobody says, until a test does. */
  people: People;
  /** What names each server as it is set up. */
  readonly servers: Map<string, string>;
  readonly audit: { fails: boolean; record(event: AuditEvent): Promise<void> };
  /** What another process would have. */
  open(approvals: ApprovalRepository): ApprovalBook;
  close(): void;
}

export function bookWorld(): BookWorld {
  const clock = fixedClock(START_MS);
  const random = systemRandom;
  const workspace = newId<'workspace'>('ws', random);
  const provider = localKeyProvider({ env: { current: key.copy(), previous: [] }, random, clock });
  const ring = createKeyRing({ provider, store: new MemoryTenantKeys(), random, clock });
  const events: AuditEvent[] = [];
  const books: ApprovalBook[] = [];
  const audit = {
    fails: false,
    async record(event: AuditEvent) {
      if (audit.fails) throw new Error('the audit log cannot be written');
      events.push(event);
    },
  };
  const world: BookWorld = {
    workspace,
    clock,
    ring,
    events,
    people: peopleOf({}),
    servers: new Map(),
    audit,
    open(approvals) {
      const book = new ApprovalBook({
        workspace,
        store: { approvals },
        ring,
        audit,
        people: world.people,
        serverState: async (slug) => world.servers.get(slug) ?? null,
        clock,
        random,
        address: (id) => `http://gateway.example/approvals/${id}`,
        log: silentLog,
      });
      books.push(book);
      return book;
    },
    close() {
      for (const book of books) book.close();
    },
  };
  return world;
}

/** The book that a process has of a home, where nobody said who is who. */
export const bookOn = ({ workspace, store, ring, audit }: Services): ApprovalBook =>
  new ApprovalBook({
    workspace,
    store,
    ring,
    audit,
    people: peopleOf({}),
    serverState: serverState(workspace, store),
    clock: systemClock,
    random: systemRandom,
    address: () => null,
    log: silentLog,
  });

export const request = (
  { workspace }: Pick<BookWorld, 'workspace'>,
  more: Partial<ApprovalRequest> = {},
): ApprovalRequest => ({
  principal: {
    workspace,
    actor: { kind: 'token', id: 'tok_1' },
    profile: 'default',
    agent: 'agent',
  },
  profile: 'default',
  server: 'github',
  subject: 'tool',
  name: 'merge',
  definitionHash: 'sha256-1',
  argumentsText: '{"n":1,"to":"main"}',
  besideText: null,
  session: null,
  rules: ['ask-first'],
  ask: { people: 1, expireMinutes: 60, justification: false },
  call: 'call_1',
  ...more,
});
