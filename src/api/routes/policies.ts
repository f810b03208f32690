/** `/policy`: the owner's rules. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { ApiDeps } from '../deps.ts';
import { answers, jsonBody, router } from '../http.ts';
import {
  ApplyPolicy,
  CheckPolicy,
  ExplainPolicy,
  PolicyCheck,
  PolicyExplanation,
  PolicySource,
  RemovePolicy,
  TemplateView,
} from '../policy-schemas.ts';
import { templateViews } from '../policy-templates.ts';

const Done = z.object({ done: z.literal(true) });

export function policyRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();
  app.openapi(
    createRoute({
      method: 'get',
      path: '/policy',
      summary: 'The rules that hold, as they were written',
      responses: answers('Rules', z.array(PolicySource)),
    }),
    async (c) =>
      c.json(
        (await deps.policies.list()).map((one) => ({ ...one, errors: [...one.errors] })),
        200,
      ),
  );
  app.openapi(
    createRoute({
      method: 'post',
      path: '/policy/check',
      summary: 'What is wrong with rules; nothing is changed',
      request: jsonBody(CheckPolicy),
      responses: answers('Findings', PolicyCheck),
    }),
    async (c) => {
      const { text, file } = c.req.valid('json');
      const { errors, warnings, ...rest } = await deps.policies.check(text, file);
      return c.json({ ...rest, errors: [...errors], warnings: [...warnings] }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'put',
      path: '/policy',
      summary: 'Replace the rules of the workspace or of a profile, effective at once',
      request: jsonBody(ApplyPolicy),
      responses: answers('Applied', Done),
    }),
    async (c) => {
      const { text, profile } = c.req.valid('json');
      await deps.policies.apply(text, profile);
      return c.json({ done: true } as const, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'delete',
      path: '/policy',
      summary: 'Remove the rules of the workspace or of a profile',
      request: jsonBody(RemovePolicy),
      responses: answers('Removed', Done),
    }),
    async (c) => {
      await deps.policies.remove(c.req.valid('json').profile);
      return c.json({ done: true } as const, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'post',
      path: '/policy/explain',
      summary: 'What the rules say of a request, and why',
      request: jsonBody(ExplainPolicy),
      responses: answers('Explanation', PolicyExplanation),
    }),
    async (c) => {
      const { rules, ...rest } = await deps.policies.explain(c.req.valid('json'));
      return c.json({ ...rest, rules: [...rules] }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/policy/templates',
      summary: 'Ready rules with their parameters',
      responses: answers('Templates', z.array(TemplateView)),
    }),
    (c) => c.json(templateViews(), 200),
  );
  return app;
}
