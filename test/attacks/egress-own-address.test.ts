/**
 * ATTACKS 15: a listed name that leads to a public address of the gateway's own machine, where what listens on every
 * address would take the gateway for a neighbour. The controls are another address, and the network being allowed.
 */
import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { Dialer, ownAddresses } from '../../src/egress/upstream/dial.ts';
import { CachingResolver } from '../../src/egress/upstream/resolver.ts';
import { fixedClock } from '../../src/kernel/index.ts';

const OWN = ['203.0.114.7', '2001:4860:4860::1'];
const dialer = (address: string, allowNetworks: readonly string[] = []): Dialer =>
  new Dialer({ resolve: async () => [address] }, { resolve: {}, extraCa: [], allowNetworks }, () => OWN);

describe("ATTACKS 15: the machine's own addresses", () => {
  it.each([...OWN, '2001:4860:4860:0:0:0:0:1', '::ffff:203.0.114.7', '64:ff9b::203.0.114.7'])(
    '%s is refused',
    async (address) => {
      await expect(dialer(address).addresses('api.test')).rejects.toMatchObject({
        code: 'egress_upstream_address_refused',
        detail: { addresses: [address] },
      });
    },
  );

  it('control: others are not, nor is one whose network is allowed', async () => {
    expect(await dialer('203.0.114.8').addresses('api.test')).toEqual(['203.0.114.8']);
    expect(await dialer('203.0.114.7', ['203.0.114.0/24']).addresses('api.test')).toEqual(['203.0.114.7']);
  });

  it('are judged at each dial, however long the answer has been known', async () => {
    const own: string[] = [];
    let asked = 0;
    const dns = async (_name: string, family: 4 | 6) => {
      asked += 1;
      return family === 4 ? [{ address: '203.0.114.9', ttl: 60 }] : [];
    };
    const resolver = new CachingResolver(
      { hosts: async () => [], dns, system: async () => [] },
      fixedClock(0),
    );
    const judging = new Dialer(resolver, { resolve: {}, extraCa: [], allowNetworks: [] }, () => own);
    expect(await judging.addresses('api.test')).toEqual(['203.0.114.9']);
    own.push('203.0.114.9'); // the machine has got it meanwhile
    await expect(judging.addresses('api.test')).rejects.toMatchObject({
      code: 'egress_upstream_address_refused',
      facts: { reason: 'own_machine' },
    });
    expect(asked).toBe(2); // once for each family
  });

  it('are those of the interfaces', () => {
    const addresses = Object.values(networkInterfaces()).flatMap((list) =>
      (list ?? []).map(({ address }) => address),
    );
    expect(ownAddresses().length).toBe(addresses.length);
  });
});
