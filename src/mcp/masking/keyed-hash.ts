/** What a masked value's hash is made with: a key of the workspace's, so that it says nothing to whoever does not have it. */
import { createHmac } from 'node:crypto';
import type { HashKey } from '../../masking/index.ts';

/** @param key read anew for each text; null: nothing is hashed */
export const keyedHash =
  (key: (() => Uint8Array) | null): HashKey =>
  (text) =>
    key === null ? '' : createHmac('sha256', key()).update(text).digest('base64url');
