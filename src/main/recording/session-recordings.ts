/** The recorder with what it needs: the store, the key ring, the vault's values, and the audit log. */
import type { AuditLog } from '../../audit/index.ts';
import { type Clock, type Log, type Random, type WorkspaceId } from '../../kernel/index.ts';
import type { Recorder } from '../../mcp/index.ts';
import { keyContext, RecordingWriter, SessionRecorder } from '../../recording/index.ts';
import type { KeyRing } from '../../seal/index.ts';
import type { Store } from '../../store/index.ts';
import type { Vault } from '../../vault/index.ts';
import type { Config } from '../config.ts';
import { keptLevels } from './levels.ts';
import { recordingThread } from './recording-thread.ts';
import { keepRetention } from './retention.ts';
import { scrubOf } from './scrub-of.ts';
import { appendTo } from './storage.ts';
import { storedValues } from './stored-values.ts';

export interface RecordingsDeps {
  readonly workspace: WorkspaceId;
  readonly store: Pick<Store, 'recordings' | 'profiles' | 'servers' | 'revision'>;
  readonly ring: Pick<KeyRing, 'wrap'>;
  readonly vault: Pick<Vault, 'list' | 'use'>;
  readonly audit: Pick<AuditLog, 'append' | 'note'>;
  readonly config: Config['recording'];
  /** The database's file: a thread writes to it. Without it this one does, which is right for what lives as long as a command. */
  readonly threadOn?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface Recordings {
  readonly recorder: Recorder;
  /** Writes what waits. */
  flush(): Promise<void>;
  /** Sessions that may still grow. */
  growing(): ReadonlySet<string>;
  /** Has what is too old or too much removed, now and from time to time. */
  keepTidy(): void;
  close(): Promise<void>;
}

export function createRecordings(deps: RecordingsDeps): Recordings {
  const { workspace, store, ring, audit, config, clock, random, log } = deps;
  let stopTidying = (): void => undefined;
  let toldMs = -Infinity;
  const sessions = new SessionRecorder({
    required: config.required,
    clock,
    random,
    ports: {
      link:
        deps.threadOn === undefined
          ? new RecordingWriter({ append: appendTo(store.recordings), scrubOf })
          : recordingThread(deps.threadOn),
      values: storedValues({ vault: deps.vault, servers: store.servers, revision: store.revision }),
      async begin(of, facts, key) {
        const { id: recording, profile, agent, actor: by } = facts;
        const data = { recording, profile, agent, by };
        await audit.append({ workspace: of, type: 'recording.begun', actor: GATEWAY, data });
        return ring.wrap(key, keyContext(of, recording));
      },
      ended(of, recording, lastChunk) {
        const data = { recording, lastChunk };
        const event = { workspace: of, type: 'recording.ended', actor: GATEWAY, data } as const;
        audit.note(event).catch((error: unknown) => {
          log.error('recording.end_not_recorded', { recording, error: String(error) });
        });
      },
      levelOf: keptLevels(store, config.level),
      failed(why, detail) {
        // It is tried again twice a second: once a minute is enough.
        if (clock.monotonic() - toldMs < TELL_INTERVAL_MS) return;
        toldMs = clock.monotonic();
        log.error('recording.failed', { why, detail });
      },
    },
  });
  return {
    recorder: {
      begin({ principal, profile, server, via }) {
        const { workspace: of, actor, agent } = principal;
        return sessions.begin({
          workspace: of,
          profile,
          server,
          actor: `${actor.kind}:${actor.id}`,
          agent,
          via,
        });
      },
    },
    flush: () => sessions.flush(),
    growing: () => sessions.growing(),
    keepTidy() {
      const { keepDays, keepMiB } = config;
      stopTidying();
      stopTidying = keepRetention({
        workspace,
        recordings: store.recordings,
        audit,
        keepDays,
        keepMiB,
        growing: () => sessions.growing(),
        clock,
        log,
      });
    },
    async close() {
      stopTidying();
      await sessions.close();
    },
  };
}

const TELL_INTERVAL_MS = 60_000;

/** The beginning and the end of each session are on record, by the gateway itself. */
const GATEWAY = { kind: 'system', id: 'gateway' } as const;
