/**
 * Seal: the only user of ciphers. Envelopes, the three levels of keys, where master keys come from, rotation; and
 * the lock that keeps processes apart.
 */
export type { SealContext } from './context.ts';
export { deriveKey } from './derive.ts';
export { keyIdOf, open, type SealOptions, seal } from './envelope.ts';
export {
  createKeyRing,
  type KeyRing,
  type KeyRingOptions,
  type RowContext,
  type SealedValue,
} from './key-ring.ts';
export type { KeyLookup, KeyProvider, MasterKeyInfo, SealingKey } from './keys.ts';
export { createLocalKeyFile, type LocalKeyOptions, localKeyProvider } from './local-provider.ts';
export { lockFile } from './lock-file.ts';
export { parseMasterKey } from './master-key.ts';
export {
  type MasterKeyStatus,
  masterKeyStatus,
  type RotationDeps,
  type RotationReport,
  rotateMasterKey,
} from './rotation.ts';
export type { Suite } from './suites.ts';
export type { TenantKeyPurpose, TenantKeyRow, TenantKeyStore } from './tenant-keys.ts';
