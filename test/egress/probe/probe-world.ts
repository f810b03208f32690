/** A probe of an upstream that does with the canary whatever a careless API might do with a key. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect } from 'vitest';
import type { ProbeOptions, ProbeResult, ProbeSpec } from '../../../src/egress/index.ts';
import { API, httpsUpstream, inWorld, type Upstream, type World, type WorldOptions } from '../world.ts';

export const never: AbortSignal = new AbortController().signal;
let made = 0;
/** As random as it has to be here: different each time, and none of what the world knows. */
const canary = (): string =>
  `ghp_${createHash('sha256').update(`canary ${made++}`).digest('hex').slice(0, 36)}`;

export const specOf = (world: World, over: Partial<ProbeSpec> = {}): ProbeSpec => ({
  workspace: world.spec.identity.workspace,
  server: 'github',
  actor: { kind: 'local', id: '1000' },
  rules: world.spec.rules,
  credentials: world.spec.credentials,
  canary,
  home: null,
  options: {},
  ...over,
});

export const runProbe = (
  world: World,
  options: ProbeOptions = {},
  over: Partial<ProbeSpec> = {},
): Promise<readonly ProbeResult[]> =>
  world.egress.probe(specOf(world, { options, ...over }), () => undefined, never);

export async function withUpstream<T>(
  upstream: Upstream,
  body: (world: World) => Promise<T>,
  over: WorldOptions = {},
): Promise<T> {
  let given: T | undefined;
  await inWorld({ upstreams: { [`${API}:443`]: upstream }, ...over }, async (world) => {
    given = await body(world);
  });
  return given as T; // `inWorld` has rejected otherwise
}

/** The canary of a request with the world's own credential. */
export const given = (request: IncomingMessage): string =>
  request.headers.authorization?.slice('Bearer '.length) ?? '';

export type Echoing = (canary: string, response: ServerResponse, request: IncomingMessage) => void;
export const probeOne = async (echoing: Echoing, options: ProbeOptions = {}): Promise<ProbeResult> => {
  const upstream = await httpsUpstream((request, response) => echoing(given(request), response, request));
  const [result, ...more] = await withUpstream(upstream, (world) => runProbe(world, options));
  expect(more).toEqual([]);
  if (result === undefined) throw new Error('no result');
  return result;
};

export const text =
  (value: string | Buffer): Echoing =>
  (_, response) =>
    response.end(value);
