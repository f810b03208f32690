/**
 * ATTACKS 13 over HTTP/2, where a path is a field of the request and no part of a line: past a rule about paths, and past
 * the paths that a credential is for where every path may be asked for. Towards upstreams that speak either version.
 */
import { describe, expect, it } from 'vitest';
import { FLAG, FRAME, frame, headerBlock, openFrames, requestLines } from '../egress/http2-frames.ts';
import { http2Upstream } from '../egress/http2-world.ts';
import {
  API,
  apiRule,
  bearer,
  httpsUpstream,
  inWorld,
  PLACEHOLDER,
  TOKEN,
  type World,
} from '../egress/world.ts';
import { PATH_TRICKS, PLAIN_PATHS } from './path-tricks.ts';

/** What no line of HTTP/1.1 could carry, or carries otherwise. */
const OWN_TRICKS = [
  '',
  '*',
  '/v1/public/\r\nx: y',
  'v1/public',
  `https://${API}/v1/public/../admin`,
  '/v1/public /../admin',
];
const REFUSALS = ['egress_path_denied', 'egress_request_malformed', 'egress_placeholder_misplaced', 'reset'];

/** @returns the code of a refusal, `reset`, or what was answered */
async function ask(world: World, path: string): Promise<string> {
  const peer = await openFrames(world, API);
  const lines = [
    ...requestLines({ method: 'GET', authority: API, path }),
    ['authorization', `Bearer ${PLACEHOLDER}`] as const,
  ];
  await peer.sent(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, headerBlock(lines)));
  const text = await peer.bodyOf(1);
  const isReset =
    text === '' && peer.frames.some(({ type }) => type === FRAME.reset || type === FRAME.goaway);
  peer.close();
  return isReset ? 'reset' : (/"code":"(\w+)"/.exec(text)?.[1] ?? text);
}

async function inPublic(
  version: 'h1' | 'h2',
  limited: 'rule' | 'credential',
  body: (world: World, seen: readonly string[]) => Promise<void>,
): Promise<void> {
  const seen: string[] = [];
  const upstream =
    version === 'h1'
      ? await httpsUpstream((request, response) => {
          seen.push(`${request.url} ${request.headers.authorization}`);
          response.end('ok');
        })
      : await http2Upstream((stream, headers) => {
          seen.push(`${headers[':path']} ${headers.authorization}`);
          stream.respond({ ':status': 200 });
          stream.end('ok');
        });
  const paths = { paths: ['/v1/public'] };
  await inWorld(
    {
      upstreams: { [`${API}:443`]: upstream },
      rules: [apiRule(limited === 'rule' ? paths : {})],
      credentials: [bearer(limited === 'credential' ? paths : {})],
    },
    (world) => body(world, seen),
  );
}

describe.each(['h1', 'h2'] as const)('ATTACKS 13, from HTTP/2 towards %s', (version) => {
  describe.each(['rule', 'credential'] as const)('a path of the %s', (limited) => {
    it('control: passes as it is, with the key', async () => {
      await inPublic(version, limited, async (world, seen) => {
        for (const path of PLAIN_PATHS) expect([path, await ask(world, path)]).toEqual([path, 'ok']);
        expect(seen).toEqual(PLAIN_PATHS.map((path) => `${path} Bearer ${TOKEN}`));
      });
    });

    it('reached by a trick gets neither there nor the key', async () => {
      await inPublic(version, limited, async (world, seen) => {
        for (const path of [...PATH_TRICKS, ...OWN_TRICKS])
          expect([path, REFUSALS.includes(await ask(world, path))]).toEqual([path, true]);
        expect(seen).toEqual([]);
        expect(world.uses).toEqual([]);
        const type = limited === 'rule' ? 'egress.refused' : 'credential.refused';
        expect((await world.eventsOf(type)).length).toBeGreaterThan(0);
      });
    });
  });
});
