/**
 * Notices what other processes write to the same database: `sallyport secret set` beside a `sallyport stdio` that has
 * a gateway of its own. What is decided anew at each use needs no notice; this is for what is under way.
 */
import { limits, type Log } from '../kernel/index.ts';
import type { Store } from '../store/index.ts';

export interface StoreWatchDeps {
  readonly store: Pick<Store, 'revision'>;
  readonly log: Log;
  /** Told of every change, this process's own included. When it fails it is told again. */
  readonly onChange: () => Promise<void>;
}

/** @returns stops watching */
export function watchStore({ store, log, onChange }: StoreWatchDeps): () => void {
  let seen = store.revision();
  let busy = false;

  async function look(): Promise<void> {
    if (busy) return;
    busy = true;
    try {
      const now = store.revision();
      if (now === seen) return;
      await onChange();
      seen = now;
    } catch (error) {
      log.error('store.watch_failed', { error: String(error) });
    } finally {
      busy = false;
    }
  }

  const timer = setInterval(() => void look(), limits.storeWatchIntervalMs).unref();
  return () => clearInterval(timer);
}
