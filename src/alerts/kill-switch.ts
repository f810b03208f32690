/** A kill switch that was set, or lifted: each time, since each of them changes what goes on. */
import { textIn } from './about.ts';
import type { Detector } from './rules.ts';

export const killSwitch = (): Detector => ({
  observe(event) {
    if (event.type !== 'kill.set' && event.type !== 'kill.lifted') return null;
    const scope = textIn(event, 'scope') ?? 'unknown';
    const target = textIn(event, 'target');
    const what = scope === 'all' ? 'everything' : target === null ? scope : `${scope} ${target}`;
    const isSet = event.type === 'kill.set';
    const reason = textIn(event, 'reason');
    const who = `${event.actor.kind}:${event.actor.id}`;
    const why = reason === null ? '' : ` (${reason})`;
    return {
      // No two of them are the same.
      key: `${what} ${event.sequence}`,
      message: isSet
        ? `The kill switch was set by ${who} for ${what}${why}.`
        : `The kill switch was lifted by ${who} for ${what}.`,
      data: { scope, target, state: isSet ? 'set' : 'lifted' },
    };
  },
  state: () => null,
});
