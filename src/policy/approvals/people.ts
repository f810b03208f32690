/**
 * Who counts as whom. An approval needs people, and what the gateway knows are accounts: a token, a user of the machine, a
 * member of a Slack workspace. Where the owner said which of them are the same person, each person counts once whatever way
 * they come, and never for what they asked for under any of their names. Where nobody said so, one agreement is taken from
 * whoever is let in, and several never are: they could all be the same person's.
 */

/** What is said of it now. What was said when somebody agreed is no matter: who is not that person any more does not count. */
export interface People {
  /** Whether the owner said who is who: then whoever is in none of it counts for nobody. */
  readonly areNamed: boolean;
  /** @param account `local:1000`, `slack:U…`, `webhook:maria`. @returns `user:maria`; null: nobody says whose it is */
  personOf(account: string): string | null;
  /** Whose request it is. @param requester `token:tok_…`, `local:1000`. @returns none: nobody says */
  behind(requester: string, agent: string): readonly string[];
}

/** Of one approval: who may agree, and for whom it would be their own. */
export interface Deciding extends Pick<People, 'personOf'> {
  readonly requesters: readonly string[];
  /** Whether whoever is in no list counts for nobody. */
  readonly isStrict: boolean;
}

interface Asked {
  readonly requester: string;
  readonly people: number;
}

export const deciding = (who: People, { requester, people }: Asked, agent: string): Deciding => ({
  personOf: (account) => who.personOf(account),
  requesters: who.behind(requester, agent),
  // Two accounts of one person would be two.
  isStrict: who.areNamed || people > 1,
});

export type Standing =
  | { readonly counts: true; readonly person: string }
  | {
      readonly counts: false;
      readonly why: 'approval_own_request' | 'approval_person_unknown' | 'approval_requester_unknown';
    };

/** Whether an agreement of this account counts, and as whose. */
export function standingOf(
  account: string,
  { requester }: Pick<Asked, 'requester'>,
  { personOf, requesters, isStrict }: Deciding,
): Standing {
  if (account === requester) return { counts: false, why: 'approval_own_request' };
  const person = personOf(account);
  if (person === null && isStrict) return { counts: false, why: 'approval_person_unknown' };
  if (isStrict && requesters.length === 0) return { counts: false, why: 'approval_requester_unknown' };
  if (person !== null && requesters.includes(person)) return { counts: false, why: 'approval_own_request' };
  return { counts: true, person: person ?? account };
}
