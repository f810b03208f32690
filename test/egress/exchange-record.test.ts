import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../src/audit/index.ts';
import { Correlation } from '../../src/egress/correlation.ts';
import { ExchangeRecord } from '../../src/egress/exchange-record.ts';
import { createScrubSet } from '../../src/egress/scrub/index.ts';
import { sourceOf, Trail } from '../../src/egress/trail.ts';
import { fixedClock, limits, silentLog } from '../../src/kernel/index.ts';
import { given } from './inject/bound-request.ts';
import { bearer, cellCalls } from './world.ts';

function recording() {
  const { binder, request } = given([bearer()]);
  const { spec } = binder;
  const clock = fixedClock(0);
  const events: AuditEvent[] = [];
  const keep = (event: AuditEvent): Promise<void> => {
    events.push(event);
    return Promise.resolve();
  };
  const audit = { record: keep, note: keep };
  const record = new ExchangeRecord(
    {
      spec,
      clock,
      correlation: new Correlation({ callsIn: () => cellCalls([]) }, spec.identity.cell, clock),
      trail: new Trail({ audit, source: sourceOf(spec.identity), clock, log: silentLog }),
      scrubSet: createScrubSet([]),
    },
    request,
  );
  record.intended = true;
  const hits = (): readonly unknown[] =>
    events.filter(({ type }) => type === 'egress.masked').map(({ data }) => data['hits']);
  return { record, clock, hits, events };
}

const HIT = { name: 'TOKEN', encoding: 'raw' } as const;
const ENDING = { status: 200, requestBytes: 0, responseBytes: 0, code: null };

describe('keys that were found in an answer that goes on', () => {
  it('are told soon, then now and then, and at the end, each once', () => {
    const { record, clock, hits } = recording();
    const sweep = (): void => record.tellHits(clock.monotonic());
    sweep();
    expect(hits()).toEqual([]);
    record.hit(HIT);
    sweep();
    expect(hits()).toEqual([1]);
    for (let second = 1; second < limits.hitsToldIntervalMs / 1_000; second += 1) {
      record.hit(HIT);
      clock.advance(1_000);
      sweep();
    }
    expect(hits()).toEqual([1]);
    clock.advance(1_000);
    sweep();
    expect(hits()).toEqual([1, limits.hitsToldIntervalMs / 1_000 - 1]);
    record.hit(HIT);
    record.hit({ name: 'OTHER', encoding: 'base64' });
    record.finished(ENDING);
    record.finished(ENDING);
    expect(hits()).toEqual([1, limits.hitsToldIntervalMs / 1_000 - 1, 2]);
  });

  it('are told by name and encoding', () => {
    const { record, events } = recording();
    record.hit(HIT);
    record.hit(HIT);
    record.hit({ name: 'OTHER', encoding: 'base64' });
    record.finished(ENDING);
    expect(events[0]?.data).toMatchObject({
      credentials: ['TOKEN', 'OTHER'],
      encodings: ['raw', 'base64'],
      hits: 3,
    });
    expect(events.map(({ type }) => type)).toEqual(['egress.masked', 'egress.finished']);
  });
});
