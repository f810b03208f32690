/** A classic BPF machine as the kernel's seccomp runs it, and a printer for its programs. */
import { type Instruction, op } from '../../src/sandbox/seccomp/filter.ts';

export interface Call {
  readonly number: number;
  /** AUDIT_ARCH_*. */
  readonly architecture: number;
  readonly arguments?: readonly bigint[];
}

/** What the program returns for a call. Throws where the kernel would have refused to load it. */
export function runFilter(program: readonly Instruction[], call: Call): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number >>> 0, 0);
  data.writeUInt32LE(call.architecture, 4);
  (call.arguments ?? []).forEach((value, index) =>
    data.writeBigUInt64LE(BigInt.asUintN(64, value), 16 + 8 * index),
  );
  let accumulator = 0;
  for (let at = 0; ; at += 1) {
    const instruction = program[at];
    if (instruction === undefined) throw new Error(`control left the program at ${at}`);
    const { code, jt, jf, k } = instruction;
    if (![jt, jf].every((jump) => Number.isInteger(jump) && jump >= 0 && jump <= 255))
      throw new Error('jump too far');
    switch (code) {
      case op.loadWord:
        accumulator = data.readUInt32LE(k);
        break;
      case op.and:
        accumulator = (accumulator & k) >>> 0;
        break;
      case op.jump:
        at += k;
        break;
      case op.jumpEqual:
        at += accumulator === k ? jt : jf;
        break;
      case op.jumpAtLeast:
        at += accumulator >= k ? jt : jf;
        break;
      case op.give:
        return k;
      default:
        throw new Error(`unknown instruction ${code}`);
    }
  }
}

/** One line per instruction; jumps as absolute line numbers. */
export function disassemble(program: readonly Instruction[]): string {
  const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
  const lines = program.map(({ code, jt, jf, k }, at) => {
    switch (code) {
      case op.loadWord:
        return `load [${k}]`;
      case op.and:
        return `and ${hex(k)}`;
      case op.jump:
        return `jump ${at + 1 + k}`;
      case op.jumpEqual:
        return `if == ${hex(k)} then ${at + 1 + jt} else ${at + 1 + jf}`;
      case op.jumpAtLeast:
        return `if >= ${k} then ${at + 1 + jt} else ${at + 1 + jf}`;
      case op.give:
        return `return ${hex(k)}`;
      default:
        return `unknown ${code}`;
    }
  });
  return `${lines.map((line, at) => `${String(at).padStart(4)}  ${line}`).join('\n')}\n`;
}
