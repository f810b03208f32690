/** Settings about what the gateway is called from outside, and who gives out tokens for it. */
import { z } from 'zod';

/** Null for what is no http(s) address, for one with a login, and for one with a query or fragment. */
function plainUrl(text: string): URL | null {
  const url = URL.parse(text);
  const usable = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  return usable && !/[?#]/.test(text) ? url : null;
}

/** An address with nothing behind the host, in its one form: `https://gateway.example`. */
export const publicOrigin = z.string().transform((text, context) => {
  const url = plainUrl(text);
  if (url?.pathname === '/') return url.origin;
  context.addIssue(`\`${text}\` is not an address without a path, such as https://gateway.example.com`);
  return z.NEVER;
});

/** RFC 8414 section 2. Issuers are compared character by character, so it stays as it was written. */
export const issuer = z
  .string()
  .refine(
    (text) => plainUrl(text)?.protocol === 'https:',
    'is not the address of an issuer, such as https://login.example.com',
  );
