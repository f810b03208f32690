/** The operational log: pino, JSON lines on stderr. Control characters are escaped by JSON, so a line cannot imitate another. */
import { destination, pino } from 'pino';
import { limits, type Log, type LogFields } from '../kernel/index.ts';

/**
 * A log that cannot be written, on a full disk for one, is no reason to end, and a reader that does not read none to wait.
 * Lines are written when they can be; of those that wait for it, what is too much is lost.
 */
function stderrDestination(): ReturnType<typeof destination> {
  const stderr = destination({
    fd: 2,
    sync: true,
    maxLength: limits.logUnwrittenBytesMax,
    retryEAGAIN: () => false, // it would sleep, and everybody with it
  });
  return stderr.on('error', () => undefined);
}

export function createLog(level: 'debug' | 'info' | 'warn' | 'error' | 'silent'): Log {
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stderrDestination());
  const at =
    (severity: 'debug' | 'info' | 'warn' | 'error') =>
    (event: string, fields: LogFields = {}): void =>
      logger[severity]({ ...fields, event });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
