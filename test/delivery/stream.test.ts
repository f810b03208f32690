import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError, limits } from '../../src/kernel/index.ts';
import { checkpoint, event, makeStreamWorld, sequencesOf } from './events.ts';

const count = (to: number): number[] => Array.from({ length: to }, (_, index) => index + 1);

describe('a stream', () => {
  it('takes the log to its end in order, batch by batch, and then waits', async () => {
    const world = makeStreamWorld(limits.deliveryBatchEventsMax + 3);
    const stream = world.start();
    expect([await stream.step(), await stream.step(), await stream.step()]).toEqual(['sent', 'sent', 'idle']);
    expect(sequencesOf(world.taken)).toEqual(count(limits.deliveryBatchEventsMax + 3));
    world.log.push(event(world.log.length + 1));
    expect(await stream.step()).toBe('sent');
    expect(world.taken.at(-1)?.events).toHaveLength(1);
  });

  it('begins after what is there where that is wanted, and only the first time', async () => {
    const world = makeStreamWorld(3);
    expect(await world.start({ from: 'now' }).step()).toBe('idle');
    world.log.push(event(4));
    expect(await world.start({ from: 'now' }).step()).toBe('sent');
    expect(sequencesOf(world.taken)).toEqual([4]);
  });

  it('sends the same batch under the same id again after a failure and after a restart, whatever has come meanwhile', async () => {
    const world = makeStreamWorld(2);
    world.fates.push('refused', 'lost');
    const stream = world.start();
    expect(await stream.step()).toBe('failed');
    world.log.push(event(3));
    expect(await stream.step()).toBe('failed');
    expect(await world.start().step()).toBe('sent');
    expect(world.given.map(({ id }) => id)).toEqual(Array(3).fill(world.given[0]?.id));
    expect(sequencesOf(world.given)).toEqual([1, 2, 1, 2, 1, 2]);
    expect(await world.start().step()).toBe('sent');
    expect(sequencesOf(world.taken.slice(1))).toEqual([1, 2, 3]);
  });

  it('records the first failure and the end of it, and nothing in between', async () => {
    const world = makeStreamWorld(1);
    world.fates.push('refused', 'refused');
    const stream = world.start();
    await stream.step();
    world.clock.advance(7_000);
    await stream.step();
    await stream.step();
    expect(world.told).toEqual([
      'delivery.failed {"export":"siem","code":"delivery_refused"}',
      'delivery.resumed {"export":"siem","failures":2,"seconds":7}',
    ]);
    expect(world.state.kept).toMatchObject({ sequence: 1, failures: 0, code: null, sending: null });
  });

  it('halves a batch that is too large, and comes back to whole ones', async () => {
    const world = makeStreamWorld(8);
    world.fates.push(new AppError('delivery_too_large', 'no', { kind: 'unavailable' }));
    const stream = world.start();
    expect(await stream.step()).toBe('failed');
    expect([await stream.step(), await stream.step()]).toEqual(['sent', 'sent']);
    expect(world.taken.map(({ events }) => events.length)).toEqual([4, 4]);
  });

  it('puts no more into a batch than is not too long, and one event at least', async () => {
    const world = makeStreamWorld();
    const long = { text: 'x'.repeat(limits.deliveryBatchBytesMax / 2) };
    world.log.push(event(1, { data: long }), event(2, { data: long }), event(3));
    const stream = world.start();
    await stream.step();
    await stream.step();
    expect(world.taken.map(({ events }) => events.length)).toEqual([1, 2]);
  });

  it('does not go on for events that only tell of deliveries, and takes them along with others', async () => {
    const world = makeStreamWorld(1);
    const stream = world.start();
    await stream.step();
    world.log.push(
      event(2, { type: 'egress.finished', actor: { kind: 'cell', id: 'dlv_1' } }),
      event(3, { type: 'delivery.failed', actor: { kind: 'system', id: 'gateway' } }),
    );
    expect(await stream.step()).toBe('idle');
    world.log.push(event(4));
    expect(await stream.step()).toBe('sent');
    expect(sequencesOf(world.taken)).toEqual([1, 2, 3, 4]);
  });

  it('gives checkpoints once, those signed late too', async () => {
    const world = makeStreamWorld(3);
    world.checkpoints.push(checkpoint(2), checkpoint(9));
    const stream = world.start();
    await stream.step();
    world.checkpoints.splice(1, 0, checkpoint(3));
    expect([await stream.step(), await stream.step()]).toEqual(['sent', 'idle']);
    expect(world.taken.map(({ checkpoints }) => checkpoints.map(({ sequence }) => sequence))).toEqual([
      [2],
      [3],
    ]);
  });

  it('passes over what is not for its receiver, without a word to it', async () => {
    const world = makeStreamWorld(3);
    world.log.push(event(4, { type: 'kill.set' }));
    world.checkpoints.push(checkpoint(1));
    const wants = ({ type }: { type: string }): boolean => type === 'kill.set';
    const stream = world.start({ wants });
    expect([await stream.step(), await stream.step()]).toEqual(['sent', 'idle']);
    world.log.push(event(5));
    expect([await stream.step(), await stream.step()]).toEqual(['passed', 'idle']);
    expect(sequencesOf(world.taken)).toEqual([4]);
    expect(world.taken[0]?.checkpoints).toEqual([]);
  });

  it('holds everything back while nothing may leave', async () => {
    const world = makeStreamWorld(1);
    world.state.held = true;
    const stream = world.start();
    expect(await stream.step()).toBe('held');
    expect(world.given).toEqual([]);
    world.state.held = false;
    expect(await stream.step()).toBe('sent');
  });

  it('believes a receiver that shows what it has', async () => {
    const world = makeStreamWorld(4);
    world.fates.push('lost');
    await world.start().step();
    expect(world.state.kept).toMatchObject({ sequence: 0, sending: { sequence: 4 } });
    world.log.push(event(5));
    const sender = {
      reached: async () => ({ sequence: 4, checkpoint: 0 }),
      send: async (batch: (typeof world.taken)[number]) => {
        world.taken.push(batch);
        return { rejected: 0 };
      },
    };
    expect(await world.start({ sender }).step()).toBe('sent');
    expect(sequencesOf(world.taken)).toEqual([1, 2, 3, 4, 5]);
  });

  it('runs by itself until it is stopped', async () => {
    const world = makeStreamWorld(2);
    const stream = world.start();
    stream.start();
    await expect.poll(() => world.taken.length, { timeout: 10_000 }).toBe(1);
    await stream.stop();
    world.log.push(event(3));
    expect(sequencesOf(world.taken)).toEqual([1, 2]);
  });

  it('loses nothing and reorders nothing, whatever fails and whenever it starts anew', async () => {
    const deed = fc.constantFrom('append', 'step', 'refused', 'lost', 'restart', 'sign', 'large');
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { maxLength: 60 }), async (deeds) => {
        const world = makeStreamWorld(1);
        let stream = world.start();
        for (const one of deeds) {
          const at = world.log.length;
          if (one === 'append') world.log.push(event(at + 1));
          else if (one === 'sign' && world.checkpoints.at(-1)?.sequence !== at)
            world.checkpoints.push(checkpoint(at));
          else if (one === 'restart') stream = world.start();
          else if (one === 'large')
            world.fates.push(new AppError('delivery_too_large', 'no', { kind: 'unavailable' }));
          else if (one === 'refused' || one === 'lost') world.fates.push(one);
          else await stream.step();
        }
        world.fates.length = 0;
        while ((await stream.step()) !== 'idle');
        // Whoever keeps each event once has all of them in order, and where no batch was divided, each id once is enough.
        const events = new Set(sequencesOf(world.taken));
        expect([...events]).toEqual(count(world.log.length));
        const known = [...new Map(world.taken.map((batch) => [batch.id, batch])).values()];
        if (!deeds.includes('large')) expect(sequencesOf(known)).toEqual(count(world.log.length));
        const signed = new Set(world.taken.flatMap(({ checkpoints }) => checkpoints));
        expect([...signed]).toEqual(world.checkpoints);
      }),
      { numRuns: 200 },
    );
  });
});
