/** A recorder over a store in memory, with the real masking and the real seals; what was written can be tampered with. */
import { limits, Secret, systemRandom, type WorkspaceId } from '../../src/kernel/index.ts';
import type { RuleDecision, RuleRequest } from '../../src/policy/index.ts';
import {
  type Entry,
  type Growth,
  RecordingReader,
  type RecordingLevel,
  RecordingWriter,
  SessionRecorder,
  type StoredChunk,
} from '../../src/recording/index.ts';

const workspace = 'ws_test' as WorkspaceId;

export const allowed: RuleDecision = {
  outcome: 'allow',
  matched: [],
  decisive: null,
  approvals: [],
  limits: [],
  masks: [],
  records: [],
  alerts: [],
};

export const asked = (over: Partial<RuleRequest> = {}): RuleRequest => ({
  subject: 'tool',
  server: 'echo',
  profile: 'p',
  name: 'say',
  users: [],
  agents: ['bot'],
  tokens: ['tok_1'],
  now: 1_000,
  ...over,
});

export const speaker = {
  workspace,
  profile: 'p',
  server: null,
  actor: 'token:tok_1',
  agent: 'bot',
  via: 'session',
} as const;

export interface World {
  readonly recorder: SessionRecorder;
  readonly growths: Growth[];
  readonly failures: string[];
  /** Sessions whose ends are written. */
  readonly ended: string[];
  level: RecordingLevel;
  /** How often it cannot be read from now on. */
  unread: number;
  /** How often no session can begin from now on. */
  unbegun: number;
  /** What the store answers. */
  broken: boolean;
  /** Taken out of every text; null: it cannot be known. */
  secret: string | null;
  clockMs: number;
  /** As another process may. */
  remove(session: string): void;
  chunks(): StoredChunk[];
  key(): Secret;
  /** What a reader makes of it. */
  read(
    chunks?: readonly StoredChunk[],
    shouldEnd?: boolean,
  ): { entries: Entry[]; faults: string[]; isWhole: boolean };
}

export function recorderWorld(level: RecordingLevel, required = false): World {
  const keys = new Map<string, Secret>();
  const rows = new Set<string>();
  const world: World = {
    level,
    unread: 0,
    unbegun: 0,
    broken: false,
    secret: 'no-such-value',
    clockMs: 0,
    growths: [],
    failures: [],
    ended: [],
    recorder: new SessionRecorder({
      required,
      clock: { now: () => 1_700_000_000_000 + world.clockMs, monotonic: () => world.clockMs },
      random: systemRandom,
      ports: {
        link: new RecordingWriter({
          async append(_, growths) {
            if (world.broken) throw new Error('disk full');
            for (const { session, begun } of growths) if (begun !== null) rows.add(session);
            world.growths.push(...growths.filter(({ session }) => rows.has(session)));
            return growths.flatMap(({ session }) => (rows.has(session) ? [] : [session]));
          },
          scrubOf: (values) => {
            const texts = values.map((value) => value.reveal());
            return (text) =>
              texts.reduce((left, value) => left.replaceAll(value, '[masked:stored-value]'), text);
          },
        }),
        values: {
          version: async () => String(world.secret),
          async open() {
            if (world.secret === null) throw new Error('killed');
            return [Secret.fromString(world.secret)];
          },
        },
        async begin(_, { id }, key) {
          if (world.unbegun > 0) {
            world.unbegun -= 1;
            throw new Error('audit stopped');
          }
          keys.set(id, key.copy());
          return Buffer.from(id);
        },
        ended: (_, session) => void world.ended.push(session),
        levelOf() {
          if (world.unread === 0) return world.level;
          world.unread -= 1;
          return Promise.reject(new Error('store locked'));
        },
        failed: (why, detail) => void world.failures.push(`${why}: ${detail}`),
      },
    }),
    remove(session) {
      rows.delete(session);
      world.growths.splice(0, Infinity, ...world.growths.filter((growth) => growth.session !== session));
    },
    chunks: () =>
      world.growths.flatMap(({ from, chunks }) =>
        chunks.map((sealed, index) => ({ sequence: from + index, sealed })),
      ),
    key() {
      const id = world.growths[0]?.session ?? '';
      return (keys.get(id) ?? Secret.fromString('')).copy();
    },
    read(chunks = world.chunks(), shouldEnd = true) {
      const facts = world.growths[0]?.begun?.facts;
      if (facts === undefined) return { entries: [], faults: [], isWhole: false };
      const reader = new RecordingReader(workspace, facts, world.key());
      const entries = chunks.flatMap((chunk) => reader.read(chunk));
      const isWhole = reader.finish(shouldEnd);
      return { entries, faults: reader.faults.map(({ code }) => code), isWhole };
    },
  };
  return world;
}

export const chunkBytes = limits.recordingChunkBytesMax;
