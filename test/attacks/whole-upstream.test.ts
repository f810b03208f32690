/**
 * ATTACKS 15, 16 with everything real: who is between the gateway and an API, and where a listed name may lead. What
 * the environment of the gateway says about TLS changes nothing.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { API, KEY, openWorld, type World, type WorldOptions } from './whole-world.ts';

const worlds: World[] = [];
afterAll(() => Promise.all(worlds.map((world) => world.close())));

async function ask(options: WorldOptions): Promise<{ world: World; answer: string }> {
  const world = await openWorld(options);
  worlds.push(world);
  world.answer = (_seen, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const use = async (url: string) => {
    const response = await fetch(url, { headers: { authorization: `Bearer ${process.env['API_KEY']}` } });
    return `${response.status} ${await response.text()}`;
  };
  return { world, answer: await world.inCell(use, `https://${API}/`) };
}

describe('ATTACKS 16: somebody with a certificate of their own', () => {
  it.each([
    ['as usual', {}],
    ['with NODE_TLS_REJECT_UNAUTHORIZED=0', { NODE_TLS_REJECT_UNAUTHORIZED: '0' }],
  ])('gets no key, %s', async (_name, env) => {
    const settings: WorldOptions['settings'] = ({ resolve }) =>
      `egress: { resolve: ${resolve}, allowNetworks: [ 127.0.0.0/8 ] }\n`;
    const { world, answer } = await ask({ env, settings });
    expect(answer).toMatch(/^502 .*egress_upstream_tls/);
    expect(world.arrived).toEqual([]);
    await world.event(
      ({ type, data }) => type === 'egress.refused' && data['code'] === 'egress_upstream_tls',
    );
  });

  it('control: with an authority that is trusted the key arrives', async () => {
    const { world, answer } = await ask({});
    expect(answer).toBe('200 ok');
    expect(world.arrived[0]?.head).toContain(KEY);
  });
});

describe('ATTACKS 15: a listed name that leads to this machine', () => {
  it('is not followed', async () => {
    const settings: WorldOptions['settings'] = ({ resolve, ca }) =>
      `egress: { resolve: ${resolve}, extraCa: [ ${ca} ] }\n`;
    const { world, answer } = await ask({ settings });
    expect(answer).toMatch(/^403 .*egress_upstream_address_refused/);
    expect(world.arrived).toEqual([]);
    await world.event(({ data }) => data['code'] === 'egress_upstream_address_refused');
  });
});
