/**
 * The control plane's HTTP API, `/api/v1`. It trusts its caller to be the operator: whoever mounts it answers for that
 * (the local socket, mode 0600). It must never answer with a stored value.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { AppError } from '../kernel/index.ts';
import type { ApiDeps } from './deps.ts';
import { API_PREFIX } from './prefix.ts';
import { errorResponse, router } from './http.ts';
import { loginRoutes } from './routes/logins.ts';
import { profileRoutes, tokenRoutes } from './routes/access.ts';
import {
  auditRoutes,
  callRoutes,
  catalogRoutes,
  keyRoutes,
  killRoutes,
  statusRoutes,
} from './routes/operations.ts';
import { definitionRoutes } from './routes/definitions.ts';
import { alertRoutes } from './routes/alerts.ts';
import { approvalRoutes } from './routes/approvals.ts';
import { policyRoutes } from './routes/policies.ts';
import { proxyRoutes } from './routes/proxy.ts';
import { receiverRoutes } from './routes/receivers.ts';
import { recordingRoutes } from './routes/recordings.ts';
import { secretRoutes } from './routes/secrets.ts';
import { serverRoutes } from './routes/servers.ts';
import { usageRoutes } from './routes/usage.ts';

export function createApi(deps: ApiDeps): Pick<OpenAPIHono, 'fetch' | 'request'> {
  const app = router().basePath(API_PREFIX);
  const groups = [
    serverRoutes,
    definitionRoutes,
    secretRoutes,
    loginRoutes,
    profileRoutes,
    tokenRoutes,
    policyRoutes,
    approvalRoutes,
    recordingRoutes,
    proxyRoutes,
    callRoutes,
    killRoutes,
    keyRoutes,
    auditRoutes,
    alertRoutes,
    receiverRoutes,
    catalogRoutes,
    statusRoutes,
    usageRoutes,
  ];
  for (const group of groups) app.route('/', group(deps));
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: { title: 'Sallyport', version: deps.facts().version },
  });
  app.notFound((c) =>
    errorResponse(
      new AppError('api_route_unknown', `There is nothing at ${c.req.method} ${c.req.path}.`, {
        kind: 'not_found',
        hint: `See ${API_PREFIX}/openapi.json.`,
      }),
      deps.log,
    ),
  );
  app.onError((error) => errorResponse(error, deps.log));
  return app;
}
