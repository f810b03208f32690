/**
 * What the runtime itself allows: a relay that has TLS on both sides, one upstream connection for each connection, and
 * swaps the placeholder by replacing text. No parser, no rule, no record, nothing searched: nobody should use it.
 */
import { createServer } from 'node:net';
import { createSecureContext, connect as connectTls, TLSSocket } from 'node:tls';

process.once('message', ({ host, upstreamPort, identity, ca, key, placeholder }) => {
  const secureContext = createSecureContext(identity);
  const trust = createSecureContext({ ca });
  const server = createServer({ noDelay: true }, (raw) => {
    const client = new TLSSocket(raw, { isServer: true, secureContext });
    const upstream = connectTls({
      host: '127.0.0.1',
      port: upstreamPort,
      servername: host,
      secureContext: trust,
    });
    upstream.setNoDelay(true);
    const end = () => {
      raw.destroy();
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [raw, client, upstream]) socket.on('error', end).on('close', end);
    client.on('data', (piece) => {
      const text = piece.latin1Slice().replace(placeholder, key);
      if (!upstream.write(text, 'latin1')) client.pause();
    });
    upstream.on('drain', () => client.resume());
    upstream.on('data', (piece) => {
      if (!client.write(piece)) upstream.pause();
    });
    client.on('drain', () => upstream.resume());
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () =>
    process.send({ port: server.address().port }),
  );
});
process.once('disconnect', () => process.exit(0));
