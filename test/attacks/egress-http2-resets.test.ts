/**
 * ATTACKS 12: a client that resets its streams while they are being refused, begun or asked to go on. It is the stream
 * that ends, and neither its connection nor the gateway. The control is the next request, on the same connection.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectHttp2, replyOf } from '../egress/http2-world.ts';
import { httpsUpstream, inWorld, PLACEHOLDER } from '../egress/world.ts';

const failures: unknown[] = [];
const onFailure = (error: unknown): void => void failures.push(error);
beforeEach(() => {
  failures.length = 0;
  process.on('unhandledRejection', onFailure).on('uncaughtException', onFailure);
});
afterEach(() => void process.off('unhandledRejection', onFailure).off('uncaughtException', onFailure));

/** NO_ERROR leaves a stream with something unread closed and not destroyed; the others end it at once. */
const CODES = [0, 2, 8];
const KEY = `Bearer ${PLACEHOLDER}`;

describe('ATTACKS 12: a stream that is reset', () => {
  it.each([
    ['is refused', { ':path': `/${PLACEHOLDER}` }],
    ['is no request', { ':path': '/', ':method': 'CONNECT-ME' }],
    ['asks to go on', { ':path': '/', authorization: KEY, expect: '100-continue', 'content-length': '5' }],
    ['is answered', { ':path': '/', authorization: KEY }],
  ])('while it %s takes nobody along', async (_what, headers) => {
    const upstream = await httpsUpstream((_request, response) => {
      response.writeProcessing();
      response.end('ok');
    });
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const session = await connectHttp2(world);
      for (const code of CODES) {
        for (const [auditMs, resetMs] of [
          [0, 0],
          [0, 1],
          [20, 0],
          [20, 5],
        ] as const) {
          world.auditDelayMs = auditMs;
          const stream = session.request({ ':method': 'POST', ...headers });
          stream.on('error', () => undefined);
          stream.write('hello');
          if (resetMs > 0) await sleep(resetMs);
          stream.close(code);
          await sleep(auditMs + 5);
        }
      }
      world.auditDelayMs = 0;
      const next = await replyOf(session.request({ ':path': '/', authorization: KEY }));
      expect([next.status, next.body.toString()]).toEqual([200, 'ok']);
      session.destroy();
    });
    expect(failures).toEqual([]);
  });
});
