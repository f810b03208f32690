/** `/servers/{slug}/definitions`: what a server offers to agents, and what is agreed to of it. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { Decision, DefinitionReport } from '../definition-schemas.ts';
import { lookAt } from '../definitions.ts';
import type { ApiDeps } from '../deps.ts';
import { answers, answersLines, jsonBody, progressResponse, router } from '../http.ts';
import { ErrorBody, Slug } from '../schemas.ts';
import { findServer } from '../servers.ts';

const params = z.object({ slug: Slug });

export function definitionRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();

  app.openapi(
    createRoute({
      method: 'get',
      path: '/servers/{slug}/definitions',
      summary: 'What is known of what a server offers; it is not started',
      request: { params },
      responses: answers('Definitions', DefinitionReport),
    }),
    async (c) => c.json(await deps.definitions.view(await findServer(deps, c.req.valid('param').slug)), 200),
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/servers/{slug}/definitions/look',
      summary: 'Ask a server what it offers now',
      request: { params },
      responses: answersLines(
        'Progress, then the report or an error',
        z.union([z.object({ progress: z.string() }), z.object({ result: DefinitionReport }), ErrorBody]),
      ),
    }),
    (c) => {
      const { slug } = c.req.valid('param');
      return progressResponse(async (tell) => lookAt(deps, await findServer(deps, slug), tell), deps.log);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/servers/{slug}/definitions/decision',
      summary: 'Agree to definitions, or turn them down',
      request: { params, ...jsonBody(Decision) },
      responses: answers('Definitions', DefinitionReport),
    }),
    async (c) => {
      const row = await findServer(deps, c.req.valid('param').slug);
      const { decision, definitions } = c.req.valid('json');
      return c.json(await deps.definitions.decide(row, decision, definitions), 200);
    },
  );

  return app;
}
