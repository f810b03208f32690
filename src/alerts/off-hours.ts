/** Calls outside of working hours, by the clock of a place. */
import type { Detector, OffHoursRule } from './rules.ts';

const DAYS: Readonly<Record<string, number>> = { Mon: 1, Tue: 2, Wed: 3, Thu: 4, Fri: 5, Sat: 6, Sun: 7 };

export function offHours(rule: OffHoursRule): Detector {
  const clock = new Intl.DateTimeFormat('en-US', {
    timeZone: rule.timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  return {
    observe({ type, at, actor, server }) {
      if (type !== 'call.started') return null;
      const parts = new Map(clock.formatToParts(at).map((part) => [part.type, part.value]));
      const day = DAYS[parts.get('weekday') ?? ''] ?? 0;
      const minute = Number(parts.get('hour')) * 60 + Number(parts.get('minute'));
      if (rule.days.includes(day) && minute >= rule.fromMinute && minute < rule.untilMinute) return null;
      const key = `${actor.kind}:${actor.id}`;
      const time = `${parts.get('weekday')} ${parts.get('hour')}:${parts.get('minute')} ${rule.timeZone}`;
      return {
        key,
        message: `${key} made calls outside of working hours: ${time}.`,
        data: { time, ...(server === undefined ? {} : { server }) },
      };
    },
    state: () => null,
  };
}
