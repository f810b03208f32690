/** The `Content-Encoding` header: which codings were applied to a body (RFC 9110 section 8.4). */
import { AppError, limits } from '../../kernel/index.ts';

export type ContentCoding = 'gzip' | 'deflate' | 'br' | 'zstd';

const CODINGS: Readonly<Record<string, ContentCoding>> = {
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
  br: 'br',
  zstd: 'zstd',
};

/**
 * The codings of a body in the order in which they were applied; none for identity.
 *
 * @throws AppError `scrub_coding_unsupported`: the body cannot be looked into, so it must not be passed
 */
export function parseContentEncoding(header: string | undefined): readonly ContentCoding[] {
  const codings: ContentCoding[] = [];
  for (const part of (header ?? '').split(',')) {
    const name = part.trim().toLowerCase();
    if (name === '' || name === 'identity') continue;
    const coding = Object.hasOwn(CODINGS, name) ? CODINGS[name] : undefined;
    if (coding === undefined)
      throw unsupported(`the unknown content coding ${JSON.stringify(name.slice(0, 40))}`);
    codings.push(coding);
  }
  if (codings.length > limits.contentCodingsMax)
    throw unsupported(`${codings.length} content codings on one body`);
  return codings;
}

const unsupported = (what: string): AppError =>
  new AppError('scrub_coding_unsupported', `The answer uses ${what}, so it cannot be checked for secrets.`, {
    kind: 'unavailable',
    hint: 'Send Accept-Encoding with gzip, deflate, br or zstd only.',
  });
