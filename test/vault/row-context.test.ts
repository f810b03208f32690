import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CredentialId, Secret, type ServerId, type WorkspaceId } from '../../src/kernel/index.ts';
import { credentialContext } from '../../src/vault/row-context.ts';
import { type Installation, install } from './installation.ts';

describe('what a credential is bound to', () => {
  let home: Installation;
  beforeEach(async () => {
    home = await install();
  });
  afterEach(async () => {
    await home.dispose();
  });

  const row = {
    id: 'crd_1' as CredentialId,
    server: 'srv_1' as ServerId,
    name: 'TOKEN',
    owner: 'user_1',
    version: 3,
  };

  it('is everything that says whose value it is: the index is not the only thing that notices', async () => {
    const { workspace, other, ring } = home;
    const sealed = await ring.sealValue(Secret.fromString('mine'), credentialContext(workspace, row));
    using opened = await ring.openValue(sealed, credentialContext(workspace, row));
    expect(opened.reveal()).toBe('mine');
    const others = [
      { ...row, id: 'crd_2' as CredentialId },
      { ...row, server: 'srv_2' as ServerId },
      { ...row, name: 'OTHER' },
      { ...row, owner: 'user_2' },
      { ...row, owner: null },
      { ...row, version: 4 },
    ];
    for (const another of others) {
      const attempt = ring.openValue(sealed, credentialContext(workspace, another));
      await expect(attempt).rejects.toMatchObject({ code: 'seal_tampered' });
    }
    await expect(ring.openValue(sealed, credentialContext(other, row))).rejects.toMatchObject({
      code: 'seal_key_unknown',
    });
  });

  it('cannot be imitated by names that contain the marks between the parts', () => {
    const workspace = 'ws_1' as WorkspaceId;
    const one = credentialContext(workspace, { ...row, name: 'A","B', owner: 'C' });
    const two = credentialContext(workspace, { ...row, name: 'A', owner: 'B","C' });
    expect(one.row).not.toBe(two.row);
    expect(credentialContext(workspace, { ...row, owner: null }).row).not.toBe(
      credentialContext(workspace, { ...row, owner: 'null' }).row,
    );
  });
});
