/** The address that all requests of an API are below. Pure. */
import { err, ok, type Result } from '../kernel/index.ts';
import { normalizeTarget, parseAuthority } from '../wire/index.ts';
import type { ApiFault } from './faults.ts';
import type { Base } from './plan.ts';

const ADDRESS = /^(https?):\/\/([^/?#@\\]+)(\/[^?#]*)?$/i;

/** @param url absolute, without user, query or fragment. Codes: `api_base_invalid` */
export function parseBase(url: string): Result<Base, ApiFault> {
  const match = ADDRESS.exec(url);
  const scheme = match?.[1]?.toLowerCase() === 'http' ? 'http' : 'https';
  const authority = parseAuthority(match?.[2] ?? '', scheme === 'http' ? 80 : 443);
  const path = normalizeTarget(match?.[3] ?? '/');
  if (match === null || !authority.ok || !path.ok) {
    return err({
      code: 'api_base_invalid',
      message: `\`${url.slice(0, 200)}\` is no address that requests could be below.`,
      hint: 'Write https://api.example.com or https://api.example.com/v1, without a user, a query or a fragment.',
    });
  }
  const { host, port } = authority.value;
  return ok({ scheme, host, port, path: path.value.path.replace(/\/+$/, '') });
}
