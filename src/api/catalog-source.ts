/** A server by its name in the catalog. */
import { AppError } from '../kernel/index.ts';
import type { Manifest } from '../manifest/index.ts';
import type { ApiDeps } from './deps.ts';

/** @throws AppError `catalog_unknown` with names that are near */
export function fromCatalog(deps: Pick<ApiDeps, 'catalog'>, name: string): Manifest {
  const entry = deps.catalog.show(name);
  if (entry !== undefined) return entry.manifest;
  const near = deps.catalog.search([name]).slice(0, 5);
  throw new AppError('catalog_unknown', `The catalog has no server \`${name}\`.`, {
    kind: 'not_found',
    hint:
      near.length > 0
        ? `Did you mean ${near.map((found) => found.manifest.name).join(', ')}?`
        : '`sallyport catalog search` lists all; any package works too: `sallyport server add npm:PACKAGE`.',
  });
}
