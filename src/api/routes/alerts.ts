/** `/alerts`: what was found in the audit log, and a test of who is told. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { ApiDeps } from '../deps.ts';
import { answers, router } from '../http.ts';
import { AlertView } from '../audit-schemas.ts';

export function alertRoutes({ alerts }: ApiDeps): OpenAPIHono {
  const app = router();
  app.openapi(
    createRoute({
      method: 'get',
      path: '/alerts',
      summary: 'The latest alerts',
      responses: answers('Alerts', z.array(AlertView)),
    }),
    async (c) => c.json([...(await alerts.list())], 200),
  );
  app.openapi(
    createRoute({
      method: 'post',
      path: '/alerts/test',
      summary: 'Raise an alert that says that it is a test',
      responses: answers('Alert', AlertView),
    }),
    async (c) => c.json(await alerts.test(), 200),
  );
  return app;
}
