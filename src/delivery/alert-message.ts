/** An alert as the body of a webhook, and as a message of Slack's Block Kit. What it says of agents and servers is theirs: nothing in it is markup. */
import type { RecordedEvent } from '../audit/index.ts';
import { showUnseen } from '../kernel/index.ts';

/** The shape is public: docs/alerts.md. */
export const alertBody = ({ at, data, server, workspace, sequence }: RecordedEvent): Buffer =>
  Buffer.from(
    JSON.stringify({
      type: 'alert.raised',
      timestamp: new Date(at).toISOString(),
      data: { workspace, sequence, ...(server === undefined ? {} : { server }), ...data },
    }),
    'utf8',
  );

/** Longest text of a section, and of a field in one (Slack's own bounds are 3,000 and 2,000), in characters. */
const TEXT_MAX = 2_000;
const FIELD_MAX = 500;

export function slackBody({ at, data, workspace, sequence }: RecordedEvent): Buffer {
  const message = cut(data['message'], TEXT_MAX);
  const fields = [
    plain(`Rule: ${cut(data['rule'], FIELD_MAX)}`),
    plain(`About: ${cut(data['key'], FIELD_MAX)}`),
    plain(`When: ${new Date(at).toISOString()}`),
    plain(`Event: ${workspace} ${sequence}`),
  ];
  const body = {
    // What notifications show.
    text: `Sallyport: ${unmarked(message)}`,
    blocks: [
      { type: 'header', text: plain('Sallyport alert') },
      { type: 'section', text: plain(message) },
      { type: 'section', fields },
    ],
  };
  return Buffer.from(JSON.stringify(body), 'utf8');
}

/**
 * The one kind of text in which Slack finds nothing: in the other it makes links of addresses, and mentions of names, even of
 * those that nobody marked as such.
 *
 * @see https://docs.slack.dev/reference/block-kit/composition-objects/text-object
 */
const plain = (text: string) => ({ type: 'plain_text', text, emoji: false });

/** A name that agents or servers chose begins no line, turns nothing around, and hides nothing. */
function cut(value: unknown, charsMax: number): string {
  const said = typeof value === 'string' ? value : '';
  const text = showUnseen(said, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
  return text.length > charsMax ? `${text.slice(0, charsMax)}…` : text;
}

/**
 * There is no such kind for notifications: the three control characters as entities, and nothing that is a mark, a name or an
 * address to Slack.
 *
 * @see https://docs.slack.dev/messaging/formatting-message-text
 */
const unmarked = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/[*_~`@#]|:(?=\/\/)/g, (mark) => `\u200b${mark}\u200b`);
