/** Whether the clock can be believed: tokens expire by it, certificates are judged by it, and events are dated by it. */
import type { Check } from '../../cli/index.ts';
import { limits } from '../../kernel/index.ts';
import type { Machine } from './machine.ts';

/** This program is not older: a clock that says so was never set. */
const WRITTEN_AT = Date.UTC(2026, 0, 1);
const FIX = 'sudo timedatectl set-ntp true   (or start chrony or ntpd), then look again';

/**
 * @param now milliseconds since the Unix epoch
 * @param files of the home, which were written while the clock went
 */
export async function checkClock(now: number, files: readonly string[], machine: Machine): Promise<Check> {
  const name = 'clock';
  const found = Number.isFinite(now) ? new Date(now).toISOString() : String(now);
  if (now < WRITTEN_AT) return { name, ok: false, found: `${found}, which is long past`, fix: FIX };
  const written = Math.max(0, ...files.map((path) => machine.entry(path)?.modifiedAt ?? 0));
  if (written > now + limits.doctorClockSlackMs) {
    const later = new Date(written).toISOString();
    return { name, ok: false, found: `${found}, but something was written at ${later}`, fix: FIX };
  }
  const synchronised = await machine.ask(
    '/usr/bin/timedatectl',
    'show',
    '--property=NTPSynchronized',
    '--value',
  );
  if (synchronised === 'no')
    return { name, ok: true, found: `${found}, not synchronised with anything`, fix: FIX };
  return { name, ok: true, found: synchronised === 'yes' ? `${found}, synchronised` : found };
}
