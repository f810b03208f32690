/** A rule of the allowlist applied to arguments, without any compilation: what the compiled filter is compared with. */
import type { ConditionalRule, Verdict } from '../../src/sandbox/seccomp/allowlist.ts';

export function judge(rule: ConditionalRule, values: readonly bigint[]): Verdict {
  const hit = rule.cases.find(({ when }) =>
    when.every(({ argument, mask = 0xffffffff, oneOf }) =>
      oneOf.includes(Number(BigInt.asUintN(32, values[argument] ?? 0n) & BigInt(mask))),
    ),
  );
  return hit?.verdict ?? rule.otherwise;
}
