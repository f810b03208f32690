/**
 * Vault: the one way to a plaintext. It brings seal, audit and store together, and decides who may have what.
 */
export { createKillState, killActive, type KillState, type KillTarget } from './kill-state.ts';
export type { Caller, CredentialInfo, CredentialRef, Purpose, Vault } from './types.ts';
export { createVault, type VaultDeps } from './vault.ts';
