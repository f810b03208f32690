/** Where a post goes and what is secret in that, from what the settings name. */
import { AppError, Secret } from '../../kernel/index.ts';
import type { DeliverySecret, HttpPost } from './http-way.ts';
import type { SecretSource } from './secret-source.ts';

export interface PostSettings {
  readonly url?: string | undefined;
  readonly urlFile?: string | undefined;
  readonly authorizationFile?: string | undefined;
}

/** @throws AppError `delivery_secret_*`, `delivery_address_invalid` */
export async function postTarget(
  { url, urlFile, authorizationFile }: PostSettings,
  source: SecretSource,
): Promise<Pick<HttpPost, 'url' | 'secrets'>> {
  const secrets: DeliverySecret[] = [];
  if (authorizationFile !== undefined) {
    const { scheme, secret } = schemeOf(await source.read(authorizationFile));
    secret.destroy();
    const into = { header: 'Authorization', format: `${scheme}{token}` };
    const open = async (): Promise<Secret> => schemeOf(await source.read(authorizationFile)).secret;
    secrets.push({ name: 'authorization', into, open });
  }
  if (urlFile === undefined) return { url: new URL(url ?? ''), secrets };
  const { shown, template } = partsOf(await source.read(urlFile), urlFile);
  secrets.push({
    name: 'address',
    into: { path: template },
    open: async () => partsOf(await source.read(urlFile), urlFile).secret,
  });
  return { url: shown, secrets };
}

/**
 * An address that is a secret, and is in no file: the last part of its path is never shown.
 *
 * @param from what gave it, for messages
 * @throws AppError `delivery_address_invalid`
 */
export function secretAddress(whole: Secret, from: string): { shown: URL; delivery: DeliverySecret } {
  const { shown, template, secret } = partsOf(whole, from);
  return { shown, delivery: { name: 'address', into: { path: template }, open: async () => secret.copy() } };
}

/** A scheme is no part of the secret: an answer that has the rest of it alone is to be masked as well. */
function schemeOf(whole: Secret): { scheme: string; secret: Secret } {
  const [, scheme = '', rest = ''] = /^((?:[A-Za-z]+ )?)(.+)$/s.exec(whole.reveal()) ?? [];
  whole.destroy();
  return { scheme, secret: Secret.fromString(rest) };
}

/** Stands where the secret part is until the data plane has put its placeholder there. */
const GAP = 'x';

/** The last part of the path is what makes such an address a secret. */
function partsOf(whole: Secret, path: string): { shown: URL; template: string; secret: Secret } {
  const url = URL.parse(whole.reveal());
  whole.destroy();
  const last = url?.pathname.split('/').at(-1) ?? '';
  const isPlain = url !== null && /^https?:$/.test(url.protocol) && /^[\w.~-]{8,}$/.test(last);
  if (!isPlain || url.search !== '' || url.hash !== '' || url.username !== '')
    throw new AppError(
      'delivery_address_invalid',
      `The address in ${path} is not https://HOST/PATH whose last part is the secret.`,
      { kind: 'failed', hint: 'Copy it once more as the receiver shows it.' },
    );
  const folder = url.pathname.slice(0, -last.length);
  url.pathname = folder + GAP;
  return { shown: url, template: `${folder}{token}`, secret: Secret.fromString(last) };
}
