/** `/proxy`: what a program outside of cells needs to use the explicit proxy. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import type { ApiDeps } from '../deps.ts';
import { answers, jsonBody, router } from '../http.ts';
import { ProxyBody, ProxyView } from '../access-schemas.ts';

export function proxyRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();

  app.openapi(
    createRoute({
      method: 'post',
      path: '/proxy',
      summary: 'Open a session of the explicit proxy, or give the settings of the one that is open',
      request: jsonBody(ProxyBody),
      responses: answers(
        'Settings: placeholders and the certificate to trust, never a token or a value',
        ProxyView,
      ),
    }),
    async (c) => {
      const { tokenId, server } = c.req.valid('json');
      const settings = await deps.proxy.settings(tokenId ?? null, server ?? null);
      return c.json({ ...settings, variables: { ...settings.variables }, unset: [...settings.unset] }, 200);
    },
  );

  return app;
}
