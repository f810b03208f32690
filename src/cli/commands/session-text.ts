/** Lines of recorded sessions for a person. Everything in them was written by others, and is shown with nothing that a terminal obeys. */
import type { RecordingLine, RejudgeReport } from '../../api/index.ts';
import { spelledOut } from '../output.ts';

/** A line of a screen has room for so many characters of a message. */
const TEXT_CHARS = 600;

const atOf = (line: RecordingLine): number => ('ms' in line ? line.ms : Infinity);

/** By time; what was said at the same moment stays in its order. */
export const sortedLines = (lines: readonly RecordingLine[]): readonly RecordingLine[] =>
  lines.toSorted((a, b) => atOf(a) - atOf(b));

export function lineText(line: RecordingLine): string {
  const at = atOf(line);
  const time = Number.isFinite(at) ? `${(at / 1_000).toFixed(3).padStart(10)} s` : '';
  return `${time}  ${spelledOut(wordsOf(line))}`;
}

function wordsOf(line: RecordingLine): string {
  switch (line.kind) {
    case 'session':
      return `begins: ${line.facts.actor}, agent ${line.facts.agent}`;
    case 'message':
      return `${line.from === 'client' ? '→' : '←'} ${messageText(line)}`;
    case 'decision': {
      const { subject, server, name, outcome, rule, arguments: given, left, masked } = line;
      const by = rule === null ? '' : ` by the rule ${rule}`;
      const args = given === undefined || given === null ? '' : ` ${shortened(given)}`;
      return `  ${numbered(line.request)}${subject} ${server} ${name}: ${outcome}${by}${args}${noteText(left, masked)}`;
    }
    case 'call':
      return `  ${numbered(line.request)}is ${line.call} at ${line.server}`;
    case 'asked':
      return `  ${numbered(line.request)}is with ${line.server}`;
    case 'dropped':
      return `! ${line.messages} messages were lost`;
    case 'end':
      return 'ends';
    case 'event':
      return `  ${line.type} ${line.server ?? ''} ${duringText(line)} ${eventText(line.data)}`;
    case 'checked':
      break;
  }
  return '';
}

const duringText = ({ calls, requests }: Extract<RecordingLine, { kind: 'event' }>): string =>
  [...calls, ...requests.map((request) => `#${request}`)].join(', ');

type Message = Extract<RecordingLine, { kind: 'message' }>;

function messageText(line: Message): string {
  const { type, method, outcome, code, text, chars, request, left, masked } = line;
  const what = method ?? (outcome === undefined ? type : outcome.replace('_', ' '));
  const why = code === undefined ? '' : ` (${code})`;
  const body = text === undefined ? ` ${chars} characters` : ` ${shortened(text)}`;
  return `${numbered(request)}${what}${why}${body}${noteText(left, masked)}`;
}

const numbered = (request: number | undefined): string => (request === undefined ? '' : `#${request} `);

const shortened = (text: string): string =>
  text.length <= TEXT_CHARS ? text : `${text.slice(0, TEXT_CHARS)}… (${text.length} characters)`;

function noteText(left: Message['left'], masked: Message['masked']): string {
  if (left === 'too_long') return ' [too long to be kept]';
  if (left === 'values_unknown') return ' [not kept: what to mask could not be found out]';
  const cut = left === 'rest_too_long' ? ' [the rest was too long to be kept]' : '';
  if (masked === undefined) return cut;
  return `${cut} [masked: ${[...new Set(masked.map(({ detector }) => detector))].join(', ')}]`;
}

function eventText(data: Readonly<Record<string, unknown>>): string {
  const shown = ['method', 'host', 'path', 'status', 'credential', 'code', 'outcome'].flatMap((name) => {
    const value = data[name];
    return typeof value === 'string' || typeof value === 'number' ? [String(value)] : [];
  });
  return shown.join(' ');
}

const FAULTS: Readonly<Record<RejudgeReport['faults'][number]['code'], string>> = {
  chunk_missing: 'a part is missing',
  chunk_altered: 'a part was changed, or is of another place',
  begin_altered: 'what the list says of it is not what it began with',
  end_missing: 'it was ended, and its end is gone',
  end_wrong: 'entries are missing in front of its end',
};

export const faultText = ({ code, chunk }: RejudgeReport['faults'][number]): string =>
  `  ${FAULTS[code]}${chunk === null ? '' : ` (part ${chunk})`}`;
