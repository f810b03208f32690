/**
 * Signers: credentials that are computed with instead of being put in. The server signs with its placeholder as if it
 * were the key; who knows the placeholder can tell such a signature, and it is made anew with the value. A signature that was
 * made with anything else is not ours and stays as it is.
 *
 * A signer finds its signature in the head (and gives a claim), sees the body as it arrives, says whether
 * the signature is one that the placeholder made, and writes the new one once everything else of the request is as it will be sent.
 * One that signs for example AWS requests (SigV4) or OAuth 1.0a is a further implementation of `SigningClaim`.
 */
import type { Secret } from '../../kernel/index.ts';
import type { Fields } from '../../wire/index.ts';
import type { CredentialBinding } from '../ports.ts';

/** Values by credential name. */
export type OpenedCredentials = ReadonlyMap<string, Secret>;

/** A request as it will be sent, with every placeholder replaced. */
export interface HeadDraft {
  readonly method: string;
  readonly scheme: 'https' | 'http';
  /** Host, with the port where that is not the scheme's own. */
  readonly authority: string;
  /** Path and query. To be changed by who signs in the query. */
  target: string;
  /** Without Host and framing. To be changed by who signs in a header. */
  readonly fields: Fields;
  /** The whole body; null without one, or where no claim needs it. */
  readonly body: Buffer | null;
}

/** A signature that was found in the head of a request. */
export interface SigningClaim {
  /** The credentials that signing takes. */
  readonly bindings: readonly CredentialBinding[];
  /**
   * `head`: the body may stream by unseen. `body`: all of it must be there before the head can leave, so it is collected,
   * up to the limit for that.
   */
  readonly needs: 'head' | 'body';
  /** A piece of the body as the server sent it, in order; never called when `needs` is `head`. */
  update(data: Buffer): void;
  /** Whether the signature was made with the placeholder. Asked once, after the last piece of the body. */
  isMeant(): boolean;
  /** @throws Refusal `egress_credential_unusable` */
  sign(draft: HeadDraft, opened: OpenedCredentials): void;
}
