/** A server that connects to a host, or is asked for a tool, for the first time since it has been known for a while. */
import type { RecordedEvent } from '../audit/index.ts';
import { type Json, limits } from '../kernel/index.ts';
import { textIn } from './about.ts';
import { Remembered } from './remembered.ts';
import type { Detector, FirstSeenRule } from './rules.ts';

/** What the gateway delivers itself goes where its owner said. */
const OWN = 'delivery:';

/** Since when the server is known, and what it was seen with. */
type Known = readonly [since: number, names: readonly string[]];

export function firstSeen(rule: FirstSeenRule, stored: unknown): Detector {
  const known = new Remembered<Known>(stored, readKnown);
  const what = rule.kind === 'first-host' ? 'host' : 'tool';
  return {
    observe(event) {
      const name = nameIn(rule, event);
      const { server } = event;
      if (name === null || server === undefined || server.startsWith(OWN)) return null;
      const [since, names] = known.get(server) ?? [event.at, []];
      if (names.includes(name)) return null;
      known.set(server, [since, [...names, name].slice(-limits.alertSeenMax)]);
      if (event.at - since < rule.learnHours * 3_600_000) return null;
      return {
        key: `${server} ${name}`,
        message:
          what === 'host'
            ? `The server ${server} connected to ${name} for the first time.`
            : `The tool ${name} of ${server} was called for the first time.`,
        data: { server, [what]: name },
      };
    },
    state: () => known.state(),
  };
}

const nameIn = ({ kind }: FirstSeenRule, event: RecordedEvent): string | null => {
  if (kind === 'first-host') return event.type === 'egress.finished' ? textIn(event, 'host') : null;
  return event.type === 'call.started' ? textIn(event, 'tool') : null;
};

function readKnown(value: unknown): Known | null {
  if (!Array.isArray(value)) return null;
  const [since, names] = value as readonly unknown[];
  if (!Number.isFinite(since) || !Array.isArray(names)) return null;
  return [Number(since), (names as readonly Json[]).filter((name) => typeof name === 'string')];
}
