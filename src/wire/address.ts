/**
 * What sort of address a text names, so that the data plane can refuse to dial anything but the public
 * internet. Pure: judges exactly the text that it is given and resolves nothing. Fails closed: a text that is
 * not a plain address is `invalid`, and an IPv6 address outside the allocated global unicast space is `reserved`.
 */
import ipaddr from 'ipaddr.js';

export type AddressClass =
  | 'public'
  | 'invalid' /** not an address in its plain form (zone identifiers, octal, short IPv4 forms) */
  | 'unspecified' /** 0.0.0.0/8, :: */
  | 'loopback'
  | 'private' /** RFC 1918, unique local */
  | 'link_local'
  | 'cgnat' /** 100.64.0.0/10 */
  | 'metadata' /** where clouds hand out credentials */
  | 'multicast'
  | 'benchmarking' /** 198.18.0.0/15, 2001:2::/48: also where cells get their synthetic addresses */
  | 'documentation'
  | 'nat64_embedded' /** 64:ff9b:1::/48: an IPv4 address at a place that only the local network knows */
  | 'tunnel' /** 6to4 and Teredo around a public IPv4 address: deprecated, and no way to check the far end */
  | 'reserved';

type Range = readonly [network: string, kind: AddressClass];

/** Order matters: the first range that holds the address decides. From the IANA special-purpose registries. */
const IPV4_RANGES: readonly Range[] = [
  ['169.254.169.254/32', 'metadata'], // AWS, GCP, Azure, Oracle, DigitalOcean
  ['169.254.170.0/24', 'metadata'], // AWS: container and pod credentials
  ['100.100.100.200/32', 'metadata'], // Alibaba
  ['168.63.129.16/32', 'metadata'], // Azure's host agent, on an otherwise public address
  ['192.0.0.192/32', 'metadata'], // Oracle Classic
  ['0.0.0.0/8', 'unspecified'],
  ['10.0.0.0/8', 'private'],
  ['172.16.0.0/12', 'private'],
  ['192.168.0.0/16', 'private'],
  ['100.64.0.0/10', 'cgnat'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link_local'],
  ['192.0.0.0/24', 'reserved'], // IETF protocol assignments
  ['192.0.2.0/24', 'documentation'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['192.31.196.0/24', 'reserved'], // AS112
  ['192.52.193.0/24', 'reserved'], // AMT
  ['192.88.99.0/24', 'reserved'], // 6to4 relays
  ['192.175.48.0/24', 'reserved'], // AS112
  ['198.18.0.0/15', 'benchmarking'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
];

const IPV6_RANGES: readonly Range[] = [
  ['fd00:ec2::254/128', 'metadata'], // AWS
  ['fd00:ec2::23/128', 'metadata'], // AWS: pod credentials
  ['fd20:ce::254/128', 'metadata'], // GCP
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  ['fc00::/7', 'private'],
  ['fec0::/10', 'private'], // site-local, deprecated but still routed by some
  ['fe80::/10', 'link_local'],
  ['ff00::/8', 'multicast'],
  ['2001:2::/48', 'benchmarking'],
  ['2001:db8::/32', 'documentation'],
  ['3fff::/20', 'documentation'],
  ['2001::/23', 'reserved'], // IETF protocol assignments
  ['2620:4f:8000::/48', 'reserved'], // AS112
];

/** Where an IPv6 form carries an IPv4 address: judged by what it carries. */
interface Embedding {
  readonly network: string;
  /** Position of the first of the four octets. */
  readonly at: number;
  /** Teredo stores the client's address with every bit inverted (RFC 4380 section 4). */
  readonly inverted: boolean;
  /** What a public embedded address makes of the whole. */
  readonly whenPublic: AddressClass;
}

const EMBEDDINGS: readonly Embedding[] = [
  { network: '::ffff:0:0/96', at: 12, inverted: false, whenPublic: 'public' }, // IPv4-mapped: dials IPv4
  { network: '64:ff9b::/96', at: 12, inverted: false, whenPublic: 'public' }, // NAT64 (RFC 6052)
  { network: '::ffff:0:0:0/96', at: 12, inverted: false, whenPublic: 'reserved' }, // SIIT (RFC 2765)
  { network: '::/96', at: 12, inverted: false, whenPublic: 'reserved' }, // IPv4-compatible, deprecated
  { network: '2002::/16', at: 2, inverted: false, whenPublic: 'tunnel' }, // 6to4
  { network: '2001::/32', at: 12, inverted: true, whenPublic: 'tunnel' }, // Teredo
];

type Parsed = ipaddr.IPv4 | ipaddr.IPv6;

interface CompiledRange {
  readonly cidr: readonly [Parsed, number];
  readonly kind: AddressClass;
}

const compile = ([network, kind]: Range): CompiledRange => ({ cidr: ipaddr.parseCIDR(network), kind });
const ipv4Ranges = IPV4_RANGES.map(compile);
const ipv6Ranges = IPV6_RANGES.map(compile);
const embeddings = EMBEDDINGS.map((form) => ({ ...form, cidr: ipaddr.parseCIDR(form.network) }));
const nat64Local = ipaddr.parseCIDR('64:ff9b:1::/48');
const globalUnicast = ipaddr.parseCIDR('2000::/3');

const within = (address: Parsed, [network, bits]: readonly [Parsed, number]): boolean =>
  address.kind() === network.kind() && address.match(network, bits);

/** `::1.2.3.4`, deprecated, which the parser would take for an IPv4-mapped address. */
const IPV4_COMPATIBLE = /^::[0-9]+\./;

/** Most texts that are asked about are names, and the parser is slow to say that a text is no address. */
const LOOKS_LIKE_ADDRESS = /^[0-9]{1,3}\.|:/;

/** Dotted quad without leading zeros, or IPv6 without a zone; anything else is no address here. */
function parsePlain(text: string): Parsed | null {
  if (!LOOKS_LIKE_ADDRESS.test(text) || IPV4_COMPATIBLE.test(text)) return null;
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (text.includes(':') && !text.includes('%') && ipaddr.IPv6.isValid(text)) return ipaddr.IPv6.parse(text);
  return null;
}

/** `4` or `6` for an address in its plain form, `null` for anything else. */
export function addressFamily(text: string): 4 | 6 | null {
  const address = parsePlain(text);
  if (address === null) return null;
  return address.kind() === 'ipv4' ? 4 : 6;
}

/** The canonical text of an address: dotted quad, or RFC 5952 without brackets; `null` when it is none. */
export function canonicalAddress(text: string): string | null {
  return parsePlain(text)?.toString() ?? null;
}

/** The four or sixteen octets of an address, `null` when it is none. */
export function addressBytes(text: string): readonly number[] | null {
  return parsePlain(text)?.toByteArray() ?? null;
}

/**
 * The class of an address. Only `public` may be dialled without being configured; forms that carry an IPv4
 * address (mapped, NAT64, 6to4, Teredo) have the class of what they carry.
 */
export function classifyAddress(ip: string): AddressClass {
  const address = parsePlain(ip);
  if (address === null) return 'invalid';
  return address instanceof ipaddr.IPv4 ? classifyIpv4(address) : classifyIpv6(address);
}

function classifyIpv4(address: ipaddr.IPv4): AddressClass {
  return ipv4Ranges.find(({ cidr }) => within(address, cidr))?.kind ?? 'public';
}

function classifyIpv6(address: ipaddr.IPv6): AddressClass {
  const exact = ipv6Ranges.find(({ cidr }) => cidr[1] === 128 && within(address, cidr));
  if (exact !== undefined) return exact.kind;
  if (within(address, nat64Local)) return 'nat64_embedded';
  const form = embeddings.find(({ cidr }) => within(address, cidr));
  if (form !== undefined) {
    const octets = address.toByteArray().slice(form.at, form.at + 4);
    const carried = new ipaddr.IPv4(form.inverted ? octets.map((octet) => octet ^ 0xff) : octets);
    const kind = classifyIpv4(carried);
    return kind === 'public' ? form.whenPublic : kind;
  }
  const range = ipv6Ranges.find(({ cidr }) => within(address, cidr));
  if (range !== undefined) return range.kind;
  return within(address, globalUnicast) ? 'public' : 'reserved';
}

/**
 * Whether an address lies in one of the networks (`10.0.0.0/8`, `fd00::/8`). An IPv4-mapped address is also
 * looked up as the IPv4 address that it is. A malformed network or address is in nothing.
 */
export function inNetworks(ip: string, cidrs: readonly string[]): boolean {
  const address = parsePlain(ip);
  if (address === null) return false;
  const mapped =
    address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : null;
  return cidrs.some((text) => {
    if (!isNetwork(text)) return false;
    const cidr = ipaddr.parseCIDR(text);
    return within(address, cidr) || (mapped !== null && within(mapped, cidr));
  });
}

/** Whether a text is a network in CIDR notation with a plain address: what `inNetworks` understands. */
export function isNetwork(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash < 0 || !/^(?:0|[1-9][0-9]{0,2})$/.test(text.slice(slash + 1))) return false;
  return parsePlain(text.slice(0, slash)) !== null && ipaddr.isValidCIDR(text);
}
