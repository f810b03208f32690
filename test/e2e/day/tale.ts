/** What an audit log tells, in words: one line for each event that somebody would tell of. */
import type { JsonObject } from '../../../src/kernel/index.ts';

export interface AuditLine {
  readonly sequence: number;
  readonly type: string;
  readonly actor: { readonly kind: string; readonly id: string };
  readonly server?: string;
  readonly data: JsonObject;
}

type Teller = (data: JsonObject, line: AuditLine) => string;

const text = (data: JsonObject, ...path: readonly string[]): string => {
  let value: unknown = data;
  for (const name of path) value = Object(value)[name];
  return String(value);
};

const tellers: Readonly<Record<string, Teller>> = {
  'policy.changed': (data) => `${text(data, 'rules')} rules hold`,
  'call.started': (data, { server }) => `${text(data, 'agent')} calls ${server} ${text(data, 'tool')}`,
  'call.finished': (data) => `${text(data, 'tool')} of ${text(data, 'agent')}: ${text(data, 'outcome')}`,
  'call.refused': (data, { server }) =>
    `${text(data, 'agent')} is refused ${server} ${text(data, 'tool')}: ${text(data, 'rule' in data ? 'rule' : 'code')}`,
  'credential.used': (data) =>
    `${text(data, 'name')} goes into ${text(data, 'for', 'method')} ${text(data, 'for', 'host')}`,
  'mask.applied': (data) => `masked for ${text(data, 'agent')}: ${text(data, 'masked', '0', 'detector')}`,
  'approval.requested': (data) => `${text(data, 'tool')} waits for ${text(data, 'people')} person`,
  'approval.agreed': (data, { actor }) => `${actor.id} agrees to ${text(data, 'tool')}`,
  'approval.executed': (data) => `what ${text(data, 'agreed', '0')} agreed to is run`,
  'alert.raised': (data) => `alert: ${text(data, 'kind')}`,
  'kill.set': (data) => `kill switch: ${text(data, 'scope')}, ${text(data, 'reason')}`,
  'cell.exited': (data, { server }) => `cell of ${server} ends: ${text(data, 'reason')}`,
};

/** What only the gateway itself is up to: its own deliveries, and values that it opened to look for them in answers. */
const isAside = ({ server, data }: AuditLine): boolean =>
  server?.startsWith('delivery:') === true || data['purpose'] === 'scrub';

export const tale = (lines: readonly AuditLine[]): readonly string[] =>
  lines.flatMap((line) => (isAside(line) ? [] : (tellers[line.type]?.(line.data, line) ?? [])));
