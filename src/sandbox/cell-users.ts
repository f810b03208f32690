/**
 * User ids for cells, when the gateway is root: each cell gets one that no file, no login and no other cell has.
 *
 * Preferred range: 2,046,820,352 to 2,046,885,887 (0x7a000000, 65,536 ids). It lies in what systemd's list of
 * ranges leaves unused (1,879,048,192 to 2,147,483,647) and above what /etc/subuid hands out by default. Where a
 * container maps fewer ids, 61,184 to 65,519: systemd's range for services whose user exists only as long as they run.
 */
import { readFileSync } from 'node:fs';
import type { Random } from '../kernel/index.ts';

export interface UserRange {
  readonly first: number;
  readonly count: number;
}

export const preferredUsers: UserRange = { first: 0x7a00_0000, count: 65_536 };
export const containerUsers: UserRange = { first: 61_184, count: 4_336 };

export interface CellUsers {
  /** An id that no running cell of this gateway has. */
  take(): number;
  release(uid: number): void;
}

/** @param map text of `/proc/self/uid_map`: lines of first id inside, first id outside, count */
export function chooseRange(map: string): UserRange | null {
  const mapped = map
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const covers = ({ first, count }: UserRange): boolean =>
    mapped.some(([inside = 0, , length = 0]) => inside <= first && first + count <= inside + length);
  return [preferredUsers, containerUsers].find(covers) ?? null;
}

/** @returns null where this process's user namespace has no ids to spare */
export function openCellUsers(random: Random): CellUsers | null {
  const range = chooseRange(readFileSync('/proc/self/uid_map', 'latin1'));
  if (range === null) return null;
  const taken = new Set<number>();
  return {
    take() {
      // Random, so that two gateways on one machine are unlikely to choose the same.
      let uid = range.first + (random.bytes(4).readUInt32LE() % range.count);
      if (taken.size >= range.count) throw new Error('every cell user id is taken');
      while (taken.has(uid)) uid = uid + 1 < range.first + range.count ? uid + 1 : range.first;
      taken.add(uid);
      return uid;
    },
    release(uid) {
      taken.delete(uid);
    },
  };
}
