/**
 * The catalog that comes with the product. Reading it is a seventh of what a start takes, and most processes are never
 * asked for it: it is read when somebody asks first.
 */
import { fileURLToPath } from 'node:url';
import { type Catalog, loadCatalog } from '../manifest/index.ts';
import { PACKAGE_ROOT } from './version.ts';

/** @returns gives the catalog, read once; where that failed (`loadCatalog` says how), it is tried again the next time */
export function shippedCatalog(): () => Promise<Catalog> {
  const folder = fileURLToPath(new URL('catalog/', PACKAGE_ROOT));
  let read: Promise<Catalog> | null = null;
  return () => {
    read ??= loadCatalog(folder).catch((error: unknown) => {
      read = null;
      throw error;
    });
    return read;
  };
}
