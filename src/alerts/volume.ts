/**
 * More calls than usual. Usual is the median of the windows before; how far they lie apart (their median deviation) is
 * forgiven, so that neither one wild hour nor a quiet night moves it much.
 */
import type { RecordedEvent } from '../audit/index.ts';
import { limits } from '../kernel/index.ts';
import { readNumbers, Remembered } from './remembered.ts';
import type { Detector, Finding, VolumeRule } from './rules.ts';

/** Number of the window, calls in it so far, calls in those before. */
type Counted = [window: number, calls: number, ...before: number[]];

/** Makes a median deviation comparable to a standard one. */
const SCALE = 1.4826;
/** So many deviations are nothing unusual. */
const DEVIATIONS = 6;

export function volume(rule: VolumeRule, stored: unknown): Detector {
  const known = new Remembered<Counted>(stored, readCounted);
  return {
    observe(event) {
      const key = event.type === 'call.started' ? keyOf(rule, event) : null;
      if (key === null) return null;
      const window = Math.floor(event.at / (rule.windowMinutes * 60_000));
      const [, before, ...history] = movedTo(known.get(key) ?? [window, 0], window);
      const calls = before + 1;
      known.set(key, [window, calls, ...history]);
      const bound = boundOf(rule, history);
      return calls > bound ? finding(rule, key, calls, bound) : null;
    },
    state: () => known.state(),
  };
}

const keyOf = ({ per }: VolumeRule, { actor, server }: RecordedEvent): string | null => {
  if (per === 'token') return `${actor.kind}:${actor.id}`;
  return server === undefined ? null : `server:${server}`;
};

function readCounted(value: unknown): Counted | null {
  const [window, calls, ...before] = readNumbers(value) ?? [];
  return window === undefined || calls === undefined ? null : [window, calls, ...before];
}

/** Windows without a call count as such. */
function movedTo([at, calls, ...before]: Counted, window: number): Counted {
  if (window <= at) return [at, calls, ...before];
  const quiet = Math.min(window - at - 1, limits.alertHistoryWindows);
  return [
    window,
    0,
    ...[...before, calls, ...Array<number>(quiet).fill(0)].slice(-limits.alertHistoryWindows),
  ];
}

/** So many calls are still usual. */
function boundOf({ minimum, factor }: VolumeRule, history: readonly number[]): number {
  if (history.length < limits.alertHistoryWindowsMin) return minimum;
  const usual = median(history);
  const deviation = median(history.map((calls) => Math.abs(calls - usual)));
  return Math.max(minimum, factor * usual, usual + DEVIATIONS * SCALE * deviation);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] = [sorted[middle - 1 + (sorted.length % 2)], sorted[middle]];
  return (low + high) / 2;
}

function finding({ windowMinutes }: VolumeRule, key: string, calls: number, bound: number): Finding {
  return {
    key,
    message: `${key} made more calls than usual: ${calls} within ${windowMinutes} minutes, where up to ${Math.floor(bound)} are usual.`,
    data: { calls, usual: Math.floor(bound), windowMinutes },
  };
}
