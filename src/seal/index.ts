export type { KeyLookup, KeyProvider, MasterKeyInfo, SealingKey } from './keys.ts';
export type { TenantKeyPurpose, TenantKeyRow, TenantKeyStore } from './tenant-keys.ts';
