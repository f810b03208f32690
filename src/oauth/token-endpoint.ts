/**
 * Requests to a token endpoint. A stored value is not here to be sent: the request names its slot. What comes back are
 * new values, which are nowhere else yet; they are handed on as they are, to be sealed at once.
 */
import type { ClientAuth } from './grant.ts';
import type { GrantServer, OAuthAnswer, OAuthHttp, SlotUse } from './ports.ts';

export interface TokenClient {
  readonly clientId: string;
  readonly clientAuth: ClientAuth;
}

/** @throws AppError as `OAuthHttp.send` */
export function postForm(
  http: OAuthHttp,
  server: GrantServer,
  url: URL,
  form: {
    readonly client: TokenClient;
    readonly fields: Readonly<Record<string, string>>;
    readonly slots: readonly SlotUse[];
  },
): Promise<OAuthAnswer> {
  const { clientId, clientAuth } = form.client;
  const fields = new URLSearchParams(form.fields);
  const headers: [string, string][] = [
    ['Content-Type', 'application/x-www-form-urlencoded'],
    ['Accept', 'application/json'],
  ];
  const slots = [...form.slots];
  if (clientAuth === 'client_secret_basic') {
    // RFC 6749 section 2.3.1: coded as in a form, then put together. The password's half is filled in below.
    const user = new URLSearchParams({ '': clientId }).toString().slice(1);
    headers.push(['Authorization', `Basic ${Buffer.from(`${user}:`, 'latin1').toString('base64')}`]);
    slots.push({ slot: 'OAUTH_CLIENT_SECRET', into: { basic: 'password' } });
  } else {
    fields.set('client_id', clientId);
    if (clientAuth === 'client_secret_post')
      slots.push({ slot: 'OAUTH_CLIENT_SECRET', into: { form: 'client_secret' } });
  }
  return http.send(server, { method: 'POST', url, headers, body: fields.toString(), slots });
}
