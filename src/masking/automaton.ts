/**
 * Many words looked for at once (Aho and Corasick, 1975), letters in either case. One step per character, whatever is looked
 * for: what a table of two steps says decides whether anything at all ends at a character.
 */

export interface Automaton {
  /** By byte: the column of the table. */
  readonly columns: Uint8Array;
  /** By state and column: the next state. States are positions of their row. */
  readonly next: Int32Array;
  /** States from here on are ends of words. */
  readonly hotFrom: number;
  /** By row: which words end there, the longest first. */
  readonly words: readonly (readonly number[])[];
  /** Binary logarithm of how long a row is. */
  readonly widthBits: number;
}

interface Node {
  readonly next: Map<number, Node>;
  fail: Node | null;
  words: number[];
  row: number;
}

const node = (): Node => ({ next: new Map(), fail: null, words: [], row: 0 });

/** @param words lower case, ASCII, none empty */
export function buildAutomaton(words: readonly string[]): Automaton {
  const columns = columnsOf(words);
  const widthBits = Math.ceil(Math.log2(Math.max(...columns) + 1));
  const width = 2 ** widthBits;
  const root = node();
  for (const [index, word] of words.entries()) insert(root, word, index, columns);
  const nodes = link(root);
  // Ends of words come last, so that one comparison tells them.
  const quiet = nodes.filter(({ words }) => words.length === 0);
  const hot = nodes.filter(({ words }) => words.length > 0);
  const ordered = [...quiet, ...hot];
  for (const [row, each] of ordered.entries()) each.row = row * width;
  const next = new Int32Array(ordered.length * width);
  for (const each of nodes) {
    for (let column = 0; column < width; column += 1)
      next[each.row + column] =
        each.next.get(column)?.row ?? (each.fail === null ? 0 : (next[each.fail.row + column] ?? 0));
  }
  return {
    columns,
    next,
    hotFrom: quiet.length * width,
    words: ordered.map(({ words }) => words),
    widthBits,
  };
}

/** Column 0 is for all bytes that stand in no word. */
function columnsOf(words: readonly string[]): Uint8Array {
  const columns = new Uint8Array(256);
  const characters = [...new Set(words.join(''))].sort();
  for (const [index, character] of characters.entries()) {
    columns[character.charCodeAt(0)] = index + 1;
    columns[character.toUpperCase().charCodeAt(0)] = index + 1;
  }
  return columns;
}

function insert(root: Node, word: string, index: number, columns: Uint8Array): void {
  let at = root;
  for (const character of word) {
    const column = columns[character.charCodeAt(0)] ?? 0;
    let next = at.next.get(column);
    if (next === undefined) {
      next = node();
      at.next.set(column, next);
    }
    at = next;
  }
  at.words.push(index);
}

/** Gives each node the longest other one that it ends with. @returns all nodes, the shallow ones first */
function link(root: Node): Node[] {
  const nodes = [root];
  for (const each of nodes) {
    for (const [column, child] of each.next) {
      let fail = each.fail;
      while (fail !== null && !fail.next.has(column)) fail = fail.fail;
      child.fail = fail?.next.get(column) ?? root;
      child.words = [...child.words, ...child.fail.words];
      nodes.push(child);
    }
  }
  return nodes;
}
