/** What is measured of the egress: sizes, connections, protocols. */
import { LARGE_PATH, SMALL_PATH } from './targets.ts';

export interface Case {
  /** For `--only`. */
  readonly id: string;
  readonly title: string;
  readonly path: string;
  readonly unit: 'requests/s' | 'MB/s';
  readonly connections: number;
  /** At a time, per connection. */
  readonly streams: number;
  /** A new connection for each request. */
  readonly fresh: boolean;
  readonly http2: boolean;
  /** How many times the usual number of rounds. */
  readonly weight: number;
  readonly budget: Budget | null;
}

/** Both for the median of all rounds. */
export interface Budget {
  /** Share of nginx's requests or bytes per second. */
  readonly ofNginx: number | null;
  /** Milliseconds more than without a proxy. */
  readonly addedP50: number | null;
}

const CONNECTIONS = [32, 1, 256];
const BUDGETS: Readonly<Record<string, Budget>> = {
  '1kb-32': { ofNginx: 0.7, addedP50: null },
  '1kb-1': { ofNginx: null, addedP50: 0.25 },
  '1mb-32': { ofNginx: 0.5, addedP50: null },
};
const QUICK = ['1kb-32', '1kb-1', '1mb-32', '1kb-32-new', 'h2-1kb-32', 'h2-1mb-32'];

type Shape = Pick<Case, 'connections' | 'streams' | 'fresh' | 'http2'> & { readonly size: '1kb' | '1mb' };

function caseOf({ size, connections, streams, fresh, http2 }: Shape): Case {
  const shape = streams === 1 ? String(connections) : `${connections}x${streams}`;
  const id = `${http2 ? 'h2-' : ''}${size}-${shape}${fresh ? '-new' : ''}`;
  const budget = BUDGETS[id] ?? null;
  const lines = connections === 1 ? 'connection' : 'connections';
  const kind = fresh ? `${lines} at a time, a new one for each request` : `kept ${lines}`;
  return {
    id,
    title: `HTTP/${http2 ? '2' : '1.1'}, ${size === '1kb' ? '1 KB' : '1 MB'} of JSON, ${connections} ${kind}${streams > 1 ? `, ${streams} streams each` : ''}`,
    path: size === '1kb' ? SMALL_PATH : LARGE_PATH,
    unit: size === '1kb' ? 'requests/s' : 'MB/s',
    connections,
    streams,
    fresh,
    http2,
    weight: budget === null ? 1 : 2,
    budget,
  };
}

const all: readonly Case[] = [
  ...[false, true].flatMap((fresh) =>
    (['1kb', '1mb'] as const).flatMap((size) =>
      CONNECTIONS.map((connections) => caseOf({ size, connections, streams: 1, fresh, http2: false })),
    ),
  ),
  ...(['1kb', '1mb'] as const).flatMap((size) =>
    CONNECTIONS.map((connections) => caseOf({ size, connections, streams: 1, fresh: false, http2: true })),
  ),
  caseOf({ size: '1kb', connections: 1, streams: 32, fresh: false, http2: true }),
];

/** @param only ids; null for all, or for the usual ones where it has to be quick */
export const casesFor = (only: readonly string[] | null, quick: boolean): readonly Case[] =>
  all.filter(({ id }) => only?.includes(id) ?? (!quick || QUICK.includes(id)));
