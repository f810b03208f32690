/** A front with one server elsewhere, which is closed after each test. */
import { afterEach } from 'vitest';
import { type Harness, principal, startHarness, type TestClient } from '../harness.ts';
import { type Answerer, type StandIn, standIn, type TestTransport, transportTo } from './stand-in.ts';

/** What the usual server answers a call with. */
export const done = { content: [{ type: 'text', text: 'done' }] };

export interface Far {
  readonly harness: Harness;
  readonly server: StandIn;
  readonly client: TestClient;
  /** Those that were opened, the last one last. */
  readonly transports: TestTransport[];
}

const open: Far[] = [];
afterEach(async () => {
  for (const { harness, server, transports } of open.splice(0)) {
    await harness.close();
    for (const transport of transports) await transport.close('the test is over');
    await server.close();
  }
});

/** @param more `challenged`: whether to ask once more, each time; `isStateless`: as `standIn` */
export async function far(
  answer: Answerer,
  { challenged = [], isStateless = false }: { challenged?: readonly boolean[]; isStateless?: boolean } = {},
): Promise<Far> {
  const server = await standIn(answer, isStateless);
  const transports: TestTransport[] = [];
  const harness = await startHarness({
    default: {
      far: {
        command: [],
        tools: '*',
        transport(cell) {
          const transport = transportTo(server.url, cell, challenged);
          transports.push(transport);
          return transport;
        },
      },
    },
  });
  const client = harness.stdio(principal('good', 'default'), { profile: 'default', server: 'far' });
  const made = { harness, server, client, transports };
  open.push(made);
  return made;
}

export const call = (client: TestClient, id = 'call', _meta?: object) =>
  client.request(id, 'tools/call', {
    name: 'echo',
    arguments: {},
    ...(_meta === undefined ? {} : { _meta }),
  });
