/**
 * HTTP/1.1: our parser against llhttp, strict, on the bytes of whole connections. Ours must never accept what llhttp
 * refuses; what both accept, they must understand alike, to the byte where each message ends. Where only llhttp accepts,
 * our reason is counted: docs/http1-differences.md has them all.
 */
import type { Kind } from './http1-messages.ts';
import { connectionText } from './http1-inputs.ts';
import { readLlhttp } from './http1-llhttp.ts';
import { type OurSeen, readOurs } from './http1-ours.ts';
import { pick, seeded, split } from './random.ts';
import type { FuzzTarget } from './target.ts';

export interface Tally {
  /** Messages that both accepted and understood alike. */
  messages: number;
  /** Connections that both refused. */
  refused: number;
  /** Connections that end within a message for both. */
  pending: number;
  /** `kind reason`: connections that llhttp reads where ours refuses. */
  readonly stricter: Map<string, number>;
  /** The shortest input of each. */
  readonly examples: Map<string, string>;
}

const emptyTally = (): Tally => ({
  messages: 0,
  refused: 0,
  pending: 0,
  stricter: new Map(),
  examples: new Map(),
});

/** Ends every line, chunk and trailer section that can be under way. */
const ENDINGS = ['\r\n\r\n', '\n\r\n\r\n', '0\r\n\r\n0\r\n\r\n', '\r\n0\r\n\r\n'];

/** What ours accepted and llhttp does not, or understands otherwise; null when nothing. */
function disagreement(kind: Kind, text: string, method: string, ours: OurSeen): string | null {
  const bytes = Buffer.from(text, 'latin1');
  const theirs = readLlhttp(kind, bytes, method);
  for (const [index, message] of ours.messages.entries()) {
    const other = theirs.messages[index];
    if (other === undefined) return `llhttp does not read message ${index}: ${theirs.error}`;
    if (JSON.stringify(message) !== JSON.stringify(other)) {
      return `message ${index}\nours:   ${JSON.stringify(message)}\nllhttp: ${JSON.stringify(other)}`;
    }
  }
  const count = ours.messages.length;
  if ((ours.state === 'pending' || ours.state === 'between') && theirs.messages.length !== count) {
    return `llhttp reads ${theirs.messages.length} messages, ours ${count}`;
  }
  return endDisagreement(kind, bytes, method, ours);
}

/** Whether llhttp has the last message at the same byte and not one byte before. */
function endDisagreement(kind: Kind, bytes: Buffer, method: string, ours: OurSeen): string | null {
  const count = ours.messages.length;
  const end = ours.ends.at(-1);
  if (end === undefined) return null;
  const atEnd = readLlhttp(kind, bytes.subarray(0, end), method).messages.length;
  if (atEnd !== count) return `message ${count - 1} ends at ${end}, where llhttp has read ${atEnd}`;
  /* A body that ends with the connection has no byte that it ends at. */
  const early = readOurs(kind, [bytes.subarray(0, end - 1)], method).messages.length;
  const theirEarly = readLlhttp(kind, bytes.subarray(0, end - 1), method).messages.length;
  return early === theirEarly ? null : `before byte ${end} llhttp has read ${theirEarly}, ours ${early}`;
}

/** Compares one connection. @throws Error when ours is not the stricter, or depends on how bytes are split */
function compareConnection(
  kind: Kind,
  text: string,
  method: string,
  pieces: readonly Buffer[],
  tally: Tally,
): void {
  const bytes = Buffer.from(text, 'latin1');
  const ours = readOurs(kind, [bytes], method);
  const fail = (what: string): never => {
    throw new Error(`${kind} to ${method}: ${JSON.stringify(text)}\n${what}`);
  };
  if (JSON.stringify(readOurs(kind, pieces, method)) !== JSON.stringify(ours)) {
    fail(`depends on the split: ${JSON.stringify(pieces.map((piece) => piece.toString('latin1')))}`);
  }
  const wrong = disagreement(kind, text, method, ours);
  if (wrong !== null) fail(wrong);
  tally.messages += ours.messages.length;
  if (ours.state === 'over') return;
  const theirs = readLlhttp(kind, bytes, method);
  const isRefused = theirs.error !== null && theirs.error !== 'incomplete';
  if (ours.state === 'error') {
    if (isRefused && theirs.messages.length === ours.messages.length) tally.refused += 1;
    else count(tally, `${kind} ${ours.error}`, text);
  } else if (ours.state === 'pending') {
    tally.pending += 1;
    /* Ours may only wait for the end of the line before it refuses. */
    if (isRefused) {
      for (const ending of ENDINGS) {
        const longer = `${text}${ending}`;
        const seen = readOurs(kind, [Buffer.from(longer, 'latin1')], method);
        const late = disagreement(kind, longer, method, seen);
        if (late !== null) fail(`with ${JSON.stringify(ending)} added: ${late}`);
      }
    }
  } else if (isRefused) fail(`ours is content, llhttp refuses: ${theirs.error}`);
}

function count(tally: Tally, difference: string, text: string): void {
  tally.stricter.set(difference, (tally.stricter.get(difference) ?? 0) + 1);
  const example = tally.examples.get(difference);
  if (example === undefined || text.length < example.length) tally.examples.set(difference, text);
}

/** Half of the inputs are requests, half responses. @throws Error at the first disagreement, with what makes it again */
export function compareConnections(seed: number, inputs: number): Tally {
  const below = seeded(seed);
  const tally = emptyTally();
  for (let round = 0; round < inputs; round += 1) {
    const kind = round % 2 === 0 ? 'request' : 'response';
    const text = connectionText(below, kind);
    const method = kind === 'request' ? 'GET' : pick(below, ['GET', 'GET', 'GET', 'POST', 'HEAD']);
    const pieces = split(below, Buffer.from(text, 'latin1'), 1 + below(60));
    try {
      compareConnection(kind, text, method, pieces, tally);
    } catch (cause) {
      throw new Error(`input ${round} of seed ${seed}`, { cause });
    }
  }
  return tally;
}

export const http1: FuzzTarget = {
  name: 'http1',
  run(seed, inputs, report) {
    const tally = compareConnections(seed, inputs);
    report(`${tally.messages} messages read alike, ${tally.refused} connections refused alike`);
    report(`${tally.pending} connections end within a message for both`);
    for (const difference of [...tally.stricter.keys()].toSorted()) {
      const times = tally.stricter.get(difference);
      const example = JSON.stringify(tally.examples.get(difference)).slice(0, 160);
      report(`  only ours refuses: ${difference} ${times} ${example}`);
    }
  },
};
