/**
 * The program of a thread that masks what is large: it is given messages one after another, and answers each. What it cannot
 * mask it says so of; whoever asked then keeps the message back.
 */
import { parentPort } from 'node:worker_threads';
import { AppError, limits } from '../../kernel/index.ts';
import type { MaskingHit } from '../../masking/index.ts';
import { readEnvelope } from '../protocol/message.ts';
import type { Maskers } from '../ports/masks.ts';
import { keyedHash } from './keyed-hash.ts';
import { maskWith } from './masked-message.ts';
import { maskersFor } from './mask-recipe.ts';
import type { MaskTask, ThreadAnswer } from './mask-threads.ts';

const port = parentPort;
if (port === null) throw new Error('this is the program of a thread');

/** Compiled, by number of the recipe. */
const known = new Map<number, Maskers>();

function maskersOf({ recipe }: MaskTask): Maskers {
  const { hashKey } = recipe;
  const made = known.get(recipe.id) ?? maskersFor(recipe, keyedHash(hashKey === null ? null : () => hashKey));
  if (known.size >= limits.maskingSetsKept) known.clear();
  known.set(recipe.id, made);
  return made;
}

function answer(task: MaskTask): ThreadAnswer {
  try {
    const read = readEnvelope(task.text);
    if (!read.ok) throw new Error(read.error.detail);
    const hits: MaskingHit[] = [];
    const masked = maskWith(read.value, maskersOf(task), (found) => hits.push(...found), task.schema);
    return { kind: 'masked', text: masked === read.value ? null : masked.text, hits };
  } catch (error) {
    const isTooLarge = error instanceof AppError && error.code === 'mask_answer_too_large';
    return {
      kind: isTooLarge ? 'too_large' : 'failed',
      why: String(error instanceof AppError ? (error.cause ?? error) : error),
    };
  }
}

port.on('message', (task: MaskTask) => port.postMessage(answer(task), []));
