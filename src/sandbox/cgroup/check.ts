/** What `sallyport doctor` says about control groups. Pure. Cells work without them, so nothing of it is a failure. */
import type { HostCheck } from '../host-check.ts';
import type { GroupFacts, GroupsMissing } from './ports.ts';

const WITHOUT = 'memory and processors of a cell are held by a look at its processes every second';

const reasons: Readonly<Record<GroupsMissing, string>> = {
  'not-linux': 'not on this system',
  v1: 'version 1 only',
  'not-delegated': 'none that Sallyport may divide',
  'no-controllers': 'one that is given no controllers',
};

export function checkGroups(facts: GroupFacts): HostCheck {
  const name = 'control groups';
  if (facts.kind === 'delegated') {
    return { name, ok: true, found: `each cell gets one: ${[...facts.controllers].sort().join(', ')}` };
  }
  if (facts.scope !== undefined) {
    return {
      name,
      ok: true,
      found: `the ${facts.scope}'s systemd is asked for some when the first cell starts`,
    };
  }
  const found = `${reasons[facts.why]}: ${WITHOUT}`;
  return { name, ok: true, found, ...(facts.fix === undefined ? {} : { fix: facts.fix }) };
}
