/** The spellings of one character as a tree of bytes, shared by all places where the character occurs. */
import type { Spelling } from './spelling.ts';

export interface TrieNode {
  /** Bytes that lead on, beside the nodes that they lead to. */
  readonly bytes: readonly number[];
  readonly next: readonly TrieNode[];
  /** Kind of the spelling that ends here, -1 when none does. */
  readonly accept: number;
}

/** Where most spellings end, by kind: nodes without a way on need not be many. */
const LEAVES = new Map<number, TrieNode>();

export function buildTrie(spellings: readonly Spelling[]): TrieNode {
  const byByte = new Map<number, Spelling[]>();
  let accept = -1;
  for (const { bytes, kind } of spellings) {
    if (bytes === '') {
      if (accept < 0) accept = kind;
      continue;
    }
    const rest = { bytes: bytes.slice(1), kind };
    const sharing = byByte.get(bytes.charCodeAt(0));
    if (sharing === undefined) byByte.set(bytes.charCodeAt(0), [rest]);
    else sharing.push(rest);
  }
  if (byByte.size === 0) return leaf(accept);
  return { bytes: [...byByte.keys()], next: Array.from(byByte.values(), buildTrie), accept };
}

function leaf(accept: number): TrieNode {
  const known = LEAVES.get(accept);
  if (known !== undefined) return known;
  const made: TrieNode = { bytes: [], next: [], accept };
  LEAVES.set(accept, made);
  return made;
}

/** The node that a byte leads to, `null` when no spelling goes on like that. */
export function step<Node extends Way<Node>>(node: Node, byte: number | undefined): Node | null {
  const { bytes, next } = node;
  for (let index = 0; index < bytes.length; index += 1) {
    if (bytes[index] === byte) return next[index] ?? null;
  }
  return null;
}

/** Bytes that lead on, beside the nodes that they lead to. */
interface Way<Node> {
  readonly bytes: readonly number[];
  readonly next: readonly Node[];
}
