/** Connections beside another to the same server elsewhere. */
import { expect, it, vi } from 'vitest';
import type { CellId } from '../../../src/kernel/index.ts';
import { Branches } from '../../../src/mcp/remote/branch.ts';
import { transportTo } from './stand-in.ts';

const trunkOf = () => transportTo('http://127.0.0.1:1/mcp', 'rmt_trunk' as CellId);

it('end alone, each once it has said so, and with their server', async () => {
  const trunk = trunkOf();
  const branches = new Branches(trunk);
  const [one, other] = [branches.begin(), branches.begin()];
  const told: string[] = [];
  one.onFarewell(async () => void told.push('one'));
  other.onFarewell(async () => void told.push('other'));
  await Promise.all([one.close('it is not used'), one.close('nor now')]);
  expect(await one.exited).toMatchObject({ reason: 'it is not used' });
  expect(told).toEqual(['one']);
  await trunk.close('idle');
  expect(await other.exited).toMatchObject({ reason: 'idle' });
  expect(told).toEqual(['one', 'other']);
  // One that is begun too late.
  expect(await branches.begin().exited).toMatchObject({ reason: 'idle' });
});

it('leave nothing behind while their server runs, however many there were', async () => {
  const trunk = trunkOf();
  const asked = vi.spyOn(trunk.exited, 'then');
  const branches = new Branches(trunk);
  for (let count = 0; count < 100; count += 1) await branches.begin().close('it is not used');
  expect(asked).toHaveBeenCalledTimes(1);
  const farewell = vi.fn(async () => undefined);
  branches.begin().onFarewell(farewell);
  await trunk.close('idle');
  expect(farewell).toHaveBeenCalledTimes(1);
});
