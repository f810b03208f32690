/** What is worth a word each time: a key that came back in an answer, and a placeholder in the wrong hands. */
import type { RecordedEvent } from '../audit/index.ts';
import { textIn, whose } from './about.ts';
import type { Detector, EachRule } from './rules.ts';

const TYPES = { 'reflected-secret': 'egress.masked', 'foreign-placeholder': 'placeholder.foreign' } as const;

export const each = ({ kind }: EachRule): Detector => ({
  observe(event) {
    if (event.type !== TYPES[kind]) return null;
    const host = textIn(event, 'host') ?? 'an unknown host';
    const who = whose(event);
    return {
      key: `${who} ${host}`,
      message: messageOf(kind, who, host),
      data: { host, ...credentialsIn(event) },
    };
  },
  state: () => null,
});

const messageOf = (kind: EachRule['kind'], who: string, host: string): string =>
  kind === 'reflected-secret'
    ? `An answer of ${host} to ${who} had a stored key in it, which was masked.`
    : `${who} sent a placeholder to ${host} that was made for somebody else.`;

const credentialsIn = ({ data }: RecordedEvent) =>
  Array.isArray(data['credentials']) ? { credentials: data['credentials'] } : {};
