import { readFileSync } from 'node:fs';

/** The root of the installed package: two folders above this file, in `src/` as in `dist/`. */
export const PACKAGE_ROOT = new URL('../../', import.meta.url);

/** The package's version. */
export const VERSION: string = (
  JSON.parse(readFileSync(new URL('package.json', PACKAGE_ROOT), 'utf8')) as { version: string }
).version;
