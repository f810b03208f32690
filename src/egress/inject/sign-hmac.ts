/**
 * A keyed hash (HMAC, RFC 2104) of the body in a header, as senders of webhooks make it:
 * `X-Hub-Signature-256: sha256=…`. The server's own signature is checked while the body arrives; the new one is made over
 * the body that leaves, which differs from it where credentials were put in.
 */
import { createHmac, type Hmac } from 'node:crypto';
import type { BoundCredential } from './bound-credentials.ts';
import type { CredentialBinding, HmacRule } from '../ports.ts';
import type { EgressRequest } from '../request.ts';
import type { HeadDraft, OpenedCredentials, SigningClaim } from './signer.ts';

/** Notes each signature in the head that may have been made with the credential's placeholder. */
export function claimSignatures({ binding, hmacs }: BoundCredential, request: EgressRequest): void {
  const { fields } = request.head;
  for (const rule of hmacs) {
    const key = rule.header.toLowerCase();
    const said = fields.get(key);
    if (said !== undefined && fields.count(key) === 1)
      request.signatures.push(new HmacClaim(binding, rule, said));
  }
}

class HmacClaim implements SigningClaim {
  readonly bindings: readonly CredentialBinding[];
  readonly needs = 'body';
  readonly #rule: HmacRule;
  /** The header's value. */
  readonly #said: string;
  readonly #expected: Hmac;

  constructor(binding: CredentialBinding, rule: HmacRule, said: string) {
    this.bindings = [binding];
    this.#rule = rule;
    this.#said = said;
    this.#expected = createHmac(rule.algorithm, binding.placeholder);
  }

  update(data: Buffer): void {
    this.#expected.update(data);
  }

  isMeant(): boolean {
    /* Nothing is gained by the time that this takes: a placeholder is no secret. */
    const expected = this.#format(this.#expected);
    return this.#rule.encoding === 'hex'
      ? this.#said.toLowerCase() === expected.toLowerCase()
      : this.#said === expected;
  }

  sign(draft: HeadDraft, opened: OpenedCredentials): void {
    const [{ name } = { name: '' }] = this.bindings;
    const secret = opened.get(name);
    if (secret === undefined) throw new Error(`credential ${name} was not opened`);
    const hmac = createHmac(this.#rule.algorithm, secret.bytes());
    if (draft.body !== null) hmac.update(draft.body);
    draft.fields.setAt(draft.fields.keys.indexOf(this.#rule.header.toLowerCase()), this.#format(hmac));
  }

  #format(hmac: Hmac): string {
    return this.#rule.format.replace('{signature}', hmac.digest(this.#rule.encoding));
  }
}
