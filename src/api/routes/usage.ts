/** `/usage`: what was called and sent, by whom. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import type { ApiDeps } from '../deps.ts';
import { answers, router } from '../http.ts';
import { UsageQuery, UsageView } from '../usage-schemas.ts';

export function usageRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();
  app.openapi(
    createRoute({
      method: 'get',
      path: '/usage',
      summary: 'What was called and sent, how often, how long, how much',
      request: { query: UsageQuery },
      responses: answers('Usage', UsageView),
    }),
    async (c) => {
      const { since, until, by, server } = c.req.valid('query');
      const asked = { since: since ?? null, until: until ?? null, by, server: server ?? null };
      const { lines, ...rest } = await deps.usage.report(asked);
      return c.json({ ...rest, lines: lines.map((line) => ({ ...line })) }, 200);
    },
  );
  return app;
}
