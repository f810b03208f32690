/** `/servers/{slug}/secrets`: values go in; nothing here can bring one out. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { AppError, Secret } from '../../kernel/index.ts';
import { DefinitionReport } from '../definition-schemas.ts';
import { adoptWhenComplete } from '../definitions.ts';
import type { ApiDeps } from '../deps.ts';
import { answers, jsonBody, router } from '../http.ts';
import { Slug } from '../schemas.ts';
import { SecretView, SetSecret } from '../server-schemas.ts';
import { manifestOf, viewSecrets } from '../server-views.ts';
import { findServer } from '../servers.ts';

const params = z.object({ slug: Slug, name: z.string() });
const Changed = z.object({
  name: z.string(),
  version: z.number(),
  /** What the server offers, where this is what let it be asked; null otherwise. */
  definitions: DefinitionReport.nullable(),
});
const Deleted = z.object({ deleted: z.array(z.string()) });

export function secretRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();

  app.openapi(
    createRoute({
      method: 'get',
      path: '/servers/{slug}/secrets',
      summary: 'List the slots of a server and which are set',
      request: { params: params.pick({ slug: true }) },
      responses: answers('Slots', z.array(SecretView)),
    }),
    async (c) => c.json(await viewSecrets(deps, await findServer(deps, c.req.valid('param').slug)), 200),
  );

  app.openapi(
    createRoute({
      method: 'put',
      path: '/servers/{slug}/secrets/{name}',
      summary: 'Set or rotate a secret',
      request: { params, ...jsonBody(SetSecret) },
      responses: answers('Set', Changed),
    }),
    async (c) => {
      const { slug, name } = c.req.valid('param');
      const row = await findServer(deps, slug);
      const slot = manifestOf(row).credentials.find((credential) => credential.name === name);
      if (slot === undefined) {
        const names = manifestOf(row).credentials.map((credential) => credential.name);
        throw new AppError('secret_slot_unknown', `\`${slug}\` has no credential \`${name}\`.`, {
          kind: 'not_found',
          hint:
            names.length > 0
              ? `It has: ${names.join(', ')}.`
              : `Declare one first: \`sallyport secret inject ${slug} ${name} --bearer --host HOST\`.`,
        });
      }
      const info = await deps.vault.put(
        deps.caller,
        { server: row.id, serverSlug: slug, name, owner: null },
        Secret.fromString(c.req.valid('json').value),
      );
      await deps.runtime.credentialsChanged(slug);
      const definitions = await adoptWhenComplete(deps, row);
      return c.json({ name, version: info.version, definitions }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'delete',
      path: '/servers/{slug}/secrets/{name}',
      summary: 'Delete a secret, or every one with the name `*`',
      request: { params },
      responses: answers('Deleted', Deleted),
    }),
    async (c) => {
      const { slug, name } = c.req.valid('param');
      const row = await findServer(deps, slug);
      const known = await deps.vault.list(deps.caller, { id: row.id, slug });
      const doomed = known.filter((info) => name === '*' || info.name === name);
      if (doomed.length === 0 && name !== '*') {
        throw new AppError('secret_not_set', `No value is set for \`${name}\` of \`${slug}\`.`, {
          kind: 'not_found',
          hint: `\`sallyport secret list ${slug}\` shows what is set.`,
        });
      }
      for (const info of doomed) {
        await deps.vault.remove(deps.caller, {
          server: row.id,
          serverSlug: slug,
          name: info.name,
          owner: info.owner,
        });
      }
      await deps.runtime.credentialsChanged(slug);
      return c.json({ deleted: doomed.map((info) => info.name) }, 200);
    },
  );

  return app;
}
