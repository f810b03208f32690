/**
 * What only the gateway can make for a chain: the MAC of its head, and signed checkpoints. Both come from the audit
 * key, by HKDF with a label each. The head's MAC shows whether a chain was cut short or rewritten as a whole; a
 * checkpoint shows the same to somebody who has no key but the public one.
 */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { Secret, type WorkspaceId } from '../kernel/index.ts';
import type { AuditHead, Checkpoint } from './ports.ts';

const KEY_BYTES = 32;
/** PKCS #8 in front of a 32-byte Ed25519 seed (RFC 8410 section 7). */
const ED25519_PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export interface ChainKeys {
  /** Raw Ed25519 public key in hex. */
  readonly publicKey: string;
  /**
   * HMAC-SHA256 over the JSON array `["sallyport/audit-head/1",workspace,sequence,hash]`: 32 bytes.
   *
   * @throws Error after `destroy`
   */
  headMac(workspace: WorkspaceId, sequence: number, hash: string): Buffer;
  isHeadGenuine(workspace: WorkspaceId, head: AuditHead): boolean;
  /** Ed25519 over the JSON array `["sallyport/audit-checkpoint/1",workspace,sequence,hash,at]`. */
  sign(statement: Pick<Checkpoint, 'workspace' | 'sequence' | 'hash' | 'at'>): Checkpoint;
  /** Whether this key, and no other, signed exactly this. */
  isCheckpointGenuine(checkpoint: Checkpoint): boolean;
  destroy(): void;
}

/** @param key stays the caller's; it may be destroyed afterwards */
export function chainKeys(key: Secret): ChainKeys {
  let headKey: KeyObject | null = macKey(key, 'sallyport/audit-head/1');
  const privateKey = signingKey(key);
  const publicKey = createPublicKey(privateKey);
  const publicKeyHex = publicKey.export({ format: 'der', type: 'spki' }).subarray(-KEY_BYTES).toString('hex');

  function headMac(workspace: WorkspaceId, sequence: number, hash: string): Buffer {
    if (headKey === null) throw new Error('audit key used after it was destroyed');
    return createHmac('sha256', headKey)
      .update(JSON.stringify(['sallyport/audit-head/1', workspace, sequence, hash]))
      .digest();
  }

  return {
    publicKey: publicKeyHex,
    headMac,
    isHeadGenuine(workspace, head) {
      const mac = headMac(workspace, head.sequence, head.hash);
      return head.mac.length === mac.length && timingSafeEqual(head.mac, mac);
    },
    sign: ({ workspace, sequence, hash, at }) => {
      const signature = sign(null, statementBytes({ workspace, sequence, hash, at }), privateKey).toString(
        'hex',
      );
      return { workspace, sequence, hash, at, publicKey: publicKeyHex, signature };
    },
    isCheckpointGenuine: (checkpoint) =>
      checkpoint.publicKey === publicKeyHex &&
      /^[0-9a-f]{128}$/.test(checkpoint.signature) &&
      verify(null, statementBytes(checkpoint), publicKey, Buffer.from(checkpoint.signature, 'hex')),
    destroy() {
      headKey = null;
    },
  };
}

const statementBytes = (statement: Pick<Checkpoint, 'workspace' | 'sequence' | 'hash' | 'at'>): Buffer =>
  Buffer.from(
    JSON.stringify([
      'sallyport/audit-checkpoint/1',
      statement.workspace,
      statement.sequence,
      statement.hash,
      statement.at,
    ]),
  );

/**
 * The audit key's own key for MACs of one kind. As a key object, because making one of bytes is most of what a MAC
 * costs. OpenSSL zeroes it when it is let go.
 */
export function macKey(key: Secret, label: string): KeyObject {
  const bytes = derive(key, label);
  try {
    return createSecretKey(bytes.bytes());
  } finally {
    bytes.destroy();
  }
}

function signingKey(key: Secret): KeyObject {
  const seed = derive(key, 'sallyport/audit-checkpoint/1');
  const der = Buffer.concat([ED25519_PKCS8_PREFIX, seed.bytes()]);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
    seed.destroy();
  }
}

function derive(key: Secret, label: string): Secret {
  return Secret.fromBytes(Buffer.from(hkdfSync('sha256', key.bytes(), new Uint8Array(0), label, KEY_BYTES)));
}
