/**
 * JSON bodies: our reader of their strings against the parser of the language and our own strict one, on texts of a grammar
 * with characters changed where it hurts. Ours never takes for JSON what the language's parser refuses, sees the same strings in
 * the same places, and the same ones wherever it is stopped.
 */
import { checkJson, JsonStrings } from '../../src/wire/index.ts';
import { type Below, pick, seeded } from './random.ts';
import type { FuzzTarget } from './target.ts';

const STRINGS = [
  '""',
  '"a"',
  '"key"',
  '"a b\\n"',
  '"\\u0061\\"\\\\"',
  '"\\ud83d\\ude00"',
  '"\\ud83d"',
  '"\\u00"',
  '"é漢😀"',
  '"~/"',
  '"__proto__"',
  '"0"',
  '"\u007f"',
  '"\t"',
  '"a',
];
const SCALARS = [
  '0',
  '-0',
  '1',
  '12',
  '1.5',
  '-1e3',
  '1E+2',
  '1e999',
  '01',
  '.5',
  '1.',
  '+1',
  'true',
  'false',
  'null',
  'nul',
  'NaN',
];
const CHANGES = ['{', '}', '[', ']', ':', ',', '"', '\\', 'a', '0', ' ', '\n', '\ufeff', '\u0000', ''];
const SPACES = ['', '', '', ' ', '\n', '\r\n\t'];
const DEPTH_MAX = 5;
const ITEMS_MAX = 4;
const POINTERS = ['/key', '/a/0', '/a/key', '/~0~1', '/0'];

function text(below: Below, depth: number): string {
  const space = (): string => pick(below, SPACES);
  const kind = depth >= DEPTH_MAX ? below(2) : below(4);
  if (kind === 0) return pick(below, STRINGS);
  if (kind === 1) return pick(below, SCALARS);
  const items = Array.from({ length: below(ITEMS_MAX) }, () => {
    const key = kind === 2 ? '' : `${pick(below, STRINGS)}${space()}:`;
    return `${space()}${key}${space()}${text(below, depth + 1)}${space()}`;
  });
  return kind === 2 ? `[${items.join(',')}]` : `{${items.join(',')}}`;
}

/** Now and then one character is another one. */
function changed(below: Below, whole: string): string {
  if (below(2) > 0) return whole;
  const at = below(whole.length + 1);
  return whole.slice(0, at) + pick(below, CHANGES) + whole.slice(at + below(2));
}

interface Read {
  readonly malformed: string | null;
  readonly strings: readonly string[];
}

function read(body: Buffer, pointers: readonly string[], step: number): Read {
  const strings: string[] = [];
  const reader: JsonStrings = new JsonStrings(body, pointers, (string) =>
    strings.push(`${string.isKey ? 'key' : 'value'} ${reader.pointer} ${reader.valueOf(string)}`),
  );
  while (!reader.read(step));
  return { malformed: reader.malformed, strings };
}

/** Where the language's parser finds the strings that are values. */
function valuesIn(value: unknown, pointer: string, to: string[]): void {
  if (typeof value === 'string') to.push(`value ${pointer} ${value}`);
  else if (value !== null && typeof value === 'object')
    for (const [key, member] of Object.entries(value))
      valuesIn(member, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, to);
}

function faultOf(below: Below, whole: string): string | null {
  const body = Buffer.from(whole);
  const pointers = below(2) === 0 ? [] : POINTERS;
  const at = read(body, pointers, body.length + 1);
  const stopped = read(body, pointers, 1 + below(9));
  if (JSON.stringify(at) !== JSON.stringify(stopped)) return 'it depends on where it was stopped';
  const strict = checkJson(body);
  if (at.malformed === null && !strict.ok && strict.error !== 'json_duplicate_key')
    return `strictly it is ${strict.error}`;
  if (at.malformed !== null && strict.ok) return `it is JSON, and not ${at.malformed}`;
  if (at.malformed !== null) return null;
  const wanted: string[] = [];
  valuesIn(JSON.parse(whole), '', wanted);
  const seen = new Set(at.strings);
  return wanted.every((one) => seen.has(one)) ? null : 'a string was not seen';
}

/** Each text has a seed of its own, from the given one on. */
export const json: FuzzTarget = {
  name: 'json',
  run(seed, count, report) {
    let accepted = 0;
    for (let one = seed; one < seed + count; one += 1) {
      const below = seeded(one);
      const whole = changed(below, text(below, 0));
      if (!whole.isWellFormed()) continue;
      const fault = faultOf(below, whole);
      if (fault !== null) throw new Error(`seed ${one}: ${fault}: ${JSON.stringify(whole)}`);
      if (checkJson(whole).ok) accepted += 1;
    }
    report(`${count} texts, ${accepted} of them JSON, were read alike`);
  },
};
