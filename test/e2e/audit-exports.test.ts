/**
 * The gateway is killed with `kill -9` at the worst moment of an export: the collector has taken a batch, and nobody wrote that
 * down. The next gateway sends that batch again, under the same id, and then goes on; a file has each event once.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { type Home, makeHome, type Served } from './harness.ts';

interface Body {
  readonly id: string;
  readonly data: { readonly events: readonly { readonly sequence: number; readonly type: string }[] };
}

let home: Home | null = null;
let serving: Served | null = null;
const taken: Body[] = [];
/** Called with a batch in hand that nothing was answered to. */
let onTaken = async (): Promise<void> => undefined;
const collector = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    taken.push(JSON.parse(Buffer.concat(chunks).toString()) as Body);
    void onTaken().then(() => response.end());
  });
});

afterAll(() => {
  home?.remove();
  collector.close();
});

const sequences = (bodies: readonly Body[]): number[] =>
  bodies.flatMap(({ data }) => data.events.map(({ sequence }) => sequence));

it('loses nothing when it is killed between receiver and note, and what comes twice has one id', async () => {
  await new Promise<void>((done) => collector.listen(0, '127.0.0.1', done));
  const { port } = collector.address() as AddressInfo;
  home = makeHome(`
egress: { allowNetworks: [ 127.0.0.0/8 ] }
audit:
  exports:
    - { name: siem, kind: webhook, url: "http://127.0.0.1:${port}/" }
    - { name: file, kind: jsonl, path: ./audit.jsonl }
alerts: {}
`);
  expect((await home.run('init')).code).toBe(0);
  const killed = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  onTaken = async () => {
    await begun.promise;
    await serving?.crash();
    killed.resolve();
  };
  serving = await home.serve();
  begun.resolve();
  await killed.promise;
  expect(taken).toHaveLength(1);

  onTaken = async () => undefined;
  serving = await home.serve();
  await expect.poll(() => taken.length, { timeout: 20_000 }).toBe(3);
  const [first, again, rest] = taken;
  expect(again).toMatchObject({ id: first?.id, data: first?.data });
  expect(rest?.id).not.toBe(first?.id);
  const known = [...new Map(taken.map((body) => [body.id, body])).values()];
  expect(sequences(known)).toEqual(sequences(known).map((_, index) => index + 1));
  expect(rest?.data.events.some(({ type }) => type === 'gateway.started')).toBe(true);

  const exports = await home.json<{ name: string; code: string | null }[]>('audit', 'exports');
  expect(exports).toMatchObject([
    { name: 'siem', code: null },
    { name: 'file', code: null },
  ]);
  expect(await home.json('alert', 'test')).toMatchObject({ kind: 'test' });
  expect(await home.json('alert', 'list')).toMatchObject([{ kind: 'test' }]);
  expect(serving.log()).toContain('alert.raised');
  expect(await serving.stop()).toBe(0);
  const lines = readFileSync(join(home.path, 'audit.jsonl'), 'utf8').trim().split('\n');
  const inFile = lines.map((line) => JSON.parse(line) as { sequence: number; previous?: string });
  const events = inFile.filter(({ previous }) => previous !== undefined);
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
  // Checkpoints of the file are as good as any.
  expect((await home.run('audit', 'verify')).code).toBe(0);
});
