/**
 * What a gateway tells whoever watches it: counters made from the audit log, and what is so at this moment. Nothing is
 * counted for it on a call's way; it is put together when it is asked for. It holds names of servers and tools, and no
 * value, argument, address, token or user.
 */
import { performance } from 'node:perf_hooks';
import { statSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ApprovalDesk, CellView, Kills, ServerRows } from '../../api/index.ts';
import type { RecordedEvent } from '../../audit/index.ts';
import type { RunningAlerts } from '../alerts/alert-desk.ts';
import type { OpenApprovals } from '../approvals/open-approvals.ts';
import type { Exports } from '../delivery/exports.ts';
import type { CellId, Clock, WorkspaceId } from '../../kernel/index.ts';
import type { CellActivity } from '../../mcp/index.ts';
import { exposition, type Family, Meter, type Sample } from '../../usage/index.ts';

export interface MetricsDeps {
  readonly workspace: WorkspaceId;
  readonly version: string;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly servers: Pick<ServerRows, 'list'>;
  readonly cells: () => readonly CellView[];
  readonly activity: (cell: CellId) => CellActivity | null;
  readonly approvals: Pick<ApprovalDesk, 'list'>;
  readonly exports: Pick<Exports, 'list'>;
  readonly alerts: Pick<RunningAlerts, 'backlog'>;
  readonly slack: Pick<OpenApprovals, 'slackBacklog'>;
  readonly kills: Pick<Kills, 'list'>;
  /** Where events lie that are on record, and not in the log yet. */
  readonly journal: string;
  /** Counts what was recorded until now. */
  readonly settle: () => Promise<void>;
  readonly clock: Clock;
}

export interface Metrics {
  /** Told of events that were counted, once each. */
  counted(events: readonly RecordedEvent[]): Promise<void>;
  /** @throws AppError `store_*` */
  text(): Promise<string>;
}

export function createMetrics(deps: MetricsDeps): Metrics {
  const { workspace, servers, clock } = deps;
  const meter = new Meter();
  let asked: Promise<string> | null = null;

  async function told(): Promise<string> {
    const journal = folderBytes(deps.journal);
    const before = clock.monotonic();
    await deps.settle();
    const seconds = (clock.monotonic() - before) / 1_000;
    const [pending, exports, channels, slack, kills] = await Promise.all([
      deps.approvals.list('pending'),
      deps.exports.list(),
      deps.alerts.backlog(),
      deps.slack.slackBacklog(),
      deps.kills.list(workspace),
    ]);
    const cells = deps.cells();
    const calls = cells.map(({ id, server }) => ({ server, calls: deps.activity(id)?.calls ?? 0 }));
    return exposition([
      gauge('sallyport_build_info', 'Always 1.', [{ labels: { version: deps.version }, value: 1 }]),
      ...meter.families(),
      gauge(
        'sallyport_calls_in_flight',
        'Calls that servers are at, by server.',
        by(calls, (item) => item.calls, 'server'),
      ),
      gauge(
        'sallyport_cells',
        'Servers that run, by server.',
        by(cells, () => 1, 'server'),
      ),
      gauge('sallyport_approvals_pending', 'Requests that wait for somebody to agree.', one(pending.length)),
      gauge(
        'sallyport_kill_switches',
        'Kill switches that are set, by scope.',
        by(kills, () => 1, 'scope'),
      ),
      gauge(
        'sallyport_export_behind_events',
        'Events that a receiver of the audit log does not have yet, by its name.',
        exports.map(({ name, behind }) => ({ labels: { export: name }, value: behind })),
      ),
      gauge(
        'sallyport_export_failures',
        'Attempts in a row that failed, by the name of the receiver.',
        exports.map(({ name, failures }) => ({ labels: { export: name }, value: failures })),
      ),
      gauge(
        'sallyport_alert_undelivered',
        'Alerts that a channel does not have yet, by its name.',
        channels.map(({ channel, undelivered }) => ({ labels: { channel }, value: undelivered })),
      ),
      gauge(
        'sallyport_alert_failures',
        'Attempts in a row that failed, by the name of the channel.',
        channels.map(({ channel, failures }) => ({ labels: { channel }, value: failures })),
      ),
      gauge(
        'sallyport_slack_untold',
        'Requests that wait for somebody to agree, and that Slack does not show as they are.',
        slack === null ? [] : one(slack.untold),
      ),
      gauge(
        'sallyport_slack_failures',
        'Attempts in a row to show approvals in Slack that failed.',
        slack === null ? [] : one(slack.failures),
      ),
      gauge(
        'sallyport_audit_journal_bytes',
        'Of the journals in which events lie before the log.',
        one(journal),
      ),
      gauge(
        'sallyport_audit_behind_seconds',
        'How long it took just now to bring what was on record into the log, and to count it.',
        one(seconds),
      ),
      ...ofProcess(deps.startedAt),
    ]);
  }

  return {
    async counted(events) {
      const known = await servers.list(workspace);
      meter.add(events, new Set(known.map(({ slug }) => slug)));
    },
    // Whoever asks while it is put together gets the same.
    text() {
      asked ??= told().finally(() => (asked = null));
      return asked;
    },
  };
}

const gauge = (name: string, help: string, samples: readonly Sample[]): Family => ({
  name,
  help,
  type: 'gauge',
  samples,
});
const one = (value: number): readonly Sample[] => [{ labels: {}, value }];

/** Those with the same name together. */
function by<Label extends string, Item extends Readonly<Record<Label, string>>>(
  items: readonly Item[],
  value: (item: Item) => number,
  label: Label,
): readonly Sample[] {
  const sums = new Map<string, number>();
  for (const item of items) sums.set(item[label], (sums.get(item[label]) ?? 0) + value(item));
  return [...sums].map(([name, sum]) => ({ labels: { [label]: name }, value: sum }));
}

function ofProcess(startedAt: number): readonly Family[] {
  const { user, system } = process.cpuUsage();
  const counter = (name: string, help: string, value: number): Family => ({
    name,
    help,
    type: 'counter',
    samples: one(value),
  });
  return [
    counter('process_cpu_seconds_total', 'Processor time, user and system.', (user + system) / 1e6),
    gauge('process_resident_memory_bytes', 'Memory.', one(process.memoryUsage.rss())),
    gauge('process_start_time_seconds', 'Since the Unix epoch.', one(startedAt / 1_000)),
    counter(
      'nodejs_eventloop_active_seconds_total',
      'How long the main thread was at work, in all.',
      performance.eventLoopUtilization().active / 1_000,
    ),
  ];
}

function folderBytes(folder: string): number {
  try {
    return readdirSync(folder).reduce((sum, name) => sum + sizeOf(join(folder, name)), 0);
  } catch {
    return 0; // There is none yet.
  }
}

/** A file that was taken away meanwhile has none. */
const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
