/**
 * What an SQL text does, for rules: its verbs and its tables. Databases disagree about where a string or a comment ends, and
 * a hostile text uses that; so it is read as each of them would, and what any reading finds counts. No grammar: a verb counts
 * wherever it stands outside of quotes and comments.
 */
import { limits } from '../../kernel/index.ts';
import { bounded, charge, Unjudged } from './meter.ts';

interface Dialect {
  /** A backslash in a string takes the next character along. */
  readonly backslash: boolean;
  /** `#` begins a comment, and `--` only before white space. */
  readonly hash: boolean;
  /** `/*` within a comment begins another one. */
  readonly nested: boolean;
  /** `$tag$ … $tag$` is a string. */
  readonly dollar: boolean;
  /** `[name]` is a name. */
  readonly brackets: boolean;
  /** What stands between double quotes is a string, and no name. */
  readonly doubleIsText: boolean;
}

const POSTGRES: Dialect = {
  backslash: false,
  hash: false,
  nested: true,
  dollar: true,
  brackets: false,
  doubleIsText: false,
};
const MYSQL: Dialect = {
  backslash: true,
  hash: true,
  nested: false,
  dollar: false,
  brackets: false,
  doubleIsText: true,
};
const SQLITE: Dialect = { ...POSTGRES, nested: false, dollar: false, brackets: true };
const DIALECTS: readonly Dialect[] = [POSTGRES, MYSQL, SQLITE];

/** Wherever they stand. */
const VERBS = new Set(
  'select insert update delete merge replace upsert drop alter create truncate grant revoke rename'.split(
    ' ',
  ),
);
/** Only where a statement begins: elsewhere they are parts of other statements. */
const FIRST_VERBS = new Set(
  'set do lock load copy call exec execute attach detach pragma vacuum analyze comment begin commit rollback use show explain describe values table declare prepare deallocate listen notify reindex cluster refresh import handler flush kill optimize repair shutdown reset discard'.split(
    ' ',
  ),
);
/** These are also functions. */
const FUNCTIONS = new Set(['replace', 'insert', 'truncate']);
const BEFORE_TABLE = new Set(['from', 'join', 'into', 'update', 'table', 'truncate']);
/** Between those and the name. */
const BEFORE_NAME = new Set('lateral only if not exists table'.split(' '));
const NO_TABLE = new Set('select values set as where using with'.split(' '));
const ENDS_LIST = new Set(
  'where group order having limit union intersect except on using set values window fetch for returning select'.split(
    ' ',
  ),
);

interface Token {
  readonly kind: 'word' | 'name' | 'sign';
  readonly text: string;
}

const unite = (find: (tokens: readonly Token[]) => Iterable<string>, text: string): string[] => {
  if (text.length > limits.policySqlCharsMax) throw new Unjudged('the SQL is too long');
  charge(text.length * DIALECTS.length);
  const found = new Set<string>();
  for (const dialect of DIALECTS) for (const one of find([...tokensOf(text, dialect)])) found.add(one);
  return bounded(found);
};

/** `select`, `delete` …; each once, in lower case. */
export const sqlVerbs = (text: string): string[] => unite(verbsOf, text);
/** `users`, `audit.events`; each once, in lower case, without quotes. */
export const sqlTables = (text: string): string[] => unite(tablesOf, text);

function* verbsOf(tokens: readonly Token[]): Generator<string> {
  let isFirst = true;
  for (const [index, { kind, text }] of tokens.entries()) {
    if (kind === 'word' && VERBS.has(text)) {
      const isCalled = FUNCTIONS.has(text) && tokens[index + 1]?.text === '(';
      if (!isCalled || isFirst) yield text;
    } else if (kind === 'word' && isFirst && FIRST_VERBS.has(text)) yield text;
    isFirst = text === ';' || (isFirst && (text === '(' || text === 'explain' || text === 'analyze'));
  }
}

function* tablesOf(tokens: readonly Token[]): Generator<string> {
  /** Depths of parentheses at which a list after `from` goes on: a comma there is followed by another table. */
  const lists = new Set<number>();
  let depth = 0;
  let awaited = false;
  for (let index = 0; index < tokens.length; index += 1) {
    const { kind, text } = tokens[index] ?? { kind: 'sign', text: '' };
    if (kind === 'sign') {
      if (text === '(') depth += 1;
      if (text === ')') lists.delete(depth--);
      if (text === ';') lists.clear();
      // A parenthesis before a table groups joins, or holds a query.
      awaited = (awaited && text === '(') || (text === ',' && lists.has(depth));
      if (awaited && text === '(') lists.add(depth);
    } else if (awaited && !(kind === 'word' && (BEFORE_NAME.has(text) || NO_TABLE.has(text)))) {
      const parts = [text];
      while (tokens[index + 1]?.text === '.' && tokens[index + 1]?.kind === 'sign') {
        parts.push(tokens[index + 2]?.text ?? '');
        index += 2;
      }
      yield parts.join('.').toLowerCase();
      awaited = false;
    } else if (kind === 'word') {
      if (BEFORE_TABLE.has(text)) awaited = true;
      else if (!BEFORE_NAME.has(text)) awaited = false;
      if (text === 'from') lists.add(depth);
      else if (ENDS_LIST.has(text)) lists.delete(depth);
    }
  }
}

const WORD = /[\p{L}_][\p{L}\p{N}_$]*/uy;
const NUMBER = /[0-9][\p{L}\p{N}_.]*/uy;
const DOLLAR = /\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy;

function* tokensOf(text: string, dialect: Dialect): Generator<Token> {
  let at = 0;
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? null;
  };
  while (at < text.length) {
    const char = text.charAt(at);
    const next = text.charAt(at + 1);
    if (isComment(char, next, text.charAt(at + 2), dialect)) {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end;
    } else if (char === '/' && next === '*') {
      // MySQL runs what stands in `/*! … */`.
      at = dialect.hash && text.charAt(at + 2) === '!' ? at + 3 : endOfComment(text, at, dialect.nested);
    } else if (char === "'" || (char === '"' && dialect.doubleIsText)) {
      const isEscaped = dialect.backslash || /[eE]/.test(text.charAt(at - 1));
      at = endOfQuote(text, at, char, isEscaped);
      yield { kind: 'sign', text: "''" };
    } else if (char === '"' || char === '`' || (char === '[' && dialect.brackets)) {
      const end = endOfQuote(text, at, char === '[' ? ']' : char, false);
      yield { kind: 'name', text: text.slice(at + 1, end - 1) };
      at = end;
    } else {
      const tag = dialect.dollar && char === '$' ? match(DOLLAR) : null;
      const word = tag === null ? match(WORD) : null;
      if (tag !== null) {
        const end = text.indexOf(tag, at + tag.length);
        at = end < 0 ? text.length : end + tag.length;
      } else if (word !== null) {
        at += word.length;
        yield { kind: 'word', text: word.toLowerCase() };
      } else {
        at += match(NUMBER)?.length ?? 1;
        if (char.trim() !== '') yield { kind: 'sign', text: char };
      }
    }
  }
}

function isComment(char: string, next: string, third: string, { hash }: Dialect): boolean {
  if (char === '#') return hash;
  return char === '-' && next === '-' && (!hash || third === '' || /[\s\p{Cc}]/u.test(third));
}

function endOfComment(text: string, start: number, nested: boolean): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start + 2;
  let depth = 1;
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    if (mark[0] === '*/') depth -= 1;
    else if (nested) depth += 1;
    // `/*/` in a comment that does not nest is its end after a slash.
    else marks.lastIndex = mark.index + 1;
    if (depth === 0) return marks.lastIndex;
  }
  return text.length;
}

/** After the closing quote; a doubled one stands for itself. */
function endOfQuote(text: string, start: number, quote: string, backslash: boolean): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (backslash && char === '\\') at += 1;
    else if (char === quote) {
      if (text.charAt(at + 1) !== quote) return at + 1;
      at += 1;
    }
  }
  return text.length;
}
