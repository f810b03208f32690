/**
 * ATTACKS 3 with everything real: names as a way out, of every type and by every transport, from Node and from Python. Nobody is
 * asked, and the audit log has each name.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasPython, python } from './cell-harness.ts';
import { API, modes, openWorld, type World } from './whole-world.ts';

const answers: Readonly<Record<string, string>> = {
  A: 'NXDOMAIN',
  CNAME: 'NXDOMAIN',
  NULL: 'NXDOMAIN',
  PTR: 'NXDOMAIN',
  MX: 'NXDOMAIN',
  TXT: 'NXDOMAIN',
  AAAA: 'NXDOMAIN',
  SRV: 'NXDOMAIN',
  HTTPS: 'NXDOMAIN',
  ANY: 'NXDOMAIN',
  'EDNS payload': 'NXDOMAIN',
  'EDNS payload, large': 'FORMERR',
  'over TCP': 'NXDOMAIN',
  'over IPv6': 'NXDOMAIN',
  'below a listed name': 'NXDOMAIN',
  'as long as it may be': 'NXDOMAIN',
  'over TLS': 'ECONNREFUSED',
  multicast: 'silence',
  'over HTTPS, by name': 'no such name',
  'over HTTPS, by address': 'no TLS',
  'over HTTPS, as another host': '403',
};
/** What is allowed, and so shows that the rest was asked in earnest. */
const controls: Readonly<Record<string, string>> = {
  listed: 'NOERROR with 1',
  'listed, TXT': 'NOERROR',
  'over HTTPS, listed': '200',
};

const languages = [
  { language: 'Node', available: true, program: ['node', '/srv/names.mjs'] },
  { language: 'Python', available: hasPython, program: [python, '-B', '/srv/names.py'] },
] as const;

describe.each(modes)('names as a way out, gateway as %s', (mode) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld({ mode });
    world.answer = (_seen, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  afterAll(() => world.close());

  it.for(languages)('lead nowhere from $language', async ({ language, available, program }, { skip }) => {
    skip(!available, 'waits for /usr/bin/python3');
    const mark = `c2VjcmV0LW9m-${language.slice(0, 6).toLowerCase()}`;
    const before = world.arrived.length;
    const outcomes = await world.probe<Record<string, string>>([...program, API, mark]);
    expect(outcomes).toEqual({ ...answers, ...controls });
    // The allowed one.
    expect(world.arrived.slice(before).map(({ host }) => host)).toEqual([API]);
    const asked = ['a', 'txt', 'edns', 'tcp', 'six'].map(
      (prefix) => `${prefix}-${mark.toLowerCase()}.attacker.example`,
    );
    for (const name of [...asked, `below-${mark.toLowerCase()}.${API}`])
      await world.event(({ type, data }) => type === 'dns.refused' && data['name'] === name);
    await world.event(({ type, data }) => type === 'egress.refused' && data['host'] === 'dns.google');
  });

  it('are in an audit log that verifies', async () => {
    expect(await world.exported()).toContain('"dns.refused"');
  });
});
