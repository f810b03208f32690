/**
 * A cell whose gateway runs out of file descriptors, in a process that may have few. Prints a line of JSON for each thing
 * that it has come to; goes on when it is told so on stdin.
 */
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { HostsFile } from '../../src/egress/upstream/resolver-hosts.ts';
import { CachingResolver } from '../../src/egress/upstream/resolver.ts';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import { API, httpsUpstream, inWorld, PLACEHOLDER } from './world.ts';

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const told = createInterface({ input: process.stdin });
const folder = mkdtempSync(join(tmpdir(), 'descriptors-'));
const clock = fixedClock(0);
const hosts = new HostsFile(clock, join(folder, 'hosts'));
const unknown = async (): Promise<never> => {
  throw new Error('DNS knows no such name');
};
const resolver = new CachingResolver(
  { hosts: (name) => hosts.addresses(name), dns: unknown, system: unknown },
  clock,
);
const pinned = (): Promise<unknown> => resolver.resolve('pinned.test').catch(() => 'unresolved');

const upstream = await httpsUpstream((_request, response) => {
  response.writeHead(200, { connection: 'close' }).end('ok');
});
await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
  const place = await world.placeOf(API, 443);
  const client = await world.connectTls();
  client.setEncoding('latin1');
  async function ask(): Promise<string> {
    client.write(`GET / HTTP/1.1\r\nHost: ${API}\r\nAuthorization: Bearer ${PLACEHOLDER}\r\n\r\n`);
    let answer = '';
    while (!/\r\n\r\n./.test(answer)) answer += String((await once(client, 'data'))[0]);
    return answer.slice(9, 12);
  }
  say({ before: await ask() });
  const held: number[] = [];
  writeFileSync(join(folder, 'hosts'), '10.0.0.1 pinned.test\n');
  for (;;) {
    try {
      held.push(openSync('/dev/null', 'r'));
    } catch {
      break;
    }
  }
  clock.advance(limits.resolverHostsCheckMs);
  await ask();
  const [refused] = await world.eventsOf('egress.refused');
  say({ code: refused?.data['code'], pinned: await pinned(), place });
  await once(told, 'line');
  for (const descriptor of held) closeSync(descriptor);
  clock.advance(limits.resolverNegativeTtlMs);
  say({ after: await ask(), pinned: await pinned(), another: (await world.request()).status });
  client.destroy();
});
rmSync(folder, { recursive: true });
told.close();
