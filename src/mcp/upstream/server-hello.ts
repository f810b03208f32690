/** What a server said about itself, whichever revision it said it in. */
import type { UpstreamEra } from '../ports/upstreams.ts';
import { find, slice } from '../protocol/raw-json.ts';

export interface ServerHello {
  readonly era: UpstreamEra;
  /** The `result` of `initialize`: exactly as given, or made of what a stateless server says. */
  readonly resultText: string;
  /** The `result` of `server/discover` exactly as given; null where there was none. */
  readonly discoverText: string | null;
  /** Whether a capability is declared, `resources`, or one inside it, `resources`, `subscribe`. */
  has(...path: readonly string[]): boolean;
}

export const serverHello = (
  era: UpstreamEra,
  resultText: string,
  discoverText: string | null,
): ServerHello => ({
  era,
  resultText,
  discoverText,
  has(...path) {
    const span = find(resultText, 0, ['capabilities', ...path]);
    if (span === null) return false;
    const text = slice(resultText, span);
    return text !== 'false' && text !== 'null';
  },
});
