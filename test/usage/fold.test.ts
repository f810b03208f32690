/** Events to counts: the same however they come in pieces, bounded whatever names there are. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditEvent, RecordedEvent } from '../../src/audit/index.ts';
import { fold, keep, report, type Usage } from '../../src/usage/index.ts';
import { CALLS, finished, refused, sent } from './events.ts';

const DAY = Date.parse('2026-11-20T10:00:00Z');
const recorded = (event: AuditEvent, at = DAY): RecordedEvent => ({
  ...event,
  sequence: 1,
  at,
  previous: '',
  hash: '',
});
const usageOf = (...events: readonly AuditEvent[]): readonly Usage[] =>
  fold(events.map((event) => recorded(event)));

describe('what is counted', () => {
  it('of calls: how they ended, how long they took, and for whom', () => {
    const [usage, ...rest] = usageOf(
      finished('search', 7),
      finished('search', 90_000, { outcome: 'failed' }),
      finished('search', 40, { outcome: 'tool_error' }),
      refused('search', 'policy_denied'),
    );
    expect(rest).toEqual([]);
    expect(usage).toMatchObject({
      day: '2026-11-20',
      server: 'github',
      tool: 'search',
      agent: 'claude',
      actor: 'token:tok_1',
      counts: { calls: 3, ok: 1, failed: 1, toolErrors: 1, denied: 1, durationMs: 90_047 },
    });
    expect(report(usageOf(finished('a', 7), finished('a', 40), finished('a', 40)), ['tool'])).toMatchObject([
      { of: { tool: 'a' }, calls: 3, p50Ms: 50, p95Ms: 50 },
    ]);
  });

  it('of requests: for the call that they are of, where that is certain', () => {
    const [sure, unsure] = usageOf(
      sent(),
      sent({ attribution: 'one-of', calls: CALLS, status: 503 }),
      sent({ attribution: 'none', calls: [], status: null }),
    );
    expect(sure).toMatchObject({
      tool: 'search',
      actor: 'token:tok_1',
      counts: { requests: 1, requestErrors: 0, requestBytes: 10, responseBytes: 1_000 },
    });
    expect(unsure).toMatchObject({ tool: '', actor: '', counts: { requests: 2, requestErrors: 2 } });
  });

  it('names that nobody offers are no names', () => {
    expect(usageOf(refused('anything', 'tool_unknown'))).toMatchObject([{ tool: '', counts: { denied: 1 } }]);
  });

  it('nor are those that nobody looked for: whoever calls fills no table with names of its own', () => {
    const codes = ['kill_active', 'server_not_selected', 'mcp_input_state_invalid', 'tool_unknown'];
    const made = codes.flatMap((code) =>
      Array.from({ length: 50 }, (_, index) => refused(`made-up-${index}`, code)),
    );
    expect(usageOf(...made)).toMatchObject([{ server: 'github', tool: '', counts: { denied: 200 } }]);
    // What was looked for and found has its name.
    expect(usageOf(refused('search', 'tool_not_selected'))).toMatchObject([{ tool: 'search' }]);
  });

  it('whatever stands in an event: never a number that is none', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const event = sent({ requestBytes: one as null, calls: other as null, status: one as null });
        const called = finished('search', 1, { durationMs: other as null, outcome: one as null });
        for (const { counts } of usageOf(event, called))
          for (const count of Object.values(counts).flat())
            expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
      }),
    );
  });
});

const someEvent = fc.oneof(
  fc
    .record({ tool: fc.constantFrom('a', 'b', 'c'), ms: fc.nat(40_000) })
    .map(({ tool, ms }) => finished(tool, ms)),
  fc.constantFrom('a', 'd').map((tool) => refused(tool, 'policy_denied')),
  fc.nat(1_000).map((responseBytes) => sent({ responseBytes })),
);

it('counts are the same in whatever pieces the log is read', () => {
  fc.assert(
    fc.property(
      fc.array(someEvent, { maxLength: 40 }),
      fc.nat(40),
      fc.integer({ min: 1, max: 4 }),
      (events, at, max) => {
        const whole = keep([], usageOf(...events), 100);
        const first = keep([], usageOf(...events.slice(0, at)), 100);
        const second = keep(first, usageOf(...events.slice(at)), 100);
        const lines = (usages: readonly Usage[]) => report(usages, ['server']);
        const both = new Map(
          [...first, ...second].map((usage) => [JSON.stringify({ ...usage, counts: 0 }), usage]),
        );
        expect(report(both.values(), ['server', 'tool']).toSorted(byTool)).toEqual(
          report(whole, ['server', 'tool']).toSorted(byTool),
        );
        // Fewer names are kept apart: what is counted stays the same.
        const bounded = keep([], usageOf(...events), max);
        expect(bounded.length).toBeLessThanOrEqual(max + 1);
        expect(lines(bounded)).toEqual(lines(whole));
      },
    ),
  );
});

const byTool = (a: { of: { tool?: string } }, b: { of: { tool?: string } }): number =>
  (a.of.tool ?? '').localeCompare(b.of.tool ?? '');
