import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { silentLog, systemClock } from '../../../src/kernel/index.ts';
import { openStore } from '../../../src/store/index.ts';
import { checkInterleavings } from './interleavings.ts';
import { memoryApprovals } from './memory-approvals.ts';

/** `npm run test:approvals` sets it. */
const times = Number(process.env['SALLYPORT_APPROVAL_LIVES'] ?? 1);

it(
  'lives of approvals on two processes come out as in some order, and never give a use too many',
  async () => {
    const runs = 2_000 * times;
    await checkInterleavings(() => {
      const shared = memoryApprovals();
      return () => shared;
    }, runs);
    expect(runs).toBeGreaterThanOrEqual(2_000);
  },
  600_000 * times,
);

it(
  'the same with two connections to one database',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-approvals-'));
    const path = join(folder, 'sallyport.db');
    const stores = [
      await openStore({ path, log: silentLog, clock: systemClock }),
      await openStore({ path, log: silentLog, clock: systemClock }),
    ];
    try {
      await checkInterleavings(
        () => (process) => {
          const store = stores[process];
          if (store === undefined) throw new Error('no such process');
          return store.approvals;
        },
        60 * times,
      );
      expect(await stores[0]?.check()).toBeUndefined();
    } finally {
      for (const store of stores) await store.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
  600_000 * times,
);
