/** Who is who in approvals, as the settings have it. Names from outside are looked up, and never looked through. */
import type { People } from '../../policy/index.ts';
import type { ApprovalSettings } from '../config-approvals.ts';

export const slackAccount = (member: string): string => `slack:${member}`;
export const webhookAccount = (name: string): string => `webhook:${name}`;

type Named = Pick<ApprovalSettings, 'people' | 'webhook' | 'slack'>;

/** How many people can agree to anything; one, where nobody said who is who. */
export const approverCount = (settings: Named): number =>
  settings.people === undefined ? 1 : new Set(personsIn(settings).values()).size;

/** Whose the accounts are that may answer. */
function personsIn({ people, webhook, slack }: Named): ReadonlyMap<string, string> {
  const persons = new Map<string, string>();
  for (const [name, { local }] of Object.entries(people ?? {}))
    for (const user of local) persons.set(`local:${user}`, userOf(name));
  for (const name of webhook?.people ?? []) persons.set(webhookAccount(name), userOf(name));
  for (const [member, name] of Object.entries(slack?.people ?? {}))
    persons.set(slackAccount(member), userOf(name));
  return persons;
}

export function peopleOf(settings: Named): People {
  const { people } = settings;
  const persons = personsIn(settings);
  const askers = new Map<string, string[]>();
  const asks = (account: string, person: string): void => {
    askers.set(account, [...(askers.get(account) ?? []), person]);
  };
  for (const [name, { local, tokens, agents }] of Object.entries(people ?? {})) {
    const person = userOf(name);
    for (const user of local) asks(`local:${user}`, person);
    for (const token of tokens) asks(`token:${token}`, person);
    for (const agent of agents) asks(agentKey(agent), person);
  }
  return {
    areNamed: people !== undefined,
    personOf: (account) => persons.get(account) ?? null,
    behind(requester, agent) {
      const byAgent = requester.startsWith('token:') ? (askers.get(agentKey(agent)) ?? []) : [];
      return [...(askers.get(requester) ?? []), ...byAgent];
    },
  };
}

const userOf = (name: string): string => `user:${name}`;

/** No account is written so. */
const agentKey = (agent: string): string => `agent ${agent}`;
