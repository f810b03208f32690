import { describe, expect, it } from 'vitest';
import { chooseRange, containerUsers, preferredUsers } from '../../src/sandbox/cell-users.ts';

describe('user ids for cells', () => {
  it('are the documented ranges', () => {
    expect(preferredUsers).toEqual({ first: 2_046_820_352, count: 65_536 });
    expect(containerUsers).toEqual({ first: 61_184, count: 4_336 });
  });

  it.each([
    ['a host', '         0          0 4294967295\n', preferredUsers],
    ['a container with 65,536 ids', '         0     100000      65536\n', containerUsers],
    ['a rootless container', '0 1000 1\n1 100000 65536\n', containerUsers],
    ['a container with one id', '0 1000 1\n', null],
    ['a hole in the middle', '0 0 1000\n2046820352 1000 10\n', null],
  ])('on %s', (_where, map, range) => {
    expect(chooseRange(map)).toEqual(range);
  });
});
