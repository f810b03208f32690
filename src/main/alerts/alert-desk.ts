/**
 * Feeds the audit log to the detectors, puts what they find on record, and has it told. Run by the process that serves. What was
 * found is an event like any other (`alert.raised`), and each channel a stream of those: so nothing of it is lost, and
 * nothing told twice because somebody was killed in between.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { AlertView } from '../../api/index.ts';
import { type Alert, createWatch, type Watch } from '../../alerts/index.ts';
import type { AuditLog, RecordedEvent } from '../../audit/index.ts';
import { Stream } from '../../delivery/index.ts';
import {
  AppError,
  type Clock,
  type Json,
  limits,
  type Log,
  type Random,
  type WorkspaceId,
} from '../../kernel/index.ts';
import type { Store } from '../../store/index.ts';
import type { AlertConfig } from '../config-alerts.ts';
import { alertSender, slackSender } from '../delivery/http-senders.ts';
import type { HttpWay } from '../delivery/http-way.ts';
import type { SecretSource } from '../delivery/secret-source.ts';
import { eventSource, streamState, streamStore } from '../delivery/stream-store.ts';
import { VERSION } from '../version.ts';

export interface AlertDeskDeps {
  readonly workspace: WorkspaceId;
  readonly secrets: SecretSource;
  /** Null: nothing is watched. */
  readonly config: AlertConfig | null;
  readonly store: Pick<Store, 'streams' | 'audit'>;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly way: HttpWay;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** How it goes with telling one channel. */
interface ChannelBacklog {
  readonly channel: string;
  /** Of the alerts that are kept, those that it does not have yet. */
  readonly undelivered: number;
  /** Attempts in a row that failed. */
  readonly failures: number;
}

export interface RunningAlerts {
  /** From now on, until `stop`. */
  start(): void;
  /** The latest first. */
  list(): Promise<readonly AlertView[]>;
  backlog(): Promise<readonly ChannelBacklog[]>;
  /** Raises one that says that it is a test. @throws AppError `alerts_off`, `audit_unavailable` */
  test(): Promise<AlertView>;
  stop(): Promise<void>;
}

/** In the store, beside the exports' own. */
const NAME = 'alerts';

/** In the store, before a channel's own name. */
const streamName = (name: string): string => `alert:${name}`;

const Kept = z.object({ watch: z.unknown(), recent: z.array(AlertView) });

export function createAlertDesk(deps: AlertDeskDeps): RunningAlerts {
  const { workspace, config, store, audit, clock, log } = deps;
  const source = eventSource(store, workspace);
  const stopped = new AbortController();
  let running: Promise<void> | null = null;
  let channels: readonly Stream[] = [];

  async function raise(data: Record<string, Json>, server?: string): Promise<RecordedEvent> {
    log.warn('alert.raised', data);
    return audit.append({
      workspace,
      type: 'alert.raised',
      actor: { kind: 'system', id: 'gateway' },
      ...(server === undefined ? {} : { server }),
      data,
    });
  }

  /** Those that are on record from an event on: a gateway that was killed may have told, and not noted that. */
  async function raisedFrom(sequence: number): Promise<AlertView[]> {
    const found: AlertView[] = [];
    for (let next = sequence; ; ) {
      const page = await source.read(next, limits.auditPageEventsMax);
      for (const event of page) found.push(...raisedIn(event));
      const last = page.at(-1);
      if (last === undefined) return found;
      next = last.sequence + 1;
    }
  }

  async function load() {
    const record = await store.streams.find(workspace, NAME);
    if (record === null) return null;
    const kept = Kept.safeParse(record.state);
    return {
      sequence: record.sequence,
      watch: kept.success ? kept.data.watch : null,
      recent: kept.success ? kept.data.recent : [],
    };
  }

  async function save(sequence: number, watch: Watch, recent: readonly AlertView[]): Promise<void> {
    const state = { watch: watch.state(), recent: recent.map((one) => ({ ...one })) };
    await store.streams.save(workspace, { name: NAME, sequence, state, updatedAt: Math.floor(clock.now()) });
  }

  async function follow({ rules, quietMinutes }: AlertConfig): Promise<void> {
    const loaded = await load();
    let sequence = loaded?.sequence ?? (await source.head());
    let recent: readonly AlertView[] = loaded?.recent ?? [];
    const watch = createWatch(rules, quietMinutes * 60_000, loaded?.watch);
    if (loaded === null) await save(sequence, watch, recent);
    const told = new Set((await raisedFrom(sequence + 1)).map(({ id }) => id));
    while (!stopped.signal.aborted) {
      const page = await source.read(sequence + 1, limits.alertPageEvents);
      for (const event of page) {
        recent = [...recent, ...raisedIn(event)].slice(-limits.alertsKept);
        for (const alert of watch.observe(event))
          if (!told.delete(alert.id)) await raise(dataOf(alert), event.server);
      }
      sequence = page.at(-1)?.sequence ?? sequence;
      if (page.length > 0) await save(sequence, watch, recent);
      const isAll = page.length < limits.alertPageEvents;
      await pause(isAll ? limits.alertPollMs : limits.alertPagePauseMs);
    }
  }

  const pause = (ms: number): Promise<void> =>
    sleep(ms, undefined, { ref: false, signal: stopped.signal }).catch(() => undefined);

  /** What cannot be read or recorded now may be later: from where it was noted last. */
  async function keepFollowing(given: AlertConfig): Promise<void> {
    while (!stopped.signal.aborted) {
      try {
        await follow(given);
      } catch (error) {
        log.warn('alerts.stalled', { why: String(error) });
        await pause(limits.deliveryBackoffMs);
      }
    }
  }

  return {
    start() {
      if (config === null) return;
      running = keepFollowing(config);
      channels = config.channels.map((channel) => channelOf(deps, channel));
      for (const channel of channels) channel.start();
    },
    async list() {
      const loaded = await load();
      if (loaded === null) return [];
      const since = await raisedFrom(loaded.sequence + 1);
      return [...loaded.recent, ...since].slice(-limits.alertsKept).toReversed();
    },
    async backlog() {
      const recent = (await load())?.recent ?? [];
      return Promise.all(
        (config?.channels ?? []).map(async ({ name }) => {
          const state = await streamState(store, workspace, streamName(name));
          const undelivered = recent.filter(({ sequence }) => state !== null && sequence > state.sequence);
          return { channel: name, undelivered: undelivered.length, failures: state?.failures ?? 0 };
        }),
      );
    },
    async test() {
      if (config === null) throw alertsOff();
      const message = 'This is a test: alerts reach whoever reads this.';
      const at = Math.floor(clock.now());
      const event = await raise({ id: `alr_test_${at}`, rule: 'test', kind: 'test', key: 'test', message });
      const [raised] = raisedIn(event);
      if (raised === undefined) throw new Error('a test is not an alert');
      return raised;
    },
    async stop() {
      stopped.abort();
      await Promise.all([running, ...channels.map((channel) => channel.stop())]);
    },
  };
}

const dataOf = ({
  id,
  rule,
  kind,
  key,
  message,
  sequence,
  suppressed,
  data,
}: Alert): Record<string, Json> => ({
  id,
  rule,
  kind,
  key,
  message,
  event: sequence,
  suppressed,
  about: data,
});

function raisedIn({ type, data, at, sequence }: RecordedEvent): readonly AlertView[] {
  if (type !== 'alert.raised') return [];
  const raised = AlertView.safeParse({ ...data, at, sequence });
  return raised.success ? [raised.data] : [];
}

const alertsOff = (): AppError =>
  new AppError('alerts_off', 'Nothing is watched, and nobody would be told.', {
    kind: 'failed',
    hint: 'Write `alerts: {}`, or more, into sallyport.yaml: docs/alerts.md.',
  });

function channelOf(deps: AlertDeskDeps, channel: AlertConfig['channels'][number]): Stream {
  const { workspace, store, audit, clock, random, log, way, secrets } = deps;
  const posting = { way, secrets, clock, version: VERSION };
  const name = streamName(channel.name);
  return new Stream({
    workspace,
    name,
    source: eventSource(store, workspace),
    store: streamStore(store, workspace, name, clock),
    sender: channel.kind === 'slack' ? slackSender(posting, channel) : alertSender(posting, channel),
    from: 'now',
    wants: ({ type }) => type === 'alert.raised',
    oneByOne: true,
    // An alarm that the switch silences is none: it goes to where the owner said, and has nothing of what was stopped.
    held: async () => false,
    async record(type, data) {
      await audit.append({ workspace, type, actor: { kind: 'system', id: 'gateway' }, data });
    },
    clock,
    random,
    log,
  });
}
