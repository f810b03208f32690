/** A server by its name in the catalog. */
import { AppError } from '../kernel/index.ts';
import type { Manifest } from '../manifest/index.ts';
import type { ApiDeps } from './deps.ts';

/** @throws AppError `catalog_unknown` with names that are near */
export async function fromCatalog(deps: Pick<ApiDeps, 'catalog'>, name: string): Promise<Manifest> {
  const catalog = await deps.catalog();
  const entry = catalog.show(name);
  if (entry !== undefined) return entry.manifest;
  const near = catalog.search([name]).slice(0, 5);
  throw new AppError('catalog_unknown', `The catalog has no server \`${name}\`.`, {
    kind: 'not_found',
    hint:
      near.length > 0
        ? `Did you mean ${near.map((found) => found.manifest.name).join(', ')}?`
        : '`sallyport catalog search` lists all; any package works too: `sallyport server add npm:PACKAGE`.',
  });
}
