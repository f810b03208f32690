/**
 * How many bad tokens one address may present. Each address has a number of tries that fill up again with time.
 * It bounds the work and the audit events that a flood costs; guessing is hopeless without it. Verified tokens are
 * not asked about, so that a bad client does not lock out a good one behind the same address.
 */
import ipaddr from 'ipaddr.js';
import { type Clock, limits } from '../kernel/index.ts';

export interface FailureLimit {
  /** Whether this address may try now. */
  admits(address: string): boolean;
  failed(address: string): void;
}

interface Tries {
  left: number;
  /** Of the monotonic clock, in milliseconds. */
  at: number;
}

export function failureLimit(clock: Clock): FailureLimit {
  /** In order of the last failure. */
  const byAddress = new Map<string, Tries>();
  const triesOf = (key: string): Tries => {
    const now = clock.monotonic();
    const tries = byAddress.get(key);
    if (tries === undefined) return { left: limits.tokenFailuresMax, at: now };
    const refilled = tries.left + (now - tries.at) / limits.tokenFailureRefillMs;
    return { left: Math.min(limits.tokenFailuresMax, refilled), at: now };
  };
  return {
    admits: (address) => triesOf(keyOf(address)).left >= 1,
    failed(address) {
      const key = keyOf(address);
      const { left, at } = triesOf(key);
      byAddress.delete(key);
      byAddress.set(key, { left: Math.max(0, left - 1), at });
      const oldest = byAddress.keys().next();
      if (byAddress.size > limits.tokenFailureAddressesMax && !oldest.done) byAddress.delete(oldest.value);
    },
  };
}

/** What counts as one address: an IPv6 host has a whole /64 to itself; IPv4 in IPv6 clothing is the IPv4 address. */
export function keyOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (!(parsed instanceof ipaddr.IPv6)) return parsed.toString();
  return `${parsed.parts.slice(0, 4).join(':')}::/64`;
}
