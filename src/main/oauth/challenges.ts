/** What a server asks for in `WWW-Authenticate`, which it may have written as one field or as several (RFC 9110 section 5.3). */
import type { OwnAnswer } from '../../egress/index.ts';

/** As one list; null where it asks for nothing. */
export function challengesIn({ fields }: Pick<OwnAnswer, 'fields'>): string | null {
  const all = fields.keys.flatMap((key, index) =>
    key === 'www-authenticate' ? [fields.values[index] ?? ''] : [],
  );
  return all.length === 0 ? null : all.join(', ');
}
