/** Too many of something within some time: refusals of one asker, or servers that end by themselves. */
import type { RecordedEvent } from '../audit/index.ts';
import { isDenial, whose } from './about.ts';
import { readNumbers, Remembered } from './remembered.ts';
import type { BurstRule, Detector } from './rules.ts';

export function burst(rule: BurstRule, stored: unknown): Detector {
  // When the last of them happened, as many as it takes.
  const known = new Remembered<readonly number[]>(stored, readNumbers);
  const { count, windowMinutes } = rule;
  return {
    observe(event) {
      const key = keyOf(rule, event);
      if (key === null) return null;
      const since = event.at - windowMinutes * 60_000;
      const times = [...(known.get(key) ?? []), Math.floor(event.at)]
        .filter((at) => at > since)
        .slice(-count);
      known.set(key, times);
      if (times.length < count) return null;
      const what = rule.kind === 'denials' ? 'was refused' : 'ended by itself';
      return {
        key,
        message: `${key} ${what} ${count} times within ${windowMinutes} minutes.`,
        data: { count, windowMinutes },
      };
    },
    state: () => known.state(),
  };
}

function keyOf({ kind }: BurstRule, event: RecordedEvent): string | null {
  if (kind === 'denials') return isDenial(event) ? whose(event) : null;
  const isCrash = event.type === 'cell.exited' && event.data['byItself'] === true;
  return isCrash && event.server !== undefined ? `server:${event.server}` : null;
}
