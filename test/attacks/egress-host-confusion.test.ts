/** ATTACKS 10: saying one name and meaning another. The control is a request that says the same name everywhere. */
import { once } from 'node:events';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import {
  API,
  apiRule,
  bearer,
  errorOf,
  httpsUpstream,
  inWorld,
  PLACEHOLDER,
  readAll,
  type World,
} from '../egress/world.ts';

const OTHER = 'other.test';

async function inTwoHosts(body: (world: World, seen: string[]) => Promise<void>): Promise<void> {
  const seen: string[] = [];
  const upstreams = Object.fromEntries(
    await Promise.all(
      [API, OTHER].map(async (name) => [
        `${name}:443`,
        await httpsUpstream((request, response) => {
          seen.push(`${name} ${request.headers.host} ${request.url} ${request.headers.authorization ?? ''}`);
          response.end('ok');
        }, name),
      ]),
    ),
  );
  const rules = [apiRule(), apiRule({ host: OTHER })];
  await inWorld({ rules, upstreams, credentials: [bearer({ hosts: [API] })] }, (world) => body(world, seen));
}

const AUTH = `Authorization: Bearer ${PLACEHOLDER}\r\nConnection: close\r\n\r\n`;

describe('ATTACKS 10: host confusion', () => {
  it.each([
    ['the name', `GET /a HTTP/1.1\r\nHost: ${API}\r\n`],
    ['upper case', 'GET /a HTTP/1.1\r\nHost: API.Test\r\n'],
    ['a trailing dot', `GET /a HTTP/1.1\r\nHost: ${API}.\r\n`],
    ['the port', `GET /a HTTP/1.1\r\nHost: ${API}:443\r\n`],
    ['the absolute form', `GET https://${API}/a HTTP/1.1\r\nHost: ${API}\r\n`],
  ])('control: %s passes, in its one canonical form', async (_name, head) => {
    await inTwoHosts(async (world, seen) => {
      expect(await world.exchange(head + AUTH)).toContain('200 OK');
      expect(seen).toHaveLength(1);
      expect(seen[0]).toMatch(/^api\.test api\.test \/a Bearer ghp_9f/);
    });
  });

  it.each([
    ['Host of another listed host', `GET / HTTP/1.1\r\nHost: ${OTHER}\r\n`, 'egress_name_mismatch'],
    ['Host of an unlisted host', 'GET / HTTP/1.1\r\nHost: evil.test\r\n', 'egress_name_mismatch'],
    ['Host with another port', `GET / HTTP/1.1\r\nHost: ${API}:8443\r\n`, 'egress_name_mismatch'],
    [
      'absolute form of another host',
      `GET https://${OTHER}/ HTTP/1.1\r\nHost: ${API}\r\n`,
      'egress_name_mismatch',
    ],
    [
      'absolute form and Host both of another host',
      `GET https://${OTHER}/ HTTP/1.1\r\nHost: ${OTHER}\r\n`,
      'egress_name_mismatch',
    ],
    [
      'absolute form in another scheme',
      `GET http://${API}/ HTTP/1.1\r\nHost: ${API}\r\n`,
      'egress_name_mismatch',
    ],
    [
      'absolute form in another scheme with the port',
      `GET http://${API}:443/ HTTP/1.1\r\nHost: ${API}\r\n`,
      'egress_name_mismatch',
    ],
    [
      'absolute form with another port',
      `GET https://${API}:8443/ HTTP/1.1\r\nHost: ${API}\r\n`,
      'egress_name_mismatch',
    ],
    [
      'userinfo in the absolute form',
      `GET https://${API}@${OTHER}/ HTTP/1.1\r\nHost: ${API}\r\n`,
      'egress_request_malformed',
    ],
    ['userinfo in Host', `GET / HTTP/1.1\r\nHost: ${API}@${OTHER}\r\n`, 'egress_request_malformed'],
    ['two Hosts', `GET / HTTP/1.1\r\nHost: ${API}\r\nHost: ${OTHER}\r\n`, 'egress_request_malformed'],
    ['no Host', 'GET / HTTP/1.1\r\n', 'egress_request_malformed'],
    ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n', 'egress_request_malformed'],
    ['a list in Host', `GET / HTTP/1.1\r\nHost: ${API}, ${OTHER}\r\n`, 'egress_request_malformed'],
    ['a path in Host', `GET / HTTP/1.1\r\nHost: ${API}/${OTHER}\r\n`, 'egress_request_malformed'],
    ['a homograph', 'GET / HTTP/1.1\r\nHost: \xd0\xb0pi.test\r\n', 'egress_name_mismatch'],
    [
      'a homograph in its other spelling',
      'GET / HTTP/1.1\r\nHost: xn--pi-6kc.test\r\n',
      'egress_name_mismatch',
    ],
    ['the name below another', `GET / HTTP/1.1\r\nHost: ${API}.evil.test\r\n`, 'egress_name_mismatch'],
    ['an address in Host', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n', 'egress_name_mismatch'],
    ['a port that is none', `GET / HTTP/1.1\r\nHost: ${API}:0443\r\n`, 'egress_request_malformed'],
    ['CONNECT', `CONNECT ${OTHER}:443 HTTP/1.1\r\nHost: ${OTHER}:443\r\n`, 'egress_request_malformed'],
  ])('%s', async (_name, head, code) => {
    await inTwoHosts(async (world, seen) => {
      const text = await world.exchange(head + AUTH);
      expect(errorOf(text).code).toBe(code);
      expect(seen).toEqual([]);
      expect(world.uses).toEqual([]);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({ code });
    });
  });

  it('a second request of a connection is judged like the first', async () => {
    await inTwoHosts(async (world, seen) => {
      const text = await world.exchange(
        `GET /1 HTTP/1.1\r\nHost: ${API}\r\n\r\nGET /2 HTTP/1.1\r\nHost: ${OTHER}\r\n${AUTH}`,
      );
      expect(text).toContain('200 OK');
      expect(text).toContain('egress_name_mismatch');
      expect(seen).toEqual([`${API} ${API} /1 `]);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_name_mismatch',
        saidHost: OTHER,
      });
    });
  });

  it.each([
    ['SNI of another listed host', OTHER, 'egress_name_mismatch'],
    ['SNI of an unlisted host', 'evil.test', 'egress_name_mismatch'],
    ['SNI of a homograph', 'xn--pi-6kc.test', 'egress_name_mismatch'],
    ['no SNI', '', 'egress_name_mismatch'],
  ])('%s: an alert instead of a certificate', async (_name, servername, code) => {
    await inTwoHosts(async (world) => {
      const socket = connect({ ...(await world.placeOf(API, 443)), servername, ca: world.cell.caPem });
      const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
      expect(error.code).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code,
        sni: servername === '' ? null : servername,
      });
    });
  });

  it('a bare address, over TLS and over HTTP, with an allowed name in it', async () => {
    await inTwoHosts(async (world) => {
      const place = await world.listenerAt('127.99.99.99', 443);
      const socket = connect({ ...place, servername: API, ca: world.cell.caPem });
      const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
      expect(error.code).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
      const plain = (await import('node:net')).connect(place);
      plain.end(`GET / HTTP/1.1\r\nHost: ${API}:443\r\n\r\n`);
      expect(errorOf(await readAll(plain))).toMatchObject({
        code: 'egress_host_denied',
        message: 'This server may not connect to bare addresses.',
      });
      const refused = await world.eventsOf('egress.refused', 2);
      expect(refused.map(({ data }) => [data['code'], data['address']])).toEqual(
        [0, 1].map(() => ['egress_host_denied', '127.99.99.99']),
      );
    });
  });
});
