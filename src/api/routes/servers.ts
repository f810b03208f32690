/** `/servers`: what the gateway runs. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { ApiDeps } from '../deps.ts';
import {
  answers,
  answersLines,
  answersText,
  jsonBody,
  linesResponse,
  progressResponse,
  router,
} from '../http.ts';
import { probeServer } from '../probes.ts';
import { LaunchPlan } from '../plan-schema.ts';
import { ProbeBody, ProbeView } from '../probe-schemas.ts';
import { ErrorBody, Slug } from '../schemas.ts';
import {
  AddedView,
  AddServer,
  InjectBody,
  LogLineView,
  ReinstallBody,
  ServerView,
  UpgradeBody,
  UpgradedView,
} from '../server-schemas.ts';
import { viewServer } from '../server-views.ts';
import {
  addServer,
  findServer,
  injectSecret,
  reinstallServer,
  removeServer,
  setEnabled,
  upgradeServer,
} from '../servers.ts';

const params = z.object({ slug: Slug });
const Done = z.object({ done: z.literal(true) });
const progressThen = (result: z.ZodType) =>
  answersLines(
    'Progress, then the result or an error',
    z.union([z.object({ progress: z.string() }), z.object({ result }), ErrorBody]),
  );
const lines = progressThen(ServerView);

export function serverRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();

  app.openapi(
    createRoute({
      method: 'get',
      path: '/servers',
      summary: 'List the servers',
      responses: answers('Servers', z.array(ServerView)),
    }),
    async (c) => {
      const rows = await deps.servers.list(deps.workspace);
      return c.json(await Promise.all(rows.map((row) => viewServer(deps, row))), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/servers',
      summary: 'Install and add a server',
      request: jsonBody(AddServer),
      responses: progressThen(AddedView),
    }),
    (c) => {
      const input = c.req.valid('json');
      return progressResponse((tell, gone) => addServer(deps, input, { tell, gone }), deps.log);
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/servers/{slug}',
      summary: 'Show a server',
      request: { params },
      responses: answers('Server', ServerView),
    }),
    async (c) => c.json(await viewServer(deps, await findServer(deps, c.req.valid('param').slug)), 200),
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/servers/{slug}/plan',
      summary: 'What starting a server would do',
      request: { params },
      responses: answers('Plan', LaunchPlan),
    }),
    async (c) => c.json(await deps.runtime.plan(await findServer(deps, c.req.valid('param').slug)), 200),
  );

  app.openapi(
    createRoute({
      method: 'delete',
      path: '/servers/{slug}',
      summary: 'Remove a server and its secrets',
      request: { params },
      responses: answers('Removed', Done),
    }),
    async (c) => {
      await removeServer(deps, c.req.valid('param').slug);
      return c.json({ done: true } as const, 200);
    },
  );

  for (const [verb, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const) {
    app.openapi(
      createRoute({
        method: 'post',
        path: `/servers/{slug}/${verb}`,
        summary: `${enabled ? 'Enable' : 'Disable'} a server`,
        request: { params },
        responses: answers('Server', ServerView),
      }),
      async (c) => c.json(await setEnabled(deps, c.req.valid('param').slug, enabled), 200),
    );
  }

  app.openapi(
    createRoute({
      method: 'post',
      path: '/servers/{slug}/upgrade',
      summary: 'Install another version of the package',
      request: { params, ...jsonBody(UpgradeBody) },
      responses: progressThen(UpgradedView),
    }),
    (c) => {
      const { slug } = c.req.valid('param');
      const body = c.req.valid('json');
      return progressResponse((tell, gone) => upgradeServer(deps, slug, body, { tell, gone }), deps.log);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/servers/{slug}/reinstall',
      summary: 'Install the very same package again',
      request: { params, ...jsonBody(ReinstallBody) },
      responses: lines,
    }),
    (c) => {
      const { slug } = c.req.valid('param');
      const body = c.req.valid('json');
      return progressResponse((tell, gone) => reinstallServer(deps, slug, body, { tell, gone }), deps.log);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/servers/{slug}/probe',
      summary: 'Find out with random values which hosts send back what they are given',
      request: { params, ...jsonBody(ProbeBody) },
      responses: progressThen(ProbeView),
    }),
    (c) => {
      const { slug } = c.req.valid('param');
      const options = c.req.valid('json');
      return progressResponse((tell, gone) => probeServer(deps, slug, options, tell, gone), deps.log);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/servers/{slug}/secrets/{name}/inject',
      summary: 'Declare where a credential goes',
      request: { params: params.extend({ name: z.string() }), ...jsonBody(InjectBody) },
      responses: answers('Server', ServerView),
    }),
    async (c) => {
      const { slug, name } = c.req.valid('param');
      return c.json(await injectSecret(deps, slug, name, c.req.valid('json')), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/servers/{slug}/tools',
      summary: "The server's tools, exactly as it lists them",
      request: { params },
      responses: answersText('MCP tools', z.array(z.looseObject({ name: z.string() }))),
    }),
    async (c) => {
      await findServer(deps, c.req.valid('param').slug);
      return c.body(await deps.runtime.tools(c.req.valid('param').slug), 200, {
        'content-type': 'application/json',
      });
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/servers/{slug}/logs',
      summary: "The server's stderr",
      request: { params, query: z.object({ follow: z.enum(['true', 'false']).optional() }) },
      responses: answersLines('Lines, the oldest first', LogLineView),
    }),
    async (c) => {
      const { slug } = c.req.valid('param');
      await findServer(deps, slug);
      const follow = c.req.valid('query').follow === 'true';
      return linesResponse((gone) => deps.runtime.logs(slug, follow ? gone : null), deps.log);
    },
  );

  return app;
}
