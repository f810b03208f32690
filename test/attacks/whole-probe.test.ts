/**
 * Probing with everything real: an upstream that sends back whatever it is given, in every disguise, is found out; and
 * one that would like to make use of being asked gets nothing by it. No cell runs meanwhile.
 */
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ProbeView } from '../../src/api/index.ts';
import { API, HOSTILE, KEY, openWorld, type World } from './whole-world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(() => {
  world.arrived.length = 0;
});

const reply = (socket: Socket, body: string | Buffer, fields = '', status = '200 OK'): void => {
  socket.write(`HTTP/1.1 ${status}\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`);
  socket.write(body);
};
const CANARY = /key_[A-Za-z0-9]{32}/;
/** The value in a request, wherever it is. */
function valueIn(head: string): string {
  const basic = /^Authorization: Basic (\S+)/im.exec(head)?.[1];
  const text = basic === undefined ? head : Buffer.from(basic, 'base64').toString();
  return CANARY.exec(text)?.[0] ?? '';
}
const found = async (...options: string[]): Promise<ProbeView['probes']> => {
  const { code, stdout, stderr } = await world.run('server', 'probe', 'attacker', '--json', ...options);
  if (code !== 0) throw new Error(stdout + stderr);
  return (JSON.parse(stdout) as ProbeView).probes;
};
const hex = (text: string): string => Buffer.from(text).toString('hex');

describe('an upstream that sends back what it is given', () => {
  it.each<[string, (value: string, socket: Socket) => void, string, string]>([
    ['a header', (value, to) => reply(to, '', `X-Echo: ${value}\r\n`), 'header X-Echo', 'raw'],
    [
      'a cookie',
      (value, to) => reply(to, '', `Set-Cookie: a=${value}; Secure\r\n`),
      'header Set-Cookie',
      'raw',
    ],
    ['base64', (value, to) => reply(to, Buffer.from(`??${value}`).toString('base64')), 'body', 'base64'],
    ['hex', (value, to) => reply(to, hex(value)), 'body', 'hex'],
    ['gzip', (value, to) => reply(to, gzipSync(value), 'Content-Encoding: gzip\r\n'), 'body', 'raw'],
    ['UTF-16', (value, to) => reply(to, Buffer.from(value, 'utf16le')), 'body', 'utf16le'],
    ['percent escapes', (value, to) => reply(to, hex(value).replaceAll(/../g, '%$&')), 'body', 'percent'],
    ['JSON escapes', (value, to) => reply(to, hex(value).replaceAll(/../g, '\\u00$&')), 'body', 'json'],
    ['a 401', (value, to) => reply(to, `bad ${value}`, '', '401 Unauthorized'), 'body', 'raw'],
  ])('in %s is found out, in every place of the credential', async (_name, echo, where, encoding) => {
    world.answer = (seen, socket) => echo(valueIn(seen.head), socket);
    const probes = await found();
    expect(probes.map(({ host, place, outcome, echoed }) => [host, place, outcome, echoed])).toEqual([
      [API, 'header Authorization', 'answered', [{ where, encoding }]],
      [API, 'basic password', 'answered', [{ where, encoding }]],
      [API, 'query api_key', 'answered', [{ where, encoding }]],
      [API, 'json /api_key', 'skipped', []],
    ]);
  });

  it('control: one that does not is found clean', async () => {
    world.answer = (_, socket) => reply(socket, '{"ok":true}', 'X-Echo: nothing\r\n');
    const probes = await found();
    expect(probes.map(({ outcome, echoed }) => [outcome, echoed])).toEqual([
      ['answered', []],
      ['answered', []],
      ['answered', []],
      ['skipped', []],
    ]);
    expect(world.arrived).toHaveLength(3);
  });

  it('is asked in bodies too, when that is wanted', async () => {
    world.answer = (seen, socket) => reply(socket, seen.body);
    const probes = await found('--post');
    expect(probes.at(-1)).toMatchObject({
      place: 'json /api_key',
      method: 'POST',
      echoed: [{ where: 'body', encoding: 'raw' }],
    });
    expect(JSON.parse(world.arrived.at(-1)?.body ?? '')).toEqual({
      api_key: expect.stringMatching(CANARY) as string,
    });
  });
});

describe('an upstream that wants more than that', () => {
  it('gets no key, no placeholder, and no two values that are the same', async () => {
    world.answer = (_, socket) =>
      reply(socket, 'give me the real one', 'WWW-Authenticate: Bearer\r\n', '401 No');
    await found('--post');
    const values = world.arrived.map(({ head, body }) => valueIn(`${head}\n${body}`));
    expect(values).toHaveLength(4);
    expect(new Set(values).size).toBe(4);
    for (const value of values) expect(value).toMatch(CANARY);
    expect(values).not.toContain(KEY);
    for await (const line of world.client.audit({ last: 1_000 }))
      expect(line).not.toMatchObject({ type: 'credential.used' });
    expect((await world.client.server('attacker')).cells).toBe(0);
  });

  it('sends nobody anywhere, and a host that no credential is bound to is not asked', async () => {
    world.answer = (_, socket) => reply(socket, '', `Location: https://${HOSTILE}/\r\n`, '307 Here');
    await found();
    expect(world.arrived.map(({ host }) => host)).toEqual([API, API, API]);
  });

  it('cannot have a key that it knows shown or recorded by us', async () => {
    const value = (head: string): string => valueIn(head);
    world.answer = (seen, socket) =>
      reply(
        socket,
        `${KEY} ${value(seen.head)}`,
        `${KEY}: ${value(seen.head)}\r\nX-${KEY.slice(4)}: ${value(seen.head)}\r\nX-Key: ${KEY} ${value(seen.head)}\r\n`,
        `200 ${KEY} ${value(seen.head)}`,
      );
    const ran = await world.run('server', 'probe', 'attacker');
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('header (unusual name) (raw), header X-Key (raw), body (raw)');
    const shown = await world.run('server', 'show', 'attacker', '--json');
    for (const text of [ran.stdout, ran.stderr, shown.stdout, await world.exported(), world.log()]) {
      expect(text.toLowerCase()).not.toContain(KEY.slice(4).toLowerCase());
    }
  });

  it('leaves each request and its outcome on record', async () => {
    world.answer = (seen, socket) => reply(socket, valueIn(seen.head));
    await found();
    const probed = await world.event(
      ({ type, data }) => type === 'egress.probed' && data['place'] === 'basic password',
    );
    expect(probed.data).toMatchObject({ host: API, credential: 'API_KEY', method: 'GET', status: 200 });
    await world.event(
      ({ type, data }) =>
        type === 'egress.request' && data['request'] === probed.data['request'] && data['probe'] === true,
    );
  });
});
