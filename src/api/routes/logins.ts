/** `/servers/{slug}/login`: logins to remote servers. What they end with is sealed; nothing here can bring it out. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { adoptWhenComplete } from '../definitions.ts';
import type { ApiDeps } from '../deps.ts';
import { answers, jsonBody, router } from '../http.ts';
import { BeginLogin, FinishLogin, LoginBegun, LoginView } from '../login-schemas.ts';
import { Slug } from '../schemas.ts';
import { findServer } from '../servers.ts';

const params = z.object({ slug: Slug });

export function loginRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();

  app.openapi(
    createRoute({
      method: 'post',
      path: '/servers/{slug}/login',
      summary: 'Begin a login: find out where, and with what name',
      request: { params, ...jsonBody(BeginLogin) },
      responses: answers('Where the browser goes', LoginBegun),
    }),
    async (c) => {
      const row = await findServer(deps, c.req.valid('param').slug);
      return c.json(await deps.logins.begin(row, c.req.valid('json')), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/logins/finish',
      summary: 'End a login with what came back through the browser',
      request: jsonBody(FinishLogin),
      responses: answers('Logged in', LoginView),
    }),
    async (c) => {
      const login = await deps.logins.finish(c.req.valid('json').query);
      await adoptWhenComplete(deps, await findServer(deps, login.server));
      return c.json(login, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/servers/{slug}/login',
      summary: 'What is known of the login of a server',
      request: { params },
      responses: answers('The login; null: there is none', LoginView.nullable()),
    }),
    async (c) => c.json(await deps.logins.show(await findServer(deps, c.req.valid('param').slug)), 200),
  );

  app.openapi(
    createRoute({
      method: 'delete',
      path: '/servers/{slug}/login',
      summary: 'Give the login back and forget its tokens',
      request: { params },
      responses: answers('Whether there was one', z.object({ removed: z.boolean() })),
    }),
    async (c) => {
      const row = await findServer(deps, c.req.valid('param').slug);
      return c.json({ removed: await deps.logins.forget(row) }, 200);
    },
  );

  return app;
}
