/** A request as the steps leave it, for tests of what comes after them; without sockets. */
import { PlaceholderIndex } from '../../../src/egress/inject/placeholder-index.ts';
import { planBody } from '../../../src/egress/inject/body-plan.ts';
import type { Binder } from '../../../src/egress/inject/claim.ts';
import type { CredentialBinding } from '../../../src/egress/index.ts';
import { EgressRequest } from '../../../src/egress/request.ts';
import { newId, ok, systemRandom } from '../../../src/kernel/index.ts';
import { type BodyFraming, Fields, normalizeTarget } from '../../../src/wire/index.ts';
import { API, apiRule } from '../world.ts';

export const FOREIGN = 'ghp_OTHERCELLq8Wn3Zx5Vb7Mk1Lp9Ts2Rd4Fg6';

export interface Given {
  readonly binder: Binder;
  readonly request: EgressRequest;
}

/** @param framing of the body; chunked bodies stream */
export function given(
  credentials: readonly CredentialBinding[],
  headers: Readonly<Record<string, string>> = {},
  target = '/',
  framing: BodyFraming = { kind: 'chunked' },
): Given {
  const cell = newId<'cell'>('cel', systemRandom);
  const placeholders = new PlaceholderIndex();
  for (const { name, placeholder } of credentials) placeholders.add({ cell, credential: name, placeholder });
  placeholders.add({ cell: newId('cel', systemRandom), credential: 'TOKEN', placeholder: FOREIGN });
  const identity = {
    cell,
    workspace: newId<'workspace'>('wsp', systemRandom),
    server: 's',
    profile: 'p',
    owner: null,
  };
  const binder: Binder = {
    spec: { identity, rules: [apiRule()], credentials, addresses: 'synthetic' },
    placeholders,
  };
  const fields = new Fields();
  for (const [name, value] of Object.entries(headers)) fields.add(name, value);
  const request = new EgressRequest(
    'req',
    { scheme: 'https', port: 443, address: '198.18.0.1', names: new Set([API]), sni: API },
    { head: { method: 'POST', target, minor: 1, fields }, framing: ok(framing) },
  );
  const parsed = normalizeTarget(target);
  if (!parsed.ok) throw new Error(parsed.error);
  request.host = API;
  request.target = parsed.value;
  request.framing = framing;
  planBody(request, binder);
  return { binder, request };
}
