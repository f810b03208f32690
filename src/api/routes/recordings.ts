/** `/recordings`: what was said in sessions. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { ApiDeps } from '../deps.ts';
import { answers, answersLines, jsonBody, linesResponse, router } from '../http.ts';
import { RecordingLine, RecordingView, Rejudge, RejudgeReport } from '../recording-schemas.ts';
import { Slug } from '../schemas.ts';

const withId = z.object({ id: z.string() });
const Done = z.object({ done: z.literal(true) });

export function recordingRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();
  app.openapi(
    createRoute({
      method: 'get',
      path: '/recordings',
      summary: 'Recorded sessions, the latest first',
      request: {
        query: z.object({
          profile: Slug.optional(),
          server: Slug.optional(),
          /** Milliseconds since the Unix epoch. */
          since: z.coerce.number().int().min(0).optional(),
        }),
      },
      responses: answers('Recordings', z.array(RecordingView)),
    }),
    async (c) => c.json([...(await deps.recordings.list(c.req.valid('query')))], 200),
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/recordings/{id}',
      summary: 'One recorded session, without what was said',
      request: { params: withId },
      responses: answers('Recording', RecordingView),
    }),
    async (c) => c.json(await deps.recordings.show(c.req.valid('param').id), 200),
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/recordings/{id}/lines',
      summary:
        'What was said, with the requests of its calls, as JSON Lines; the last line says what was checked',
      request: {
        params: withId,
        query: z.object({ for: z.enum(['show', 'replay', 'export']).default('show') }),
      },
      responses: answersLines('Lines', RecordingLine),
    }),
    (c) =>
      linesResponse(() => deps.recordings.lines(c.req.valid('param').id, c.req.valid('query').for), deps.log),
  );
  app.openapi(
    createRoute({
      method: 'post',
      path: '/recordings/{id}/rejudge',
      summary: 'What rules would say of its requests; nothing is called',
      request: { params: withId, ...jsonBody(Rejudge) },
      responses: answers('Report', RejudgeReport),
    }),
    async (c) =>
      c.json(await deps.recordings.rejudge(c.req.valid('param').id, c.req.valid('json').text), 200),
  );
  app.openapi(
    createRoute({
      method: 'delete',
      path: '/recordings/{id}',
      summary: 'Delete a recorded session',
      request: { params: withId },
      responses: answers('Deleted', Done),
    }),
    async (c) => {
      await deps.recordings.remove(c.req.valid('param').id);
      return c.json({ done: true } as const, 200);
    },
  );
  return app;
}
