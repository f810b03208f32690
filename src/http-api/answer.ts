/**
 * An answer as the result of `tools/call`: its status and the headers that a caller can use, its body as it came. JSON is
 * kept as structured content too, text is cut into pages where it is long, and what is no text becomes a blob. Pure.
 */
import { limits } from '../kernel/index.ts';
import { checkJson } from '../wire/index.ts';

export interface CollectedAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly fields: readonly (readonly [string, string])[];
  /** Decoded, up to `apiAnswerBytesMax`. */
  readonly body: Buffer;
  /** Whether there was more. */
  readonly isCut: boolean;
}

/** A long text that was put aside to be read on. */
export interface KeptText {
  readonly id: string;
  readonly pages: number;
  uri(page: number): string;
}

/** @param keep puts a text that is too long for one result aside. @returns the JSON of a CallToolResult */
export function resultOf(answer: CollectedAnswer, keep: (text: string) => KeptText): string {
  const { status, body, isCut } = answer;
  const type = mediaType(answer);
  const head = { status, headers: Object.fromEntries(shownFields(answer)) };
  const blocks: object[] = [textBlock(headText(answer))];
  const text = body.length === 0 ? '' : textOf(body, type);
  if (text === null) {
    blocks.push(binaryBlock(body, type, isCut));
    return result(blocks, JSON.stringify(head), status);
  }
  const cut = isCut ? `\n[cut: only the first ${limits.apiAnswerBytesMax / limits.MIB} MiB were read]` : '';
  const shown = text + cut;
  if (shown.length > limits.apiPageCharsMax) {
    const kept = keep(shown);
    blocks.push(textBlock(pageOf(shown, 1)), ...readOn(kept, type));
    return result(blocks, JSON.stringify({ ...head, answer: kept.id, pages: kept.pages }), status);
  }
  if (shown !== '') blocks.push(textBlock(shown));
  const json = isJson(type) && !isCut ? oneLineJson(text) : null;
  const structured = JSON.stringify(head);
  return result(blocks, json === null ? structured : `${structured.slice(0, -1)},"body":${json}}`, status);
}

/** @param page from 1 */
export function pageOf(text: string, page: number): string {
  const start = boundary(text, (page - 1) * limits.apiPageCharsMax);
  return text.slice(start, boundary(text, page * limits.apiPageCharsMax));
}

export const pagesOf = (text: string): number => Math.ceil(text.length / limits.apiPageCharsMax);

/** Not between the halves of one character. */
function boundary(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff ? at - 1 : at;
}

const result = (blocks: readonly object[], structured: string, status: number): string =>
  `{"content":${JSON.stringify(blocks)},"structuredContent":${structured}${status >= 400 ? ',"isError":true' : ''}}`;

const textBlock = (text: string) => ({ type: 'text', text });

/** For models, which call a tool, and for programs, which read a resource. */
const readOn = (kept: KeptText, type: string): readonly object[] => [
  textBlock(
    `[page 1 of ${kept.pages}; the next one: call \`${READ_TOOL}\` with {"answer":"${kept.id}","page":2}, or read the resource]`,
  ),
  {
    type: 'resource_link',
    uri: kept.uri(2),
    name: `answer, page 2 of ${kept.pages}`,
    mimeType: isJson(type) ? 'text/plain' : type || 'text/plain',
  },
];

/** The tool that reads on. */
export const READ_TOOL = 'read_answer';

const headText = (answer: CollectedAnswer): string =>
  [`HTTP ${answer.status}`, ...shownFields(answer).map(([name, value]) => `${name}: ${value}`)].join('\n');

const SHOWN =
  /^(?:content-type|content-range|content-disposition|link|location|retry-after|etag|last-modified|allow|deprecation|sunset|warning|x-(?:total|page|per-page|next|prev|has-more)[\w-]*|(?:x-)?rate-?limit[\w-]*|x-request-id|request-id)$/;

/** What a caller can use of the head: how to go on, how long to wait, what it has. */
const shownFields = ({ fields }: CollectedAnswer): readonly (readonly [string, string])[] =>
  fields.filter(([name]) => SHOWN.test(name)).map(([name, value]) => [name, value.slice(0, FIELD_CHARS_MAX)]);

const FIELD_CHARS_MAX = 2_000;

const fieldOf = ({ fields }: CollectedAnswer, name: string): string =>
  fields.find(([key]) => key === name)?.[1] ?? '';

/** Without its parameters but the charset, in lower case. */
const mediaType = (answer: CollectedAnswer): string => fieldOf(answer, 'content-type').toLowerCase();

const isJson = (type: string): boolean => /^application\/(?:[\w.+-]+\+)?json\b/.test(type);

const TEXT =
  /^(?:text\/|application\/(?:[\w.+-]+\+)?(?:json|xml|yaml|x-yaml|javascript|graphql|x-ndjson|ndjson|x-www-form-urlencoded|sql)\b|image\/svg)/;

/** Null for what is no text. */
function textOf(body: Buffer, type: string): string | null {
  const isText = TEXT.test(type);
  if (!isText && type !== '') return null;
  const said = /charset="?([\w.:-]+)/.exec(type)?.[1] ?? 'utf-8';
  // Its escape sequences stand for nothing, and could stand between any two characters of a key that was looked for.
  const charset = /2022/.test(said) ? 'utf-8' : said;
  try {
    return new TextDecoder(charset, { fatal: !isText }).decode(body).toWellFormed();
  } catch {
    return isText ? body.toString('utf8').toWellFormed() : null;
  }
}

/** JSON text in which line breaks are blanks, so that it can stand in a line of its own; null for what is none. */
function oneLineJson(text: string): string | null {
  const checked = checkJson(text);
  return checked.ok ? checked.value.replaceAll(/[\r\n]+/g, ' ').trim() : null;
}

function binaryBlock(body: Buffer, type: string, isCut: boolean): object {
  const mimeType = type.split(';')[0]?.trim() || 'application/octet-stream';
  if (isCut || body.length > limits.apiBinaryBytesMax) {
    return textBlock(
      `[${isCut ? 'more than ' : ''}${body.length} bytes of ${mimeType.slice(0, 100)}: more than a result may have]`,
    );
  }
  const data = body.toString('base64');
  if (/^image\/(?:png|jpeg|gif|webp)$/.test(mimeType)) return { type: 'image', data, mimeType };
  if (mimeType.startsWith('audio/')) return { type: 'audio', data, mimeType };
  return { type: 'resource', resource: { uri: 'sallyport-answer:body', mimeType, blob: data } };
}
