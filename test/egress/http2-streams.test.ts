/** HTTP/2 streams that go both ways at a time, stop in the middle, or are slower on one side than on the other. */
import { describe, expect, it } from 'vitest';
import { connectHttp2, http2Upstream, type Http2Reply, replyOf } from './http2-world.ts';
import { API, httpsUpstream, inWorld, PLACEHOLDER, TOKEN, type World } from './world.ts';

const PLACE = `${API}:443`;
const AUTH = { authorization: `Bearer ${PLACEHOLDER}` };

/** A message of gRPC. */
function message(text: string): Buffer {
  const bytes = Buffer.alloc(5 + text.length);
  bytes.writeUInt32BE(text.length, 1);
  bytes.write(text, 5, 'latin1');
  return bytes;
}

/** Sends each message when the answer to the one before has come. */
async function talk(world: World, texts: readonly string[]): Promise<Http2Reply> {
  const session = await connectHttp2(world);
  const stream = session.request(
    { ':method': 'POST', ':path': '/', 'content-type': 'application/grpc', te: 'trailers', ...AUTH },
    { endStream: false },
  );
  const reply = replyOf(stream);
  const expected = texts.map((text) => message(text.replaceAll(TOKEN, PLACEHOLDER)).length);
  let [sent, received, awaited] = [0, 0, 0];
  const next = (): void => {
    const text = texts[sent];
    awaited += expected[sent] ?? 0;
    sent += 1;
    if (text === undefined) stream.end();
    else stream.write(message(text.replaceAll(TOKEN, 'key')));
  };
  stream.on('data', (data: Buffer) => {
    received += data.length;
    if (received === awaited) next();
  });
  next();
  try {
    return await reply;
  } finally {
    session.destroy();
  }
}

describe.each(['h1', 'h2'] as const)('messages both ways, through an upstream that speaks %s', (version) => {
  const upstreamOf = (answer: (text: Buffer) => Buffer) =>
    version === 'h2'
      ? http2Upstream((stream) => {
          stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
          stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-key': TOKEN }));
          stream.on('data', (data: Buffer) => stream.write(answer(data)));
          stream.on('end', () => stream.end());
        })
      : httpsUpstream((request, response) => {
          response.writeHead(200, { 'Content-Type': 'application/grpc', Trailer: 'grpc-status' });
          request.on('data', (data: Buffer) => response.write(answer(data)));
          request.on('end', () => {
            response.addTrailers({ 'grpc-status': '0', 'x-key': TOKEN });
            response.end();
          });
        });

  it('each is there before the next is sent, whatever it ends with', async () => {
    const texts = ['a', 'abc', '', TOKEN, TOKEN.slice(0, 20), `x${TOKEN}`, btoa('harmless'), 'last'];
    const upstream = await upstreamOf((data) =>
      data.subarray(5).toString() === 'key' || data.subarray(5).toString() === 'xkey'
        ? message(data.subarray(5).toString().replace('key', TOKEN))
        : data,
    );
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const reply = await talk(world, texts);
      expect(reply.body.toString('latin1')).toBe(
        Buffer.concat(texts.map((text) => message(text.replaceAll(TOKEN, PLACEHOLDER)))).toString('latin1'),
      );
      expect(reply.trailers).toMatchObject({ 'grpc-status': '0', 'x-key': PLACEHOLDER });
      expect(reply.reset).toBe(0);
    });
  });
});
