/** `/approvals`: requests that rules hold back until somebody agrees. Nothing is ever answered by a GET. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { AnswerApproval, ApprovalDetail, ApprovalQuery, ApprovalView } from '../approval-schemas.ts';
import type { ApiDeps } from '../deps.ts';
import { answers, jsonBody, router } from '../http.ts';

const params = z.object({ id: z.string().min(1) });

export function approvalRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();
  app.openapi(
    createRoute({
      method: 'get',
      path: '/approvals',
      summary: 'Requests that wait for an approval, or did, the newest first',
      request: { query: ApprovalQuery },
      responses: answers('Approvals', z.array(ApprovalView)),
    }),
    async (c) => c.json(await deps.approvals.list(c.req.valid('query').state ?? null), 200),
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/approvals/{id}',
      summary: 'One of them, with its arguments',
      request: { params },
      responses: answers('Approval', ApprovalDetail),
    }),
    async (c) => c.json(await deps.approvals.show(c.req.valid('param').id), 200),
  );
  app.openapi(
    createRoute({
      method: 'post',
      path: '/approvals/{id}/answer',
      summary: 'Approve, reject or revoke it',
      request: { params, ...jsonBody(AnswerApproval) },
      responses: answers('Approval', ApprovalView),
    }),
    async (c) => c.json(await deps.approvals.answer(c.req.valid('param').id, c.req.valid('json')), 200),
  );
  return app;
}
