/** Why there is no cell. */
import { AppError } from '../kernel/index.ts';

export function launchFailed(why: string, stderr = ''): AppError {
  return new AppError('sandbox_launch_failed', 'The cell could not be built on this machine.', {
    kind: 'failed',
    hint: 'Run "sallyport doctor": it says what is missing and how to get it.',
    detail: { why, stderr },
  });
}

export function launchTimeout(timeoutMs: number, stderr = ''): AppError {
  const message = `The cell was not ready after ${timeoutMs / 1000} seconds.`;
  return new AppError('sandbox_launch_timeout', message, {
    kind: 'failed',
    hint: 'Is the machine overloaded?',
    detail: { stderr },
  });
}
