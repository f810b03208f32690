/** The usual place of a key, shared by most rows of the table. */
import type { KeyPlace } from '../catalog-server.ts';

export const bearer: KeyPlace = { header: 'authorization', form: 'Bearer {key}' };
