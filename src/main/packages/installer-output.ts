/**
 * What an installer says, line by line. One that says a lot waits, as long as it runs, so that reading it never costs everybody
 * else the event loop; nothing is left out.
 */
import type { Readable } from 'node:stream';
import { type Clock, limits } from '../../kernel/index.ts';

export interface InstallerOutput {
  /** The writer is gone: reads what is left. Resolves at the end; rejects never. */
  rest(): Promise<void>;
}

const MS_PER_SECOND = 1_000;

/** @param onLine lines without an end come in pieces, so that none can fill the memory */
export function readLines(
  output: Readable,
  clock: Pick<Clock, 'monotonic'>,
  onLine: (line: string) => void,
): InstallerOutput {
  const closed = new Promise<void>((resolve) => output.once('close', resolve));
  let rest = '';
  let isLast = false;
  /** What may be read before the writer has to wait, in bytes. */
  let allowance: number = limits.packageInstallOutputBurstBytes;
  let reckonedAt = clock.monotonic();

  function slowDown(bytes: number): void {
    const now = clock.monotonic();
    const regained = ((now - reckonedAt) / MS_PER_SECOND) * limits.packageInstallOutputBytesPerSecond;
    reckonedAt = now;
    allowance = Math.min(limits.packageInstallOutputBurstBytes, allowance + regained) - bytes;
    if (allowance >= 0 || isLast) return;
    output.pause();
    const owedMs = (-allowance / limits.packageInstallOutputBytesPerSecond) * MS_PER_SECOND;
    setTimeout(() => output.resume(), owedMs);
  }

  /** @returns what may go on: the last piece */
  function cut(line: string): string {
    let left = line;
    for (
      ;
      left.length > limits.packageInstallLineCharsMax;
      left = left.slice(limits.packageInstallLineCharsMax)
    )
      onLine(left.slice(0, limits.packageInstallLineCharsMax));
    return left;
  }

  output.setEncoding('utf8');
  output.on('data', (text: string) => {
    // Only what is new is searched: it may come byte by byte.
    const [first = '', ...more] = text.split('\n');
    rest = cut(rest + first);
    for (const line of more) {
      onLine(rest);
      rest = cut(line);
    }
    slowDown(text.length);
  });
  output.on('error', () => undefined);
  output.on('end', () => {
    if (rest !== '') onLine(rest);
  });

  return {
    rest() {
      isLast = true;
      output.resume();
      return closed;
    },
  };
}
