/**
 * An egress in a process that may have few descriptors: started under `prlimit`, with the address of an upstream.
 * Tells where its cell listens, and answers one question at a time: what it has recorded, and to take all
 * descriptors that are left, or give them back.
 */
import { closeSync, openSync } from 'node:fs';
import { systemDescriptors } from '../../src/egress/descriptors.ts';
import { type LogFields, silentLog } from '../../src/kernel/index.ts';
import { API, apiRule, World } from './world.ts';

export interface ProcessState {
  readonly logged: readonly { readonly event: string; readonly fields: LogFields }[];
  /** Codes of what was refused. */
  readonly refused: readonly unknown[];
  /** Those that are open, listeners aside. */
  readonly connections: number;
  /** All that is open. */
  readonly descriptors: number;
}

const [, , address = ''] = process.argv;
const logged: { event: string; fields: LogFields }[] = [];
const taken: number[] = [];
const world = await World.open({
  rules: [apiRule({ port: 80, protocol: 'http' })],
  credentials: [],
  secrets: {},
  upstreams: { [`${API}:80`]: { address, connections: [], close: () => Promise.resolve() } },
  log: { ...silentLog, error: (event, fields = {}) => void logged.push({ event, fields }) },
});

const answers: Readonly<Record<string, () => object>> = {
  state: (): ProcessState => ({
    logged,
    descriptors: systemDescriptors().open(),
    connections: process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length,
    refused: world.events.filter(({ type }) => type === 'egress.refused').map(({ data }) => data['code']),
  }),
  take() {
    try {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    } catch (error) {
      return { taken: taken.length, error: String(error) };
    }
  },
  free() {
    for (const descriptor of taken.splice(0)) closeSync(descriptor);
    return {};
  },
};

const place = await world.placeOf(API, 80);
process.on('message', (question: string) => process.send?.(answers[question]?.() ?? {}));
process.once('disconnect', () => void world.close());
process.send?.(place);
