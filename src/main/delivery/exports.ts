/**
 * Audit exports, as the settings have them: one stream for each, run by the process that serves, which is one at a time. Any
 * process asks, before a call, whether those that are required have kept up.
 */
import { hostname } from 'node:os';
import type { AuditLog } from '../../audit/index.ts';
import { type EventSource, lagOf, type Sender, Stream } from '../../delivery/index.ts';
import type { Egress } from '../../egress/index.ts';
import { AppError, type Clock, limits, type Log, type Random, type WorkspaceId } from '../../kernel/index.ts';
import type { Store } from '../../store/index.ts';
import type { KillState } from '../../vault/index.ts';
import type { AuditExportConfig } from '../config-exports.ts';
import { VERSION } from '../version.ts';
import { fileSender } from './file-sender.ts';
import { otlpSender, webhookSender } from './http-senders.ts';
import type { HttpWay } from './http-way.ts';
import { inHome } from './secret-file.ts';
import type { SecretSource } from './secret-source.ts';
import { eventSource, streamState, streamStore } from './stream-store.ts';
import { syslogSender } from './syslog-sender.ts';

export interface ExportsDeps {
  readonly workspace: WorkspaceId;
  readonly home: string;
  readonly secrets: SecretSource;
  readonly exports: readonly AuditExportConfig[];
  readonly store: Pick<Store, 'streams' | 'audit'>;
  readonly audit: Pick<AuditLog, 'append' | 'checkpoint'>;
  readonly way: HttpWay;
  readonly egress: () => Pick<Egress, 'ways'>;
  readonly kills: Pick<KillState, 'active'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** An export as the operator sees it. */
interface ExportStatus {
  readonly name: string;
  readonly kind: string;
  readonly required: boolean;
  /** Last event that the receiver has. */
  readonly sequence: number;
  /** Events that it does not have yet. */
  readonly behind: number;
  readonly failures: number;
  /** Why the last attempt failed; null: it did not. */
  readonly code: string | null;
  readonly failingSince: number | null;
}

export interface Exports {
  /** From now on, until `stop`. */
  start(): void;
  /** @throws AppError `audit_export_behind` while a required export is too far behind */
  admit(): Promise<void>;
  list(): Promise<readonly ExportStatus[]>;
  stop(): Promise<void>;
}

/** In the store, before an export's own name. */
const streamName = (name: string): string => `export:${name}`;

export function createExports(deps: ExportsDeps): Exports {
  const { workspace, store, clock, log, exports } = deps;
  const source = eventSource(store, workspace);
  const required = exports.filter((one) => one.required);
  let streams: readonly Stream[] = [];
  let signing: NodeJS.Timeout | null = null;
  let lookedAt = -Infinity;
  let behind: AppError | null = null;

  async function look(): Promise<void> {
    for (const one of required) {
      const state = await streamState(store, workspace, streamName(one.name));
      const lag = await lagOf(source, state?.sequence ?? 0, clock.now());
      if (lag.events <= one.lagEvents && lag.ms <= one.lagSeconds * 1_000) continue;
      behind = tooFarBehind(one.name, lag.events);
      return;
    }
    behind = null;
  }

  return {
    start() {
      streams = exports.map((one) => streamOf(deps, one, source));
      for (const stream of streams) stream.start();
      if (streams.length > 0)
        signing = setInterval(() => void sign(deps, source), limits.deliveryCheckpointMs).unref();
    },
    async admit() {
      if (required.length === 0) return;
      if (clock.monotonic() - lookedAt >= limits.deliveryLagGlanceMs) {
        await look();
        lookedAt = clock.monotonic();
      }
      if (behind !== null) throw behind;
    },
    async list() {
      const head = await source.head();
      return Promise.all(
        exports.map(async ({ name, kind, required: isRequired }) => {
          const state = await streamState(store, workspace, streamName(name));
          const sequence = state?.sequence ?? 0;
          return {
            name,
            kind,
            required: isRequired,
            sequence,
            behind: Math.max(0, head - sequence),
            failures: state?.failures ?? 0,
            code: state?.code ?? null,
            failingSince: state?.since ?? null,
          };
        }),
      );
    },
    async stop() {
      if (signing !== null) clearInterval(signing);
      await Promise.all(streams.map((stream) => stream.stop()));
      if (streams.length > 0) log.debug('delivery.stopped', { exports: streams.length });
    },
  };
}

/** A log that grew for long without being signed is signed for those who keep what they get. */
async function sign({ audit, workspace, store, log }: ExportsDeps, source: EventSource): Promise<void> {
  try {
    const last = (await store.audit.checkpoints(workspace)).at(-1)?.sequence ?? 0;
    if ((await source.head()) > last) await audit.checkpoint(workspace);
  } catch (error) {
    log.warn('delivery.checkpoint_failed', { why: String(error) });
  }
}

const tooFarBehind = (name: string, events: number): AppError =>
  new AppError(
    'audit_export_behind',
    `The audit export \`${name}\` is required, and ${events} events behind: nothing is done until it catches up.`,
    {
      kind: 'unavailable',
      hint: 'The operator sees why with `sallyport audit exports`; `sallyport serve` has to be running for it.',
    },
  );

function streamOf(deps: ExportsDeps, config: AuditExportConfig, source: EventSource): Stream {
  const { workspace, store, audit, kills, clock, random, log } = deps;
  return new Stream({
    workspace,
    name: config.name,
    source,
    store: streamStore(store, workspace, streamName(config.name), clock),
    sender: senderOf(deps, config),
    from: config.from,
    // A file is this machine's: nothing leaves.
    held: async () =>
      config.kind !== 'jsonl' &&
      (await kills.active({ workspace, server: null, actor: { kind: 'system', id: 'gateway' } })) !== null,
    async record(type, data) {
      await audit.append({ workspace, type, actor: { kind: 'system', id: 'gateway' }, data });
    },
    clock,
    random,
    log,
  });
}

function senderOf(deps: ExportsDeps, config: AuditExportConfig): Sender {
  const { way, home, secrets, clock, egress, workspace } = deps;
  const posting = { way, secrets, clock, version: VERSION };
  if (config.kind === 'jsonl') return fileSender(inHome(home, config.path), workspace);
  if (config.kind === 'syslog')
    return syslogSender({ egress, clock, origin: { host: hostname(), pid: process.pid } }, config);
  return config.kind === 'webhook' ? webhookSender(posting, config) : otlpSender(posting, config);
}
