import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressBytes,
  addressFamily,
  canonicalAddress,
  classifyAddress,
  inNetworks,
  isNetwork,
} from '../../src/wire/index.ts';

describe('classifyAddress', () => {
  it.each([
    ['8.8.8.8', 'public'],
    ['1.0.0.0', 'public'],
    ['223.255.255.255', 'public'],
    ['2606:4700::1111', 'public'],
    ['2a00:1450:4001:81b::200e', 'public'],
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['::', 'unspecified'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ['10.0.0.1', 'private'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.0', 'public'],
    ['192.168.1.1', 'private'],
    ['fc00::1', 'private'],
    ['fd12:3456::1', 'private'],
    ['fec0::1', 'private'],
    ['169.254.1.1', 'link_local'],
    ['fe80::1', 'link_local'],
    ['febf::1', 'link_local'],
    ['100.64.0.1', 'cgnat'],
    ['100.127.255.255', 'cgnat'],
    ['100.128.0.0', 'public'],
    ['169.254.169.254', 'metadata'],
    ['169.254.170.2', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['fd20:ce::254', 'metadata'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.250', 'multicast'],
    ['ff02::1', 'multicast'],
    ['198.18.0.1', 'benchmarking'],
    ['198.19.255.255', 'benchmarking'],
    ['2001:2::1', 'benchmarking'],
    ['192.0.2.1', 'documentation'],
    ['198.51.100.1', 'documentation'],
    ['203.0.113.1', 'documentation'],
    ['2001:db8::1', 'documentation'],
    ['3fff::1', 'documentation'],
    ['192.0.0.8', 'reserved'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'reserved'],
    ['2001:20::1', 'reserved'],
    ['4000::1', 'reserved'],
    ['100::1', 'reserved'],
    ['5f00::1', 'reserved'],
    ['::ffff:8.8.8.8', 'public'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:a9fe:a9fe', 'metadata'],
    ['::ffff:0:10.0.0.1', 'private'],
    ['::ffff:0:8.8.8.8', 'reserved'],
    ['::7f00:1', 'loopback'],
    ['::808:808', 'reserved'],
    ['::127.0.0.1', 'invalid'],
    ['64:ff9b::8.8.8.8', 'public'],
    ['64:ff9b::10.0.0.1', 'private'],
    ['64:ff9b::169.254.169.254', 'metadata'],
    ['64:ff9b:1::8.8.8.8', 'nat64_embedded'],
    ['64:ff9b:1:a00::1', 'nat64_embedded'],
    ['2002:7f00:1::1', 'loopback'],
    ['2002:a9fe:a9fe::', 'metadata'],
    ['2002:808:808::1', 'tunnel'],
    ['2001:0:4136:e378:8000:63bf:80ff:fffe', 'loopback'], // inverted 127.0.0.1
    ['2001:0:4136:e378:8000:63bf:f7f7:f7f7', 'tunnel'], // inverted 8.8.8.8
    ['', 'invalid'],
    ['localhost', 'invalid'],
    ['127.1', 'invalid'],
    ['0177.0.0.1', 'invalid'],
    ['0x7f.0.0.1', 'invalid'],
    ['1.2.3.256', 'invalid'],
    ['1.2.3.4.5', 'invalid'],
    [' 1.2.3.4', 'invalid'],
    ['fe80::1%eth0', 'invalid'],
    ['[::1]', 'invalid'],
    ['::1::', 'invalid'],
    ['1:2:3:4:5:6:7:8:9', 'invalid'],
  ])('%j is %s', (ip, kind) => {
    expect(classifyAddress(ip)).toBe(kind);
  });

  it('judges every mapped address as what it is mapped from', () => {
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        expect(classifyAddress(`::ffff:${ip}`)).toBe(classifyAddress(ip));
        const nat64 = classifyAddress(`64:ff9b::${ip}`);
        expect(nat64).toBe(classifyAddress(ip));
      }),
    );
  });

  it('calls an IPv6 address public only in 2000::/3', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (octets) => {
        const groups = Array.from({ length: 8 }, (_, i) =>
          (((octets[i * 2] ?? 0) << 8) | (octets[i * 2 + 1] ?? 0)).toString(16),
        );
        if (((octets[0] ?? 0) & 0xe0) === 0x20 || groups[0] === '0' || groups[0] === '64') return;
        expect(classifyAddress(groups.join(':'))).not.toBe('public');
      }),
    );
  });

  it('calls public nothing that is no address', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdefx.:%/[] ')) }), (text) => {
        expect(classifyAddress(text) === 'invalid').toBe(addressFamily(text) === null);
      }),
    );
  });
});

describe('inNetworks', () => {
  it.each([
    ['127.0.0.1', ['127.0.0.0/8'], true],
    ['128.0.0.1', ['127.0.0.0/8'], false],
    ['::ffff:127.0.0.1', ['127.0.0.0/8'], true],
    ['::ffff:127.0.0.1', ['::ffff:0:0/96'], true],
    ['127.0.0.1', ['::/0'], false],
    ['::1', ['0.0.0.0/0'], false],
    ['fd00::5', ['10.0.0.0/8', 'fd00::/8'], true],
    ['10.0.0.1', [], false],
    ['10.0.0.1', ['10.0.0.1'], false],
    ['10.0.0.1', ['10.0.0.0/33'], false],
    ['10.0.0.1', ['10.0.0.0/-1'], false],
    ['10.0.0.1', ['10/8'], false],
    ['10.0.0.1', ['nonsense'], false],
    ['nonsense', ['0.0.0.0/0', '::/0'], false],
  ])('%j in %j: %s', (ip, networks, inside) => {
    expect(inNetworks(ip, networks)).toBe(inside);
  });

  it('knows a network from what is none', () => {
    expect(['10.0.0.0/8', '::/0', '1.2.3.4/32'].every(isNetwork)).toBe(true);
    expect(
      ['10.0.0.0', '10.0.0.0/', '10.0.0.0/08', '10.0.0.0/8/8', 'fe80::%1/64', '/8'].some(isNetwork),
    ).toBe(false);
  });
});

describe('forms of an address', () => {
  it.each([
    ['10.0.0.1', 4, '10.0.0.1', [10, 0, 0, 1]],
    ['2001:DB8:0:0::1', 6, '2001:db8::1', [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['a.com', null, null, null],
  ])('%j', (text, family, canonical, bytes) => {
    expect(addressFamily(text)).toBe(family);
    expect(canonicalAddress(text)).toBe(canonical);
    expect(addressBytes(text)).toEqual(bytes);
  });
});
