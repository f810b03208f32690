/** Which places in a request belong to a manifest's credentials. Pure. */
import type { CredentialSpec } from '../manifest/index.ts';
import type { Taken } from './plan.ts';
import { fieldKey } from './serialise/fields.ts';

export function takenBy(credentials: readonly CredentialSpec[]): Taken {
  const headers = new Set<string>();
  const query = new Set<string>();
  const cookies = new Set<string>();
  const body = new Set<string>();
  for (const rule of credentials.flatMap(({ inject }) => inject)) {
    if ('header' in rule) headers.add(fieldKey(rule.header));
    else if ('basic' in rule) headers.add('authorization');
    else if ('query' in rule) query.add(rule.query);
    else if ('cookie' in rule) cookies.add(rule.cookie);
    else if ('form' in rule) body.add(rule.form);
    else if ('multipart' in rule) body.add(rule.multipart);
    else if ('json' in rule) body.add(firstStep(rule.json));
    else if ('hmac' in rule) headers.add(fieldKey(rule.hmac.header));
  }
  return { headers, query, cookies, body };
}

/** Of a JSON pointer (RFC 6901). */
const firstStep = (pointer: string): string =>
  (pointer.split('/')[1] ?? '').replaceAll('~1', '/').replaceAll('~0', '~');
