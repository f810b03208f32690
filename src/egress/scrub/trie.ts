/** The spellings of one character as a tree of bytes, shared by all places where the character occurs. */
import type { Spelling } from './spelling.ts';

export interface TrieNode {
  /** Bytes that lead on, beside the nodes that they lead to. */
  readonly bytes: readonly number[];
  readonly next: readonly TrieNode[];
  /** Kind of the spelling that ends here, -1 when none does. */
  readonly accept: number;
}

interface Growing {
  bytes: number[];
  next: Growing[];
  accept: number;
}

export function buildTrie(spellings: readonly Spelling[]): TrieNode {
  const root: Growing = { bytes: [], next: [], accept: -1 };
  for (const { bytes, kind } of spellings) {
    let node = root;
    for (let at = 0; at < bytes.length; at += 1) node = grow(node, bytes.charCodeAt(at));
    if (node.accept < 0) node.accept = kind;
  }
  return root;
}

function grow(node: Growing, byte: number): Growing {
  const found = node.next[node.bytes.indexOf(byte)];
  if (found !== undefined) return found;
  const child: Growing = { bytes: [], next: [], accept: -1 };
  node.bytes.push(byte);
  node.next.push(child);
  return child;
}

/** The node that a byte leads to, `null` when no spelling goes on like that. */
export function step(node: TrieNode, byte: number | undefined): TrieNode | null {
  const { bytes, next } = node;
  for (let index = 0; index < bytes.length; index += 1) {
    if (bytes[index] === byte) return next[index] ?? null;
  }
  return null;
}
