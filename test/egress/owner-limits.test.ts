/** The owner's limits on what servers send, on real connections: each request counts once, each credential for itself. */
import { expect, it } from 'vitest';
import type { RequestLimits } from '../../src/egress/index.ts';
import { decideLimits, planLimits } from '../../src/policy/index.ts';
import { rulesOf } from '../policy/rules/asking.ts';
import { errorOf, httpsUpstream, inWorld, PLACEHOLDER } from './world.ts';

const NOW = Date.parse('2026-11-20T10:00:00Z');

/** Counts in memory, at a moment that does not pass. */
function counting(): RequestLimits {
  const counts = new Map<string, { amount: number; atMs: number }>();
  return {
    async count(_, held, request) {
      const plan = planLimits(held, request);
      const kept = plan.counted.map(({ key }) => counts.get(key) ?? null);
      const verdict = decideLimits(plan, { counts: kept, flights: [] }, NOW);
      for (const { key, ...count } of verdict.counts) counts.set(key, count);
      return verdict.ok ? null : verdict.exceeded;
    },
  };
}

async function upstreamOf() {
  const asked: string[] = [];
  const upstream = await httpsUpstream((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume().on('end', () => response.end('ok'));
  });
  return { asked, upstreams: { 'api.test:443': upstream } };
}

it('a request too many is told when to come again, is on record, and does not leave', async () => {
  const { asked, upstreams } = await upstreamOf();
  const ownerRules = rulesOf(
    'rules: [{ id: slow, match: { hosts: api.test, methods: POST }, do: limit, limit: { calls: 2, by: [server] } }]',
  );
  await inWorld({ upstreams, ownerRules, ownerLimits: counting() }, async (world) => {
    // With a body that is read on its way, and judged again as it comes: it counts once all the same.
    for (const path of ['/a', '/b']) {
      const sent = await world.request({
        method: 'POST',
        path,
        body: 'x'.repeat(50_000),
        headers: { 'Transfer-Encoding': 'chunked' },
      });
      expect(sent.status).toBe(200);
    }
    const refused = await world.request({ method: 'POST', path: '/c', body: 'x' });
    expect([refused.status, refused.headers['retry-after'], errorOf(refused)]).toMatchObject([
      429,
      '30',
      {
        code: 'limit_exceeded',
        message: 'There may be 2 per minute for each server. Rule: slow. Call again in 30 s.',
      },
    ]);
    expect((await world.request({ path: '/d' })).status).toBe(200);
    expect(asked).toEqual(['POST /a', 'POST /b', 'GET /d']);
    const [event] = await world.eventsOf('egress.refused', 1);
    expect(event?.data).toMatchObject({ code: 'limit_exceeded', rule: 'slow' });
  });
});

it('a credential is counted where it is used, and is not opened once too often', async () => {
  const { asked, upstreams } = await upstreamOf();
  const ownerRules = rulesOf(
    'rules: [{ id: key, on: egress, do: limit, limit: { calls: 1, per: hour, by: [credential] } }]',
  );
  await inWorld({ upstreams, ownerRules, ownerLimits: counting() }, async (world) => {
    const headers = { Authorization: `Bearer ${PLACEHOLDER}` };
    expect((await world.request({ path: '/none' })).status).toBe(200);
    expect((await world.request({ path: '/first', headers })).status).toBe(200);
    expect(errorOf(await world.request({ path: '/second', headers })).code).toBe('limit_exceeded');
    expect((await world.request({ path: '/none' })).status).toBe(200);
    expect(asked).toEqual(['GET /none', 'GET /first', 'GET /none']);
    expect(world.uses).toHaveLength(1);
  });
});
