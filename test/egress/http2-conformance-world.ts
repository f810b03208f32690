/** One world for many connections that break rules, each watched until it is clear what is made of it. */
import { afterAll, beforeAll } from 'vitest';
import { errorCodeOf, FLAG, FRAME, openFrames } from './http2-frames.ts';
import { API, httpsUpstream, World } from './world.ts';

/** `goaway` or `reset` with its code (RFC 9113 section 7), the code of a refusal, the body of an answer, or `over`. */
type Outcome = string;

export interface Conformance {
  /** What the upstream got: method, target and fields of each request, and its body once that was complete. */
  readonly arrived: readonly { readonly head: string; readonly body: string | null }[];
  /** Sends frames on a new connection, and says what came of them: on a stream, or on the connection. */
  readonly outcomeOf: (frames: readonly Buffer[], on?: number) => Promise<Outcome>;
}

/** Opened for all tests of a file. */
export function inConformanceWorld(): Conformance {
  const arrived: { head: string; body: string | null }[] = [];
  let world: World | null = null;
  beforeAll(async () => {
    const upstream = await httpsUpstream((request, response) => {
      const fields = request.rawHeaders.map((text) => text.toLowerCase()).join('\n');
      const seen = { head: `${request.method} ${request.url}\n${fields}`, body: '' };
      const entry: { head: string; body: string | null } = { head: seen.head, body: null };
      arrived.push(entry);
      request.on('error', () => undefined);
      request.on('data', (data: Buffer) => (seen.body += data.toString('latin1')));
      request.on('end', () => {
        entry.body = seen.body;
        response.end('served');
      });
    });
    world = await World.open({ upstreams: { [`${API}:443`]: upstream } });
  });
  afterAll(() => world?.close());

  return {
    arrived,
    outcomeOf: async (frames, on = 1) => {
      if (world === null) throw new Error('there is no world outside of tests');
      arrived.length = 0;
      const peer = await openFrames(world);
      peer.send(...frames);
      const end = await peer.first(
        ({ type, stream, flags }) =>
          type === FRAME.goaway ||
          (stream === on &&
            (type === FRAME.reset ||
              ((type === FRAME.data || type === FRAME.headers) && (flags & FLAG.endStream) !== 0))),
      );
      const text = await (end?.type === FRAME.data ? peer.bodyOf(on) : '');
      peer.close();
      if (end === undefined) return 'over';
      if (end.type === FRAME.goaway || end.type === FRAME.reset)
        return `${end.type === FRAME.goaway ? 'goaway' : 'reset'} ${errorCodeOf(end)}`;
      return /"code":"(\w+)"/.exec(text)?.[1] ?? text;
    },
  };
}
