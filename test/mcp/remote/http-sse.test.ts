/** Servers of revision 2024-11-05: one stream for everything that they say, and an address for what they are told. */
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { call, far } from './far.ts';
import { event, type Got, stream, usual } from './stand-in.ts';

interface Old {
  /** The streams that it has opened and that are open. */
  readonly streams: ServerResponse[];
  readonly answer: (got: Got, res: ServerResponse) => unknown;
}

/** @param endpoint what it says its address is; null: nothing */
function old(endpoint: string | null = '/messages?session=1'): Old {
  const streams: ServerResponse[] = [];
  return {
    streams,
    answer(got, res) {
      if (got.method === 'GET') {
        stream(res);
        streams.push(res);
        res.on('close', () => streams.splice(streams.indexOf(res), 1));
        res.write(endpoint === null ? ': hello\n\n' : `event: endpoint\ndata: ${endpoint}\n\n`);
        if (endpoint === null) res.end();
        return;
      }
      if (!got.path.startsWith('/messages')) return res.writeHead(405).end();
      res.writeHead(202).end();
      if (got.message['id'] === undefined) return;
      const said = {
        writeHead: () => said,
        end: (text?: string) => streams.at(-1)?.write(event(text ?? '')),
      };
      return usual(got, said as unknown as ServerResponse, []);
    },
  };
}

describe('a server of HTTP+SSE', () => {
  it('is found out, and spoken to as it wants', async () => {
    const server = old();
    const { client, server: seen, transports } = await far(server.answer);
    expect(await client.initialize()).toMatchObject({ result: { serverInfo: { name: 'far' } } });
    expect(await call(client)).toMatchObject({ result: { content: [{ text: 'done' }] } });
    expect(transports[0]?.notes).toEqual(['it speaks HTTP+SSE, the transport of revision 2024-11-05']);
    expect(seen.got.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /mcp',
      'GET /mcp',
      ...Array.from({ length: 4 }, () => 'POST /messages?session=1'),
    ]);
    await transports[0]?.close('idle');
    await expect.poll(() => server.streams.length, { timeout: 10_000 }).toBe(0);
  });

  it('is gone with its stream, and there again at the next call', async () => {
    const server = old();
    const { client, transports } = await far(server.answer);
    await client.initialize();
    await call(client, 'before');
    server.streams[0]?.destroy();
    await expect(transports[0]?.exited).resolves.toMatchObject({ reason: 'its event stream ended' });
    expect(await call(client, 'after')).toMatchObject({ result: { content: [{ text: 'done' }] } });
    expect(transports).toHaveLength(2);
  });

  it.each([
    ['of another host', 'https://other.example/messages', 'upstream_endpoint_foreign'],
    ['of another port', 'http://127.0.0.1:1/messages', 'upstream_endpoint_foreign'],
    ['that is none', 'http://', 'upstream_endpoint_foreign'],
    ['that it does not name', null, 'upstream_endpoint_missing'],
  ])('is sent nothing to an address %s', async (_which, endpoint, code) => {
    const { client, server } = await far(old(endpoint).answer);
    expect(await client.initialize()).toMatchObject({ error: { data: { code } } });
    expect(server.got.filter(({ path }) => path !== '/mcp')).toEqual([]);
  });

  it('is not looked for where the handshake was refused for another reason', async () => {
    const { client, server } = await far((_got, res) => res.writeHead(503).end());
    expect(await client.initialize()).toMatchObject({ error: { data: { code: 'upstream_http_status' } } });
    expect(server.seen).toEqual(['POST initialize']);
  });

  it('is not there where there is nothing: what the server said to the handshake is told', async () => {
    const { client } = await far((_got, res) => res.writeHead(404).end());
    expect(await client.initialize()).toMatchObject({
      error: { message: 'The server "far" answered with HTTP 404.' },
    });
  });
});
