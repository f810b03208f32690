/**
 * Which name an address inside a cell stands for. Synthetic addresses are made up per cell and belong to
 * exactly one name; in `real` mode the table remembers which names were answered with which public address.
 * A connection to an address that is not in the table was not preceded by a question, and is refused.
 */
import type { Random } from '../kernel/index.ts';
import { limits } from '../kernel/index.ts';

export interface NameAddresses {
  readonly ipv4: string;
  readonly ipv6: string;
}

/** 198.18.0.0/15, set aside for benchmarks (RFC 2544): never a real destination. */
const SYNTHETIC_IPV4_BASE = 0xc6_12_00_00;
const IPV4_MAPPED = '::ffff:';

const dotted = (address: number): string =>
  [address >>> 24, (address >>> 16) & 0xff, (address >>> 8) & 0xff, address & 0xff].join('.');

/** One spelling per address, as sockets report it: IPv4-mapped ones as IPv4. */
const canonical = (address: string): string =>
  address.startsWith(IPV4_MAPPED) ? address.slice(IPV4_MAPPED.length) : address;

export class AddressTable {
  readonly #ipv4Base: number;
  /** A unique local /64 of this cell's own (RFC 4193), as four groups. */
  readonly #ipv6Prefix: string;
  readonly #synthetic = new Map<string, NameAddresses>();
  readonly #names = new Map<string, Set<string>>();
  /** Names in all of those sets. */
  #known = 0;

  /** @param ipv4Base first address of the synthetic range, as a number */
  constructor(random: Random, ipv4Base: number = SYNTHETIC_IPV4_BASE) {
    this.#ipv4Base = ipv4Base;
    const hex = random.bytes(7).toString('hex');
    this.#ipv6Prefix = [`fd${hex.slice(0, 2)}`, hex.slice(2, 6), hex.slice(6, 10), hex.slice(10, 14)]
      .map((group) => (Number.parseInt(group, 16) || 1).toString(16)) // no zero group: one spelling only
      .join(':');
  }

  /** The addresses that stand for a name, the same ones as long as the cell lives. Null when there are too many names. */
  syntheticFor(name: string): NameAddresses | null {
    const known = this.#synthetic.get(name);
    if (known !== undefined) return known;
    if (this.#synthetic.size >= limits.cellNamesMax) return null;
    const host = this.#synthetic.size + 1;
    const addresses = {
      ipv4: dotted(this.#ipv4Base + host),
      ipv6: `${this.#ipv6Prefix}::${host.toString(16)}`,
    };
    this.#synthetic.set(name, addresses);
    this.#remember(addresses.ipv4, name);
    this.#remember(addresses.ipv6, name);
    return addresses;
  }

  /** `real` mode: these public addresses were answered for this name. @returns false when there are too many */
  answered(name: string, addresses: readonly string[]): boolean {
    const fresh = addresses.filter((address) => this.#names.get(canonical(address))?.has(name) !== true);
    if (this.#known + fresh.length > limits.cellNamesMax) return false;
    for (const address of fresh) this.#remember(canonical(address), name);
    return true;
  }

  /** Names that were told this address; in `real` mode there can be several. */
  namesAt(address: string): ReadonlySet<string> | undefined {
    return this.#names.get(canonical(address));
  }

  #remember(address: string, name: string): void {
    const names = this.#names.get(address) ?? new Set();
    names.add(name);
    this.#known += 1;
    this.#names.set(address, names);
  }
}
