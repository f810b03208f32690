/**
 * The certificate authority of one cell. Its key is made here, stays in memory, and dies with the cell; its
 * root is constrained to the cell's hosts, so that even a stolen key is good for nothing else. It mints for
 * names that the allowlist has already passed, and must never be asked about others.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type Clock, limits, type Random } from '../../kernel/index.ts';
import { type KeyPair, leafCertificate, rootCertificate, toPem } from './certificate.ts';

const SERIAL_BYTES = 16;
const newKey = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-256' });

interface Leaf {
  readonly context: SecureContext;
  /** Milliseconds since the Unix epoch after which a new one is minted. */
  readonly renewAt: number;
}

export class CellAuthority {
  /** The root in PEM: what the cell trusts. */
  readonly caPem: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #commonName: string;
  readonly #rootKey = newKey();
  /** One key for all leaves of the cell: they are all presented by the same process to the same cell. */
  readonly #leafKey = newKey();
  readonly #leafKeyPem = this.#leafKey.privateKey.export({ type: 'pkcs8', format: 'pem' });
  readonly #rootId: Buffer;
  readonly #rootNotAfter: number;
  /** By name, least recently used first. */
  readonly #leaves = new Map<string, Leaf>();

  /** @param hosts patterns of the cell's rules: names, or `*.` and a suffix */
  constructor(
    label: string,
    hosts: readonly string[],
    deps: { readonly clock: Clock; readonly random: Random },
  ) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#commonName = `Sallyport ${label}`;
    this.#rootId = this.#serial();
    const now = deps.clock.now();
    this.#rootNotAfter = now + limits.cellRootValidityMs;
    this.caPem = toPem(
      rootCertificate({
        commonName: this.#commonName,
        key: this.#rootKey,
        serial: this.#rootId,
        validity: { notBefore: now - limits.certificateClockSkewMs, notAfter: this.#rootNotAfter },
        permittedNames: [...new Set(hosts.map((host) => (host.startsWith('*.') ? host.slice(2) : host)))],
      }),
    );
  }

  /** What to present for an allowed name. Minted once, and again when it nears its end. @param name canonical */
  contextFor(name: string): SecureContext {
    const known = this.#leaves.get(name);
    if (known !== undefined && this.#clock.now() < known.renewAt) {
      this.#leaves.delete(name);
      this.#leaves.set(name, known);
      return known.context;
    }
    const leaf = this.#mint(name);
    this.#leaves.set(name, leaf);
    if (this.#leaves.size > limits.cellLeafCertificatesMax) {
      const [oldest] = this.#leaves.keys();
      if (oldest !== undefined) this.#leaves.delete(oldest);
    }
    return leaf.context;
  }

  #mint(name: string): Leaf {
    const now = this.#clock.now();
    const notAfter = Math.min(now + limits.cellLeafValidityMs, this.#rootNotAfter);
    const der = leafCertificate({
      name,
      publicKey: this.#leafKey.publicKey,
      serial: this.#serial(),
      validity: { notBefore: now - limits.certificateClockSkewMs, notAfter },
      issuer: { commonName: this.#commonName, keyId: this.#rootId, privateKey: this.#rootKey.privateKey },
    });
    const context = createSecureContext({ key: this.#leafKeyPem, cert: toPem(der), minVersion: 'TLSv1.2' });
    return { context, renewAt: now + limits.cellLeafValidityMs / 2 };
  }

  /** Positive and of full length whatever the random bytes are. */
  #serial(): Buffer {
    const serial = this.#random.bytes(SERIAL_BYTES);
    serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
    return serial;
  }
}
