/** What a rule of the owner's with `do: alert` matched: calls and the like have an event for it, requests of servers say it in how they ended. */
import type { RecordedEvent } from '../audit/index.ts';
import { textIn, whose } from './about.ts';
import type { Detector, Finding } from './rules.ts';

export const policyRule = (): Detector => ({
  observe(event) {
    if (event.type === 'policy.alerted')
      return findingOf(event, textIn(event, 'rule'), event.data['severity']);
    if (!/^(?:egress\.(?:finished|refused)|credential\.refused|placeholder\.foreign)$/.test(event.type))
      return null;
    const { alerts } = event.data;
    if (!Array.isArray(alerts)) return null;
    return alerts.flatMap((alert: unknown) => {
      const fields = new Map<string, unknown>(
        Object.entries(typeof alert === 'object' && alert !== null ? alert : {}),
      );
      const rule = fields.get('rule');
      return findingOf(event, typeof rule === 'string' ? rule : null, fields.get('severity')) ?? [];
    });
  },
  state: () => null,
});

function findingOf(event: RecordedEvent, rule: string | null, severity: unknown): Finding | null {
  if (rule === null) return null;
  const { server = 'a server' } = event;
  const said = textIn(event, 'tool') ?? textIn(event, 'prompt') ?? textIn(event, 'resource');
  const host = textIn(event, 'host');
  const what = said ?? host ?? 'something';
  const who = whose(event);
  const level = typeof severity === 'string' ? severity : 'warning';
  return {
    key: `${rule} ${who} ${what}`,
    group: rule,
    message:
      said === null
        ? `Rule ${rule} (${level}): ${server} sent a request to ${what}.`
        : `Rule ${rule} (${level}): ${who} asked ${server} for ${what}.`,
    data: { rule, severity: level, server, ...(said === null ? { host } : { name: said }) },
  };
}
