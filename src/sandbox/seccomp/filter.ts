/**
 * Compiles the allowlist to a classic BPF program for `seccomp(2)`. Pure.
 *
 * The order of the checks is the point: first the architecture (a list of numbers says nothing about the 32-bit
 * entry `int 0x80`, whose numbers differ), then the x32 bit, then the number, then arguments.
 */
import {
  allowed,
  conditional,
  errno,
  type ArgumentTest,
  type ConditionalRule,
  type Verdict,
} from './allowlist.ts';
import { arm64Numbers, x64Numbers } from './syscall-numbers.ts';

export type Architecture = 'x64' | 'arm64';

/** One instruction of classic BPF, `struct sock_filter` of <linux/filter.h>. */
export interface Instruction {
  readonly code: number;
  /** Instructions to skip when the comparison holds, 0 to 255. */
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** Operation codes: class, size or operator, source. */
export const op = {
  loadWord: 0x20,
  and: 0x54,
  jump: 0x05,
  jumpEqual: 0x15,
  jumpAtLeast: 0x35,
  give: 0x06,
} as const;

/** SECCOMP_RET_*. */
const KILL_PROCESS = 0x8000_0000;
const ALLOW = 0x7fff_0000;
const ERRNO = 0x0005_0000;

/** Offsets in `struct seccomp_data`; both architectures are little-endian, so the low half of an argument comes first. */
const AT_NUMBER = 0;
const AT_ARCHITECTURE = 4;
const atArgument = (index: number): number => 16 + 8 * index;

/** Marks system calls of the x32 ABI, a third table on x86-64. */
const X32_BIT = 0x4000_0000;

interface Target {
  /** AUDIT_ARCH_* of <linux/audit.h>. */
  readonly audit: number;
  readonly numbers: ReadonlyMap<string, number>;
}

const targets: Readonly<Record<Architecture, Target>> = {
  x64: { audit: 0xc000_003e, numbers: x64Numbers },
  arm64: { audit: 0xc000_00b7, numbers: arm64Numbers },
};

const returnValue = (verdict: Verdict): number => (verdict === 'allow' ? ALLOW : ERRNO | errno[verdict]);

/** Which calls are allowed; what is not named is refused. */
export interface CallRules {
  readonly allowed: readonly string[];
  readonly conditional: Readonly<Record<string, ConditionalRule>>;
}

const cellRules: CallRules = { allowed, conditional };

/** What the table says for one number: a fixed verdict, or a rule on its arguments. */
export type Entry = Verdict | ConditionalRule;

/** Verdict for each number from 0 to the highest known one. Known but unlisted: EPERM. Unknown: ENOSYS. */
export function table(architecture: Architecture, rules: CallRules = cellRules): readonly Entry[] {
  const { numbers } = targets[architecture];
  const entries = Array.from<unknown, Entry>({ length: Math.max(...numbers.values()) + 1 }, () => 'ENOSYS');
  const plain = new Set(rules.allowed);
  for (const [name, number] of numbers) {
    entries[number] = rules.conditional[name] ?? (plain.has(name) ? 'allow' : 'EPERM');
  }
  return entries;
}

/** The whole filter. */
export function compileFilter(
  architecture: Architecture,
  rules: CallRules = cellRules,
): readonly Instruction[] {
  const { audit } = targets[architecture];
  return [
    load(AT_ARCHITECTURE),
    { code: op.jumpEqual, jt: 1, jf: 0, k: audit },
    give(KILL_PROCESS),
    load(AT_NUMBER),
    // Also catches everything above, which no table has.
    { code: op.jumpAtLeast, jt: 0, jf: 1, k: X32_BIT },
    give(returnValue('ENOSYS')),
    ...search(ranges(table(architecture, rules))),
  ];
}

/** The form that `bwrap --seccomp` reads: an array of `struct sock_filter`. */
export function encodeFilter(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(({ code, jt, jf, k }, index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jt, index * 8 + 2);
    bytes.writeUInt8(jf, index * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4);
  });
  return bytes;
}

interface Range {
  readonly first: number;
  readonly entry: Entry;
}

/** Neighbours with the same fixed verdict become one range. The last one is everything above the table. */
function ranges(entries: readonly Entry[]): readonly Range[] {
  const found: Range[] = [];
  [...entries, 'ENOSYS' as const].forEach((entry, first) => {
    if (found.at(-1)?.entry !== entry) found.push({ first, entry });
  });
  return found;
}

/** Binary search over the ranges; every leaf ends in a return, so nothing falls through. */
function search(sorted: readonly Range[]): readonly Instruction[] {
  const [only] = sorted;
  if (only === undefined) throw new Error('no range to search');
  if (sorted.length === 1) return leaf(only.entry);
  const half = Math.ceil(sorted.length / 2);
  const below = search(sorted.slice(0, half));
  const above = search(sorted.slice(half));
  const pivot = sorted[half]?.first ?? only.first;
  // A conditional jump reaches 255 instructions; a plain one reaches everywhere.
  return below.length <= 255
    ? [{ code: op.jumpAtLeast, jt: below.length, jf: 0, k: pivot }, ...below, ...above]
    : [
        { code: op.jumpAtLeast, jt: 0, jf: 1, k: pivot },
        { code: op.jump, jt: 0, jf: 0, k: below.length },
        ...below,
        ...above,
      ];
}

function leaf(entry: Entry): readonly Instruction[] {
  if (typeof entry === 'string') return [give(returnValue(entry))];
  return [
    ...entry.cases.flatMap(({ when, verdict }) => when.reduceRight(guard, [give(returnValue(verdict))])),
    give(returnValue(entry.otherwise)),
  ];
}

/** Puts a test before the rest of a case; when it fails, control goes to what follows the case. */
function guard(rest: readonly Instruction[], test: ArgumentTest): Instruction[] {
  const last = test.oneOf.length - 1;
  return [
    load(atArgument(test.argument)),
    ...(test.mask === undefined ? [] : [{ code: op.and, jt: 0, jf: 0, k: test.mask }]),
    ...test.oneOf.map((value, index) => ({
      code: op.jumpEqual,
      jt: last - index,
      jf: index === last ? rest.length : 0,
      k: value,
    })),
    ...rest,
  ];
}

const load = (offset: number): Instruction => ({ code: op.loadWord, jt: 0, jf: 0, k: offset });
const give = (value: number): Instruction => ({ code: op.give, jt: 0, jf: 0, k: value });
