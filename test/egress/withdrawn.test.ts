/** The kill switch of a credential cuts what carries it, in whatever part of a request it is, and nothing else. */
import type { ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { errorOf, httpsUpstream, inWorld, PLACEHOLDER } from './world.ts';

const AUTH = { Authorization: `Bearer ${PLACEHOLDER}` };

it('in an answer that goes on, and before one has begun', async () => {
  const answers = new Map<string, ServerResponse>();
  const closed: string[] = [];
  const upstream = await httpsUpstream((request, response) => {
    const path = request.url ?? '';
    answers.set(path, response);
    response.on('close', () => closed.push(path));
    // One says something and goes on, the others say nothing yet.
    if (path.startsWith('/open')) response.write('begun');
  });
  await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
    const open = world.request({ path: '/open', headers: AUTH });
    const waiting = world.request({ path: '/waiting', headers: AUTH });
    const without = world.request({ path: '/without' });
    await expect.poll(() => answers.size, { timeout: 10_000 }).toBe(3);
    world.egress.withdraw(({ server }, name) => server === 'nobody' && name === 'TOKEN');
    world.egress.withdraw(({ server }, name) => server === world.spec.identity.server && name === 'OTHER');
    expect(closed).toEqual([]);
    world.egress.withdraw(({ server }, name) => server === world.spec.identity.server && name === 'TOKEN');
    await expect(open).rejects.toThrow();
    expect(errorOf(await waiting)).toMatchObject({
      code: 'egress_credential_killed',
      message: 'The kill switch is set for TOKEN, and the connection made use of it.',
    });
    await expect.poll(() => closed.toSorted(), { timeout: 10_000 }).toEqual(['/open', '/waiting']);
    answers.get('/without')?.end('whole');
    expect((await without).status).toBe(200);
    const events = await world.eventsOf('egress.refused', 2);
    expect(events.map(({ data }) => [data['code'], data['credential']])).toEqual([
      ['egress_credential_killed', 'TOKEN'],
      ['egress_credential_killed', 'TOKEN'],
    ]);
  });
});
