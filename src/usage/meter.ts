/**
 * Events of the audit log to counters that only grow, from when this process began. Whoever is hostile has a part in names:
 * a server is named as its owner named it or not at all, a tool only where a call of it began, and what would be too many
 * is counted together.
 */
import type { RecordedEvent } from '../audit/index.ts';
import { type Json, limits } from '../kernel/index.ts';
import { LATENCY_MS, latencyOf } from './counts.ts';
import type { Family, Sample } from './exposition.ts';

/** Stands for whatever there would be too much of. */
const OTHERS = '*';

interface Latency {
  readonly buckets: number[];
  seconds: number;
}

export class Meter {
  readonly #events = new Counter('sallyport_audit_events_total', 'Events on record, by type.');
  readonly #calls = new Counter(
    'sallyport_calls_total',
    'Calls that ended, by server, tool and how: ok, tool_error, error, cancelled, failed.',
  );
  readonly #refused = new Counter(
    'sallyport_refusals_total',
    'Calls, prompts and resources that were refused, by server and code.',
  );
  readonly #requests = new Counter(
    'sallyport_egress_requests_total',
    'Requests of servers that ended, by server and the hundreds of their status; none: there was no answer.',
  );
  readonly #requestsRefused = new Counter(
    'sallyport_egress_refusals_total',
    'Requests of servers that were refused, by server and code.',
  );
  readonly #bytes = new Counter(
    'sallyport_egress_body_bytes_total',
    'Bytes of bodies of requests and responses, by server and direction.',
  );
  readonly #latencies = new Map<string, Latency>();

  /** @param servers those that there are */
  add(events: readonly RecordedEvent[], servers: ReadonlySet<string>): void {
    for (const event of events) {
      this.#events.add({ type: event.type }, 1);
      const server = event.server !== undefined && servers.has(event.server) ? event.server : '';
      this.#addOne(event, server);
    }
  }

  families(): readonly Family[] {
    const counters = [
      this.#events,
      this.#calls,
      this.#refused,
      this.#requests,
      this.#requestsRefused,
      this.#bytes,
    ];
    return [...counters.map((counter) => counter.family()), this.#durations()];
  }

  #addOne({ type, data }: RecordedEvent, server: string): void {
    const code = (): string => text(data['code']);
    if (type === 'call.finished') {
      this.#calls.add({ server, tool: text(data['tool']), outcome: text(data['outcome']) }, 1);
      this.#took(server, whole(data['durationMs']));
    } else if (type === 'call.refused') this.#refused.add({ server, code: code() }, 1);
    else if (type === 'egress.refused') this.#requestsRefused.add({ server, code: code() }, 1);
    else if (type === 'egress.finished') {
      this.#requests.add({ server, status: hundreds(data['status']) }, 1);
      this.#bytes.add({ server, direction: 'sent' }, whole(data['requestBytes']));
      this.#bytes.add({ server, direction: 'received' }, whole(data['responseBytes']));
    }
  }

  #took(server: string, ms: number): void {
    const known = this.#latencies.get(server) ?? { buckets: latencyOf(0).map(() => 0), seconds: 0 };
    for (const [index, count] of latencyOf(ms).entries())
      known.buckets[index] = (known.buckets[index] ?? 0) + count;
    known.seconds += ms / 1_000;
    this.#latencies.set(server, known);
  }

  #durations(): Family {
    const samples = [...this.#latencies].flatMap(([server, { buckets, seconds }]): Sample[] => {
      let count = 0;
      const ends = [...LATENCY_MS.map((ms) => String(ms / 1_000)), '+Inf'];
      const lines = ends.map((le, index): Sample => {
        count += buckets[index] ?? 0;
        return { suffix: '_bucket', labels: { server, le }, value: count };
      });
      return [
        ...lines,
        { suffix: '_sum', labels: { server }, value: seconds },
        { suffix: '_count', labels: { server }, value: count },
      ];
    });
    const help = 'How long calls took, by server.';
    return { name: 'sallyport_call_duration_seconds', help, type: 'histogram', samples };
  }
}

class Counter {
  readonly #name: string;
  readonly #help: string;
  readonly #values = new Map<string, { readonly labels: Sample['labels']; value: number }>();

  constructor(name: string, help: string) {
    this.#name = name;
    this.#help = help;
  }

  add(labels: Sample['labels'], amount: number): void {
    const known = this.#values.get(JSON.stringify(labels)) ?? this.#another(labels);
    known.value += amount;
  }

  #another(labels: Sample['labels']): { value: number } {
    const isFull = this.#values.size >= limits.metricSeriesMax;
    const own = isFull ? Object.fromEntries(Object.keys(labels).map((name) => [name, OTHERS])) : labels;
    const key = JSON.stringify(own);
    const made = this.#values.get(key) ?? { labels: own, value: 0 };
    this.#values.set(key, made);
    return made;
  }

  family(): Family {
    return { name: this.#name, help: this.#help, type: 'counter', samples: [...this.#values.values()] };
  }
}

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const whole = (value: Json | undefined): number =>
  typeof value === 'number' && value > 0 && value <= Number.MAX_SAFE_INTEGER ? value : 0;
const hundreds = (status: Json | undefined): string =>
  typeof status === 'number' && status >= 100 && status <= 599 ? `${Math.floor(status / 100)}xx` : 'none';
