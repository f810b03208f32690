/**
 * A key in every encoding, in every content coding, in frames of HTTP/2: cut between DATA frames, in fields, in trailers.
 * On both sides real sockets.
 */
import type { ClientHttp2Session, ServerHttp2Stream } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectHttp2, http2Upstream } from './http2-world.ts';
import { type BodyCase, bodyCase, CODINGS, faultsOf } from './scrub/cases.ts';
import { renditions } from './scrub/renditions.ts';
import { API, PLACEHOLDER, TOKEN, World } from './world.ts';

interface Plan {
  readonly body: Buffer;
  readonly coding?: string | undefined;
  /** Where it is cut into DATA frames. */
  readonly cuts: readonly number[];
  /** What stands in a field, and in a trailer. Latin-1. */
  readonly echo?: string;
}

interface Seen {
  readonly body: Buffer;
  readonly echo: string;
  readonly trailer: string;
}

const plans: Plan[] = [];
let world: World;
let session: ClientHttp2Session;

async function serve(stream: ServerHttp2Stream, { body, coding, cuts, echo = '' }: Plan): Promise<void> {
  stream.respond(
    {
      ':status': 200,
      ...(coding === undefined ? {} : { 'content-encoding': coding.trim() }),
      ...(echo === '' ? {} : { 'x-echo': `a ${echo} z` }),
    },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () => stream.sendTrailers(echo === '' ? {} : { 'x-trailer': `a ${echo} z` }));
  const edges = [0, ...cuts, body.length];
  for (const [index, edge] of edges.slice(1).entries()) {
    const piece = body.subarray(edges[index], edge);
    if (piece.length > 0) await new Promise<void>((sent) => stream.write(piece, () => sent()));
  }
  stream.end();
}

function through(plan: Plan): Promise<Seen> {
  const stream = session.request({ ':path': `/${plans.push(plan) - 1}` });
  const pieces: Buffer[] = [];
  let echo = '';
  let trailer = '';
  stream.on('response', (headers) => (echo = String(headers['x-echo'] ?? '')));
  stream.on('trailers', (headers) => (trailer = String(headers['x-trailer'] ?? '')));
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('end', () => resolve({ body: Buffer.concat(pieces), echo, trailer }));
  });
}

beforeAll(async () => {
  const upstream = await http2Upstream((stream, headers) => {
    const plan = plans[Number(String(headers[':path']).slice(1))];
    if (plan === undefined) stream.respond({ ':status': 404 }, { endStream: true });
    else void serve(stream, plan);
  });
  world = await World.open({ upstreams: { [`${API}:443`]: upstream } });
  session = await connectHttp2(world);
});
afterAll(async () => {
  session.destroy();
  await world.close();
});

/** In the middle, near the ends, and all at once. */
function cutsOf({ coding, before, rendition, coded }: BodyCase): readonly (readonly number[])[] {
  const start = coding.header === undefined ? before.length : 0;
  const length = coding.header === undefined ? rendition.bytes.length : coded.length;
  const [first, middle, last] = [start + 1, start + (length >> 1), start + length - 1];
  return [[first], [middle], [last], [first, middle, last]];
}

describe.each(CODINGS)('in DATA frames, coded in $label', (coding) => {
  it('the key is masked in every encoding', async () => {
    for (const rendition of renditions(TOKEN)) {
      const body = bodyCase(rendition, coding);
      const plansOf = cutsOf(body).map((cuts) => ({ body: body.coded, coding: coding.header, cuts }));
      const seen = await Promise.all(plansOf.map(through));
      expect(
        seen.map((one) => faultsOf(body, one.body)),
        rendition.label,
      ).toEqual([[], [], [], []]);
    }
  });
});

it('in a field and in a trailer the key is masked in every encoding', async () => {
  const inLines = renditions(TOKEN).filter(({ bytes }) => /^[\x20-\x7e]+$/.test(bytes.toString('latin1')));
  expect(inLines.length).toBeGreaterThan(60);
  for (const { bytes, label } of inLines) {
    const echo = bytes.toString('latin1');
    const seen = await through({ body: Buffer.from('ok'), cuts: [], echo });
    for (const text of [seen.echo, seen.trailer]) {
      expect([text.startsWith('a '), text.endsWith(' z'), text.includes(echo)], label).toEqual([
        true,
        true,
        false,
      ]);
    }
  }
});

it('the control: what is no key comes through, in frames, fields and trailers', async () => {
  const echo = TOKEN.replace('9f', '9g');
  const seen = await through({ body: Buffer.from(`${echo} ${TOKEN}`), cuts: [3, 50], echo });
  expect([seen.body.toString(), seen.echo, seen.trailer]).toEqual([
    `${echo} ${PLACEHOLDER}`,
    `a ${echo} z`,
    `a ${echo} z`,
  ]);
});
