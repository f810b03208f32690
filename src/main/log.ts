/** The operational log: pino, JSON lines on stderr. Control characters are escaped by JSON, so a line cannot imitate another. */
import { destination, pino } from 'pino';
import type { Log, LogFields } from '../kernel/index.ts';

export function createLog(level: 'debug' | 'info' | 'warn' | 'error' | 'silent'): Log {
  const logger = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    destination({ fd: 2, sync: true }),
  );
  const at =
    (severity: 'debug' | 'info' | 'warn' | 'error') =>
    (event: string, fields: LogFields = {}): void =>
      logger[severity]({ ...fields, event });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
