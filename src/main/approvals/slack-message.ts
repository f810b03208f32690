/**
 * What Slack shows of an approval, as Block Kit. Whatever others wrote is plain text, which mentions nobody and links nowhere,
 * with each character that nobody sees, or that turns others around, written out: what somebody agrees to is what they read.
 * There is a button to agree only where all of it is shown.
 */
import { type JsonObject, limits, showUnseen } from '../../kernel/index.ts';
import { textMask } from '../../recording/index.ts';
import type { KeptApproval } from './sealed-approvals.ts';

/** Of Slack's own bounds: the text of a section, and of a field of one, in characters. */
const SECTION_CHARS_MAX = limits.approvalShownCharsMax;
const FIELD_CHARS_MAX = 300;

const seen = (text: string): string =>
  showUnseen(text, (char) => (char === '\n' ? char : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`));

const plain = (text: string): JsonObject => ({ type: 'plain_text', text, emoji: false });
const section = (text: string): JsonObject => ({ type: 'section', text: plain(text) });

const cut = (text: string, chars: number): string =>
  text.length <= chars ? text : `${headOf(text, chars)}… (${text.length - chars} more characters)`;

/** Never half a character. */
function headOf(text: string, chars: number): string {
  const last = text.charCodeAt(chars - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? chars - 1 : chars);
}

const field = (name: string, text: string): JsonObject =>
  plain(`${name}: ${cut(seen(text), FIELD_CHARS_MAX)}`);

const whatOf = ({ about }: KeptApproval): string => seen(`${about.server} ${about.name}`);

/** Ways to answer, by what accounts begin with. */
const WAYS: Readonly<Record<string, string>> = {
  local: 'at the terminal',
  slack: 'in Slack',
  webhook: 'by webhook',
};

function whoOf({ by, account }: { readonly by: string; readonly account: string }): string {
  const way = WAYS[account.split(':', 1)[0] ?? ''];
  return seen(`${by.replace(/^user:/, '')}${way === undefined ? '' : ` ${way}`}`);
}

/** While it waits for an answer. */
export function askMessage(kept: KeptApproval): JsonObject {
  const { id, approval, about } = kept;
  const fields = [
    field('What', `${about.server} ${about.name}`),
    field('Who asks', `${about.agent} (${approval.requester})`),
    field('Rules', about.rules.join(', ')),
    field('Agree', `${approval.people}, until ${new Date(approval.askUntil).toISOString()}`),
  ];
  if (approval.agreed.length > 0) fields.push(field('Agreed', approval.agreed.map(whoOf).join(', ')));
  const given = partsOf('Arguments', about.argumentsText);
  const beside = about.besideText === null ? NOTHING : partsOf('Beside them', about.besideText);
  const isWhole = given.isWhole && beside.isWhole && fields.every(({ text }) => !isCut(text));
  return {
    text: `A call waits for an approval: ${id}`,
    blocks: [
      { type: 'header', text: plain('A call waits for an approval') },
      { type: 'section', fields },
      ...given.sections,
      ...beside.sections,
      ...answersOf(kept, isWhole),
      {
        type: 'context',
        elements: [plain(`${id} · ${approval.hash} · all of it: sallyport approval show ${id}`)],
      },
    ],
  };
}

/** In place of the question once it waits no more, and of what somebody pressed a button for. */
export function stateMessage(kept: KeptApproval): JsonObject {
  const { state, agreed, ended, people } = kept.approval;
  const count = state === 'pending' ? `, ${agreed.length} of ${people} agreed` : '';
  const said = agreed.map((one) => `${whoOf(one)} agreed`);
  if (ended !== null && (state === 'rejected' || state === 'revoked'))
    said.push(`${whoOf(ended)} ${state} it`);
  const why = said.length === 0 ? '' : ` (${said.join(', ')})`;
  const text = `${whatOf(kept)}: ${state}${count}${why}. ${kept.id}`;
  return { text: cut(text, SECTION_CHARS_MAX), blocks: [section(cut(text, SECTION_CHARS_MAX))] };
}

/** To whoever pressed a button. What waits no more takes the buttons' place. */
export const answeredMessage = (kept: KeptApproval): JsonObject => ({
  replace_original: kept.approval.state !== 'pending',
  ...stateMessage(kept),
});

/** Where it was refused: told to whoever pressed the button, and nobody else. */
export const refusedMessage = (message: string): JsonObject => ({
  replace_original: false,
  response_type: 'ephemeral',
  text: cut(seen(message), SECTION_CHARS_MAX),
});

function answersOf({ id, approval }: KeptApproval, isWhole: boolean): readonly JsonObject[] {
  const button = (text: string, style: string): JsonObject => ({
    type: 'button',
    text: plain(text),
    style,
    action_id: text.toLowerCase(),
    value: id,
  });
  const no = button('Reject', 'danger');
  // A reason has to be typed in, for which a button has no place.
  if (approval.justification)
    return [
      section(`Say why: sallyport approval approve ${id} --reason …`),
      { type: 'actions', elements: [no] },
    ];
  if (!isWhole)
    return [
      section(`This is not all of it. See it, and agree there: sallyport approval show ${id}`),
      { type: 'actions', elements: [no] },
    ];
  return [{ type: 'actions', elements: [button('Approve', 'primary'), no] }];
}

interface Parts {
  readonly sections: readonly JsonObject[];
  /** Whether nothing is left out. */
  readonly isWhole: boolean;
}

const NOTHING: Parts = { sections: [], isWhole: true };

/** Masked, in as many sections as it takes, up to a bound. @param json null: none */
function partsOf(name: string, json: string | null): Parts {
  const shown = json === null ? 'none' : seen(textMask((text) => text).json(json).text);
  const sections: JsonObject[] = [];
  let rest = `${name}: ${shown}`;
  while (rest !== '' && sections.length < limits.approvalShownSectionsMax) {
    const head = rest.length <= SECTION_CHARS_MAX ? rest : headOf(rest, SECTION_CHARS_MAX);
    rest = rest.slice(head.length);
    const isLast = sections.length === limits.approvalShownSectionsMax - 1;
    sections.push(section(isLast && rest !== '' ? `${head}… (${rest.length} more characters)` : head));
  }
  return { sections, isWhole: rest === '' };
}

const isCut = (text: unknown): boolean => typeof text === 'string' && text.endsWith(' more characters)');
