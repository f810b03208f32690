/** Work of the gateway's own that a kill switch may cover: not begun where one is set, and ended when one is. */
import type { KillSwitch, Principal } from '../mcp/index.ts';

/**
 * @param server null where none is concerned
 * @param work told when it has to end
 * @throws AppError `kill_active`, and whatever `work` does
 */
export async function whileAllowed<T>(
  kills: Pick<KillSwitch, 'check' | 'onKill'>,
  principal: Principal,
  server: string | null,
  work: (stopped: AbortSignal) => Promise<T>,
): Promise<T> {
  const stopped = new AbortController();
  const check = (): Promise<void> => kills.check(principal, server);
  // Listened for before the first question: a switch set in between is not missed.
  const stopListening = kills.onKill(() => void check().catch((kill: unknown) => stopped.abort(kill)));
  try {
    await check();
    return await work(stopped.signal);
  } finally {
    stopListening();
  }
}
