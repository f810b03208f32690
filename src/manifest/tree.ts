/**
 * Text to tree: YAML 1.2 (JSON is a part of it) reduced to maps, lists and scalars that know where they
 * stand. Trusts nothing about the text. Whatever makes a document mean something else than it seems to say
 * is refused: second documents, aliases, merge keys, tags, directives, repeated keys, control characters.
 */
import { Composer, CST, isAlias, isMap, isScalar, isSeq, LineCounter, Parser, type ParsedNode } from 'yaml';
import { limits } from '../kernel/index.ts';
import type { Position, Report } from './report.ts';

export type Node = MapNode | ListNode | ScalarNode;

export interface MapNode {
  readonly kind: 'map';
  readonly at: Position;
  readonly entries: ReadonlyMap<string, Entry>;
}

interface Entry {
  readonly keyAt: Position;
  readonly value: Node;
}

export interface ListNode {
  readonly kind: 'list';
  readonly at: Position;
  readonly items: readonly Node[];
}

interface ScalarNode {
  readonly kind: 'scalar';
  readonly at: Position;
  readonly value: string | number | boolean | null;
  /** The text as written, for an unquoted scalar; undefined where quotes or a block style make it a string. */
  readonly plain: string | undefined;
}

const START: Position = { line: 1, column: 1 };

/** The document as a tree, or undefined after reporting why there is none. */
export function parseTree(text: string, report: Report): Node | undefined {
  if (Buffer.byteLength(text, 'utf8') > limits.manifestBytesMax) {
    report.error(START, '', {
      code: 'manifest_too_large',
      message: `the document is larger than ${limits.manifestBytesMax} bytes`,
      expected: `at most ${limits.manifestBytesMax} bytes`,
    });
    return undefined;
  }
  const lines = new LineCounter();
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (!charactersAllowed(text, place, report)) return undefined;
  if (!shapeAllowed(tokens, place, report)) return undefined;
  return composeOne(tokens, place, report);
}

/**
 * The first character that a manifest must not hold: controls but tab and line ends, halves of characters, and
 * what is no character (YAML 1.2 section 5.1). Values made by escapes are held to it too, so that every value
 * can be written out again.
 */
export const forbiddenCharacter = (text: string): RegExpExecArray | null => FORBIDDEN.exec(text);

const FORBIDDEN =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

export const characterName = (character: string): string =>
  `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;

function charactersAllowed(text: string, place: (offset: number) => Position, report: Report): boolean {
  const found = forbiddenCharacter(text);
  if (found === null) return true;
  report.error(place(found.index), '', {
    code: 'manifest_control_character',
    message: `the text holds the character ${characterName(found[0])}`,
    expected: 'printable characters, tabs and line ends; others as an escape in double quotes',
  });
  return false;
}

/** Depth and tags, measured on the token tree with a stack of our own, because the composer recurses. */
function shapeAllowed(
  tokens: readonly CST.Token[],
  place: (offset: number) => Position,
  report: Report,
): boolean {
  const open = tokens.map((token) => ({ token, depth: 0 })).toReversed();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > limits.manifestDepthMax) {
      report.error(place(token.offset), '', {
        code: 'manifest_too_deep',
        message: `the document nests deeper than ${limits.manifestDepthMax} levels`,
        expected: `at most ${limits.manifestDepthMax} levels`,
      });
      return false;
    }
    if (token.type === 'document') {
      refuseTags(token.start, place, report);
      if (token.value !== undefined) open.push({ token: token.value, depth });
    } else if (CST.isCollection(token)) {
      for (const item of token.items) {
        refuseTags([...item.start, ...(item.sep ?? [])], place, report);
        if (item.key !== undefined && item.key !== null) open.push({ token: item.key, depth: depth + 1 });
        if (item.value !== undefined) open.push({ token: item.value, depth: depth + 1 });
      }
    }
  }
  return !report.failed;
}

/** A tag makes a value something else than it looks like; even one that changes nothing has no use here. */
function refuseTags(
  tokens: readonly CST.SourceToken[],
  place: (offset: number) => Position,
  report: Report,
): void {
  for (const { type, offset, source } of tokens) {
    if (type !== 'tag') continue;
    report.error(place(offset), '', {
      code: 'manifest_tag',
      message: `the tag ${source} stands before a value`,
      expected: 'the plain value, in quotes if it is text that looks like something else',
    });
  }
}

function composeOne(
  tokens: CST.Token[],
  place: (offset: number) => Position,
  report: Report,
): Node | undefined {
  // uniqueKeys compares every key with every other; `Growth` below does it in linear time.
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    uniqueKeys: false,
    merge: false,
    prettyErrors: false,
  });
  const documents = [...composer.compose(tokens, true)];
  const [document, second] = documents;
  if (document === undefined) return undefined;
  for (const { pos, message } of [...document.errors, ...document.warnings]) {
    report.error(place(pos[0]), '', {
      code: 'manifest_syntax',
      message: lowerFirst(message),
      expected: 'well-formed YAML 1.2 or JSON',
    });
  }
  if (second !== undefined) {
    report.error(place(second.range[0]), '', {
      code: 'manifest_multiple_documents',
      message: 'a second document begins here',
      expected: 'one document per file',
    });
  }
  const directives = document.directives;
  if (
    (directives.yaml.explicit === true && directives.yaml.version !== '1.2') ||
    Object.keys(directives.tags).length > 1
  ) {
    report.error(START, '', {
      code: 'manifest_directive',
      message: 'the document begins with a directive',
      expected: 'no directive, or %YAML 1.2',
    });
  }
  if (report.failed) return undefined;
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    report.error(START, '', {
      code: 'manifest_empty',
      message: 'the document is empty',
      expected: 'schemaVersion: 2 and what follows it in a manifest, rules in a policy',
    });
    return undefined;
  }
  const root = new Growth(place, report).node(document.contents, '');
  return report.failed ? undefined : root;
}

/** Turns the library's nodes into ours, refusing what they can say beyond maps, lists and scalars. */
class Growth {
  readonly #place: (offset: number) => Position;
  readonly #report: Report;

  constructor(place: (offset: number) => Position, report: Report) {
    this.#place = place;
    this.#report = report;
  }

  node(source: ParsedNode | null, path: string): Node {
    if (source === null) return { kind: 'scalar', at: START, value: null, plain: '' };
    const at = this.#place(source.range[0]);
    if (isAlias(source)) {
      this.#report.error(at, path, {
        code: 'manifest_alias',
        message: `the alias *${source.source} stands here`,
        expected: 'the value itself, written out',
      });
      return { kind: 'scalar', at, value: null, plain: '' };
    }
    if (isMap(source)) return { kind: 'map', at, entries: this.#entries(source.items, path) };
    if (isSeq(source)) {
      const items = source.items.map((item, index) =>
        this.node(item as ParsedNode | null, `${path}[${index}]`),
      );
      return { kind: 'list', at, items };
    }
    return this.#scalar(source, at, path);
  }

  #scalar(source: ParsedNode, at: Position, path: string): ScalarNode {
    if (!isScalar(source)) throw new Error('a parsed node is a map, a list, a scalar or an alias');
    const { value, type } = source;
    if (typeof value === 'string' && !value.isWellFormed()) {
      this.#report.error(at, path, {
        code: 'manifest_syntax',
        message: 'an escape stands for half a character',
        expected: 'both halves of a surrogate pair',
      });
    }
    const plain = type === 'PLAIN' ? (source.source ?? '') : undefined;
    if (
      typeof value === 'string' ||
      typeof value === 'number' ||
      typeof value === 'boolean' ||
      value === null
    ) {
      return { kind: 'scalar', at, value, plain };
    }
    throw new Error('the core schema has no other scalars');
  }

  #entries(pairs: readonly { key: unknown; value: unknown }[], path: string): ReadonlyMap<string, Entry> {
    const entries = new Map<string, Entry>();
    for (const pair of pairs) {
      // The composer types pairs of a parsed map as parsed nodes; `items` widens them.
      const key = pair.key as ParsedNode | null;
      const keyAt = key === null ? START : this.#place(key.range[0]);
      if (!isScalar(key) || typeof key.value !== 'string') {
        this.#report.error(keyAt, path, {
          code: 'manifest_key_not_text',
          message: 'a key here is not text',
          expected: 'a name; in quotes if it looks like a number, a boolean or null',
        });
        continue;
      }
      const name = key.value;
      const field = path === '' ? name : `${path}.${name}`;
      const first = entries.get(name);
      if (first !== undefined) {
        this.#report.error(keyAt, field, {
          code: 'manifest_duplicate_key',
          message: `the key ${JSON.stringify(name)} is already on line ${first.keyAt.line}`,
          expected: 'each key once',
        });
        continue;
      }
      const value = this.node(pair.value as ParsedNode | null, field);
      entries.set(name, { keyAt, value: value.at === START ? { ...value, at: keyAt } : value });
    }
    return entries;
  }
}

const lowerFirst = (text: string): string => text.slice(0, 1).toLowerCase() + text.slice(1);
