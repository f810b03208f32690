/** Which gateway serves a home, and so may replace the socket that a dead one left behind: a lock, which ends with it. */
import { AppError } from '../kernel/index.ts';
import { lockFile } from '../seal/index.ts';

/**
 * @param path of the lock file, made if missing
 * @returns gives the lock back
 * @throws AppError `gateway_running`
 */
export function lockGateway(path: string): () => void {
  const unlock = lockFile(path);
  if (unlock !== null) return unlock;
  throw new AppError('gateway_running', 'A gateway is running in this home already.', {
    kind: 'conflict',
    hint: '`sallyport status` shows it. Another home: set SALLYPORT_HOME.',
  });
}
