/** Counters made from events: each event once, and no more names than owners gave. */
import { expect, it } from 'vitest';
import type { AuditEvent, RecordedEvent } from '../../src/audit/index.ts';
import { limits } from '../../src/kernel/index.ts';
import { Meter } from '../../src/usage/index.ts';
import { finished, refused, sent } from './events.ts';

const recorded = (events: readonly AuditEvent[]): readonly RecordedEvent[] =>
  events.map((event, index) => ({ ...event, sequence: index + 1, at: 1, previous: '', hash: '' }));

function metered(events: readonly AuditEvent[], servers: readonly string[] = ['github']) {
  const meter = new Meter();
  meter.add(recorded(events), new Set(servers));
  const families = meter.families();
  const samples = families.flatMap(({ name, samples: found }) =>
    found.map(({ suffix = '', labels, value }) => [
      `${name}${suffix} ${Object.values(labels).join(' ')}`,
      value,
    ]),
  );
  return Object.fromEntries(samples) as Record<string, number>;
}

it('counts calls by how they ended, refusals by their code, requests by their status', () => {
  const found = metered([
    finished('search', 7),
    finished('search', 3, { outcome: 'error' }),
    finished('search', 9),
    refused('search', 'policy_denied'),
    sent(),
    sent({ status: 503, requestBytes: 5 }),
    sent({ status: null, responseBytes: null }),
    { ...sent({ code: 'egress_host_denied' }), type: 'egress.refused' },
  ]);
  expect(found).toMatchObject({
    'sallyport_audit_events_total call.finished': 3,
    'sallyport_audit_events_total egress.finished': 3,
    'sallyport_calls_total github search ok': 2,
    'sallyport_calls_total github search error': 1,
    'sallyport_refusals_total github policy_denied': 1,
    'sallyport_egress_requests_total github 2xx': 1,
    'sallyport_egress_requests_total github 5xx': 1,
    'sallyport_egress_requests_total github none': 1,
    'sallyport_egress_refusals_total github egress_host_denied': 1,
    'sallyport_egress_body_bytes_total github sent': 25,
    'sallyport_egress_body_bytes_total github received': 2_000,
    'sallyport_call_duration_seconds_count github': 3,
    'sallyport_call_duration_seconds_bucket github 0.005': 1,
    'sallyport_call_duration_seconds_bucket github 0.01': 3,
    'sallyport_call_duration_seconds_bucket github +Inf': 3,
  });
  expect(found['sallyport_call_duration_seconds_sum github']).toBeCloseTo(0.019);
});

it('names no server that nobody added, and no tool that was not called', () => {
  const found = metered([
    { ...refused('made-up', 'mcp_server_unknown'), server: 'made-up' },
    { ...finished('search', 1), server: 'removed' },
  ]);
  expect(Object.keys(found).filter((name) => name.includes('made-up') || name.includes('removed'))).toEqual(
    [],
  );
  expect(found).toMatchObject({
    'sallyport_refusals_total  mcp_server_unknown': 1,
    'sallyport_calls_total  search ok': 1,
  });
});

it('counts together what would be too many', () => {
  const many = limits.metricSeriesMax + 50;
  const found = metered(Array.from({ length: many }, (_, n) => finished(`tool${n}`, 1)));
  const calls = Object.keys(found).filter((name) => name.startsWith('sallyport_calls_total'));
  expect(calls).toHaveLength(limits.metricSeriesMax + 1);
  expect(found['sallyport_calls_total * * *']).toBe(50);
  expect(found['sallyport_call_duration_seconds_count github']).toBe(many);
});
