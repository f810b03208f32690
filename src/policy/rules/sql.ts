/**
 * What an SQL text does, for rules: its verbs and its tables. Databases disagree about where a string or a comment ends, and
 * a hostile text uses that; so it is read as PostgreSQL, MySQL and MariaDB in each of their modes, and SQLite would, and what any
 * reading finds counts. No grammar: a verb counts wherever it stands outside of quotes and comments, and so does whatever a
 * statement begins with.
 */
import { limits } from '../../kernel/index.ts';
import { bounded, charge, Unjudged } from './meter.ts';

interface Dialect {
  /** A backslash in a string takes the next character along. */
  readonly backslash: boolean;
  /** So it does in `E'…'`, and in what goes on with that on the next line; a carriage return ends a line, too. */
  readonly postgres: boolean;
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
  postgres: true,
  hash: false,
  nested: true,
  dollar: true,
  brackets: false,
  doubleIsText: false,
};
const MYSQL: Dialect = {
  backslash: true,
  postgres: false,
  hash: true,
  nested: false,
  dollar: false,
  brackets: false,
  doubleIsText: true,
};
const SQLITE: Dialect = { ...POSTGRES, postgres: false, nested: false, dollar: false, brackets: true };
const DIALECTS: readonly Dialect[] = [
  POSTGRES,
  SQLITE,
  MYSQL,
  // Its modes ANSI_QUOTES and NO_BACKSLASH_ESCAPES.
  { ...MYSQL, doubleIsText: false },
  { ...MYSQL, backslash: false },
  { ...MYSQL, backslash: false, doubleIsText: false },
];
/** Where nothing of this is in a text, all of them read the same. */
const DISAGREED = /['"`#$[\\]|--|\/\*/;

/** Wherever they stand. */
const VERBS = new Set(
  'select insert update delete merge replace upsert drop alter create truncate grant revoke rename exec execute'.split(
    ' ',
  ),
);
/** Behind what only tells of a statement; elsewhere they are parts of others. */
const FIRST_VERBS = new Set(['analyze', 'table', 'values', 'declare']);
/** These are also functions. */
const FUNCTIONS = new Set(['replace', 'insert', 'truncate']);
const BEFORE_TABLE = new Set(
  'from join straight_join apply into update table tables truncate using'.split(' '),
);
/** Those behind which there may be a list of them. */
const BEFORE_LIST = new Set(['from', 'update', 'table', 'tables', 'truncate', 'using']);
/** These have a table behind them as well, in some databases. */
const CHANGES = new Set(['insert', 'replace', 'delete', 'merge']);
/** And these where a statement begins. */
const FIRST_BEFORE_TABLE = new Set('copy describe desc handler lock analyze vacuum'.split(' '));
/** Between those and the name. */
const BEFORE_NAME = new Set('lateral only if not exists table tables'.split(' '));
/** The same behind what changes something. */
const MODIFIERS = new Set(
  'ignore low_priority high_priority delayed quick or rollback abort fail'.split(' '),
);
const NO_TABLE = new Set('select values set as where using with add alter drop'.split(' '));
/** Behind what a list goes on after with no table; before a comma each of them is a name. */
const ENDS_LIST = new Set(
  'where group order having limit union intersect except set window fetch returning select duplicate conflict'.split(
    ' ',
  ),
);

interface Token {
  readonly kind: 'word' | 'name' | 'text' | 'sign';
  readonly text: string;
}

const unite = (find: (tokens: readonly Token[]) => Iterable<string>, text: string): string[] => {
  if (text.length > limits.policySqlCharsMax) throw new Unjudged('the SQL is too long');
  const dialects = DISAGREED.test(text) ? DIALECTS : [POSTGRES];
  charge(text.length * dialects.length);
  const found = new Set<string>();
  for (const dialect of dialects) for (const one of find([...tokensOf(text, dialect)])) found.add(one);
  return bounded(found);
};

/** `select`, `delete` …; each once, in lower case. */
export const sqlVerbs = (text: string): string[] => unite(verbsOf, text);
/** `users`, `audit.events`; each once, in lower case, without quotes. */
export const sqlTables = (text: string): string[] => unite(tablesOf, text);

function* verbsOf(tokens: readonly Token[]): Generator<string> {
  /** Where a statement begins, and behind what only tells of it. */
  let [isStart, isFirst] = [true, true];
  /** What a query gives goes into a table or a file by `into`, where nothing else does that. */
  let changes = false;
  for (const [index, { kind, text }] of tokens.entries()) {
    if (kind === 'word' && VERBS.has(text)) {
      const isCalled = FUNCTIONS.has(text) && tokens[index + 1]?.text === '(';
      if (!isCalled || isFirst) yield text;
      if (!isCalled && CHANGES.has(text)) changes = true;
    } else if (kind === 'word' && text !== 'with' && (isStart || (isFirst && FIRST_VERBS.has(text))))
      yield text;
    if (kind === 'word' && text === 'into' && !changes) yield text;
    if (kind === 'sign' && text === ';') changes = false;
    const goesOn = text === '(';
    isStart = kind === 'sign' && (text === ';' || (isStart && goesOn));
    isFirst = isStart || (isFirst && (goesOn || text === 'explain' || text === 'analyze'));
  }
}

function* tablesOf(tokens: readonly Token[]): Generator<string> {
  /** Depths of parentheses at which a list of tables goes on: a comma there is followed by another one. */
  const lists = new Set<number>();
  let depth = 0;
  let awaited = false;
  let isFirst = true;
  for (let index = 0; index < tokens.length; index += 1) {
    const { kind, text } = tokens[index] ?? { kind: 'sign', text: '' };
    const next = tokens[index + 1];
    const wasFirst = isFirst;
    isFirst = kind === 'sign' && (text === ';' || (isFirst && text === '('));
    if (kind === 'sign') {
      if (text === '(') depth += 1;
      if (text === ')') lists.delete(depth--);
      if (text === ';') lists.clear();
      // A parenthesis before a table groups joins, or holds a query; `{oj t}` and `.t` are tables, too.
      awaited = (awaited && '(.{'.includes(text)) || (text === ',' && lists.has(depth));
      if (awaited && text === '(') lists.add(depth);
      if (awaited && text === '{') index += 1;
    } else if (awaited && !(kind === 'word' && (BEFORE_NAME.has(text) || NO_TABLE.has(text)))) {
      const parts = [text];
      while (tokens[index + 1]?.text === '.' && tokens[index + 1]?.kind === 'sign') {
        // Two of them leave out a schema.
        const isLast = tokens[index + 2]?.text !== '.';
        parts.push(isLast ? (tokens[index + 2]?.text ?? '') : '');
        index += isLast ? 2 : 1;
      }
      yield parts.join('.').toLowerCase();
      awaited = false;
    } else if (kind === 'word') {
      const isCalled = next?.text === '(' && (FUNCTIONS.has(text) || text === 'using');
      const isFirstBefore = wasFirst && FIRST_BEFORE_TABLE.has(text);
      if (isCalled) awaited = false;
      else if (BEFORE_TABLE.has(text) || isFirstBefore) awaited = true;
      else if (CHANGES.has(text) && !/^(?:on|or)$/.test(tokens[index - 1]?.text ?? '')) {
        while (MODIFIERS.has(tokens[index + 1]?.text ?? '') || CHANGES.has(tokens[index + 1]?.text ?? ''))
          index += 1;
        awaited = !BEFORE_TABLE.has(tokens[index + 1]?.text ?? '');
      } else if (!BEFORE_NAME.has(text)) awaited = false;
      if ((BEFORE_LIST.has(text) || isFirstBefore) && !isCalled) lists.add(depth);
      else if (ENDS_LIST.has(text) && next?.text !== ',') lists.delete(depth);
    }
  }
}

const WORD = /[\p{L}_][\p{L}\p{N}_$]*/uy;
/** Some let a word begin right behind it. */
const NUMBER = /0x[0-9a-f]*|[0-9][0-9_.]*(?:e[+-]?[0-9]+)?/iy;
/** What stands in there MySQL and MariaDB run, or not, as their version is. */
const MAYBE_RUN = /\/\*M?!/y;
/** Before what goes on with a string: a line has ended, and nothing else was said (PostgreSQL 4.1.2.1). */
const GOES_ON = /[ \t\f\v]*(?:--[^\n\r]*)?[\n\r](?:\s|--[^\n\r]*[\n\r])*'/y;
const DOLLAR = /\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy;

function* tokensOf(text: string, dialect: Dialect): Generator<Token> {
  let at = 0;
  /** Where a quote would begin a string with escapes. */
  let escapesFrom = -1;
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? null;
  };
  while (at < text.length) {
    const char = text.charAt(at);
    const next = text.charAt(at + 1);
    if (isComment(char, next, text.charAt(at + 2), dialect)) {
      const end = text.slice(at).search(dialect.postgres ? /[\n\r]/ : /\n/);
      at = end < 0 ? text.length : at + end;
    } else if (char === '/' && next === '*') {
      if (dialect.hash && match(MAYBE_RUN) !== null)
        throw new Unjudged('the SQL has a comment that some databases run');
      at = endOfComment(text, at, dialect.nested);
    } else if (char === "'" || (char === '"' && dialect.doubleIsText)) {
      const isEscaped = dialect.backslash || (dialect.postgres && escapesFrom === at);
      const start = at;
      at = endOfQuote(text, at, char, isEscaped);
      yield { kind: 'text', text: text.slice(start + 1, at - 1) };
      const more = dialect.postgres && isEscaped ? match(GOES_ON) : null;
      if (more !== null) escapesFrom = at += more.length - 1;
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
        if (/^e$/i.test(word)) escapesFrom = at;
        if (dialect.postgres && /^u$/i.test(word) && text.startsWith('&"', at))
          throw new Unjudged('the SQL has a name with escapes');
        yield { kind: 'word', text: word.toLowerCase() };
      } else {
        // MySQL's `\N` is a value.
        at += match(NUMBER)?.length ?? (dialect.hash && char === '\\' && next === 'N' ? 2 : 1);
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
