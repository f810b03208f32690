/** `/receivers/secrets`: what exports, alerts and approvals need to reach whom they are for. Values go in; nothing here can bring one out. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { Secret } from '../../kernel/index.ts';
import type { ApiDeps } from '../deps.ts';
import { answers, jsonBody, router } from '../http.ts';
import { ReceiverSecret } from '../receiver-schemas.ts';
import { SetSecret } from '../server-schemas.ts';

const params = z.object({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'is not of small letters, digits and hyphens'),
});

export function receiverRoutes({ receivers }: ApiDeps): OpenAPIHono {
  const app = router();
  app.openapi(
    createRoute({
      method: 'get',
      path: '/receivers/secrets',
      summary: 'Which values are set for receivers of the gateway',
      responses: answers('Secrets', z.array(ReceiverSecret)),
    }),
    async (c) => c.json([...(await receivers.list())], 200),
  );
  app.openapi(
    createRoute({
      method: 'put',
      path: '/receivers/secrets/{name}',
      summary: 'Set or rotate one',
      request: { params, ...jsonBody(SetSecret) },
      responses: answers('Set', ReceiverSecret),
    }),
    async (c) => {
      const value = Secret.fromString(c.req.valid('json').value);
      try {
        return c.json(await receivers.set(c.req.valid('param').name, value), 200);
      } finally {
        value.destroy();
      }
    },
  );
  app.openapi(
    createRoute({
      method: 'delete',
      path: '/receivers/secrets/{name}',
      summary: 'Delete one',
      request: { params },
      responses: answers('Deleted', z.object({ deleted: z.array(z.string()) })),
    }),
    async (c) => {
      const { name } = c.req.valid('param');
      await receivers.remove(name);
      return c.json({ deleted: [name] }, 200);
    },
  );
  return app;
}
