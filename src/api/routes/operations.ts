/** `/calls`, `/kills`, `/keys`, `/audit`, `/catalog`, `/status`: running the gateway. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type Checkpoint, eventRecord, readCheckpointLines } from '../../audit/index.ts';
import { AppError, limits } from '../../kernel/index.ts';
import { writeManifest } from '../../manifest/index.ts';
import type { ApiDeps } from '../deps.ts';
import { answers, answersLines, answersText, jsonBody, linesResponse, router } from '../http.ts';
import { CheckpointView, ExportView, RecordedEvent, VerifyBody, VerifyView } from '../audit-schemas.ts';
import {
  CallBody,
  KeyRotation,
  KeyStatus,
  KillView,
  LiftKill,
  SetKill,
  StatusView,
} from '../operation-schemas.ts';
import { CatalogView } from '../server-schemas.ts';
import type { KillScope } from '../ports.ts';
import { manifestOf } from '../server-views.ts';
import { findServer } from '../servers.ts';

const Done = z.object({ done: z.literal(true) });

export function callRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();
  app.openapi(
    createRoute({
      method: 'post',
      path: '/calls',
      summary: 'Call a tool',
      request: jsonBody(CallBody),
      responses: answersText('The result exactly as the server gave it', z.looseObject({})),
    }),
    async (c) => {
      const { server, tool, arguments: argumentsJson, profile } = c.req.valid('json');
      await findServer(deps, server);
      const result = await deps.runtime.call(server, tool, argumentsJson, profile ?? null);
      return c.body(result, 200, { 'content-type': 'application/json' });
    },
  );
  return app;
}

export function killRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();
  app.openapi(
    createRoute({
      method: 'get',
      path: '/kills',
      summary: 'List the active kill switches',
      responses: answers('Kills', z.array(KillView)),
    }),
    async (c) => c.json([...(await deps.kills.list(deps.workspace))], 200),
  );
  app.openapi(
    createRoute({
      method: 'post',
      path: '/kills',
      summary: 'Set a kill switch, effective at once',
      request: jsonBody(SetKill),
      responses: answers('Kill', KillView),
    }),
    async (c) => {
      const { scope, target, reason } = c.req.valid('json');
      await checkTarget(deps, scope, target);
      const kill = {
        scope,
        target,
        reason,
        at: deps.clock.now(),
        by: `${deps.caller.actor.kind}:${deps.caller.actor.id}`,
      };
      await deps.audit.append({
        workspace: deps.workspace,
        type: 'kill.set',
        actor: deps.caller.actor,
        data: { scope, target, reason },
      });
      await deps.kills.set(deps.workspace, kill);
      return c.json(kill, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'delete',
      path: '/kills',
      summary: 'Lift a kill switch',
      request: jsonBody(LiftKill),
      responses: answers('Lifted', Done),
    }),
    async (c) => {
      const { scope, target } = c.req.valid('json');
      const active = await deps.kills.list(deps.workspace);
      if (!active.some((kill) => kill.scope === scope && kill.target === target)) {
        throw new AppError('kill_not_active', 'No such kill switch is active.', {
          kind: 'not_found',
          hint: '`sallyport kill --list` shows those that are.',
        });
      }
      await deps.audit.append({
        workspace: deps.workspace,
        type: 'kill.lifted',
        actor: deps.caller.actor,
        data: { scope, target },
      });
      await deps.kills.lift(deps.workspace, scope, target);
      return c.json({ done: true } as const, 200);
    },
  );
  return app;
}

/** A switch on a name that nothing has would stop nothing, and whoever set it in haste would not know. */
async function checkTarget(deps: ApiDeps, scope: KillScope, target: string): Promise<void> {
  if (scope === 'server') {
    await findServer(deps, target);
  } else if (scope === 'token') {
    if ((await deps.tokens.list(deps.workspace)).some((token) => token.id === target)) return;
    throw new AppError('token_not_found', `There is no token \`${target}\`.`, {
      kind: 'not_found',
      hint: '`sallyport token list` shows their ids.',
    });
  } else if (scope === 'credential') {
    await checkCredential(deps, target);
  } else if ((scope === 'user') === (target === '')) {
    throw new AppError(
      'kill_target_invalid',
      `A kill switch of scope \`${scope}\` ${scope === 'user' ? 'names a user' : 'names nothing'}.`,
      {
        kind: 'invalid',
      },
    );
  }
}

export function keyRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();
  app.openapi(
    createRoute({
      method: 'get',
      path: '/keys',
      summary: 'Which master keys there are and how much each wraps',
      responses: answers('Keys', KeyStatus),
    }),
    async (c) => {
      const { provider, keys, missing } = await deps.vault.keyStatus(deps.caller);
      return c.json(
        {
          provider,
          keys: keys.map(({ id, createdAt, current, wraps }) => ({ id, createdAt, current, wraps })),
          missing: [...missing],
        },
        200,
      );
    },
  );
  app.openapi(
    createRoute({
      method: 'post',
      path: '/keys/rotate',
      summary: 'Rotate the master key',
      responses: answers('Rotation', KeyRotation),
    }),
    async (c) => {
      const { from, to, rewrapped, retired, resumed } = await deps.vault.rotateMasterKey(deps.caller);
      return c.json({ from, to, rewrapped, retired: [...retired], resumed }, 200);
    },
  );
  return app;
}

export function auditRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();
  const query = z.object({
    from: z.coerce.number().int().min(1).optional(),
    last: z.coerce.number().int().min(1).max(limits.auditTailMax).optional(),
    follow: z.enum(['true', 'false']).optional(),
  });
  app.openapi(
    createRoute({
      method: 'get',
      path: '/audit',
      summary: 'Events as JSON Lines',
      request: { query },
      responses: answersLines('Recorded events', RecordedEvent),
    }),
    (c) => {
      const { from, last, follow } = c.req.valid('query');
      return linesResponse(async function* (gone) {
        const events =
          from === undefined
            ? deps.audit.tail(deps.workspace, {
                ...(last === undefined ? {} : { last }),
                ...(follow === 'true' ? { follow: gone } : {}),
              })
            : deps.audit.export(deps.workspace, { from });
        for await (const event of events) yield eventRecord(event);
      }, deps.log);
    },
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/audit/verify',
      summary: 'Check the whole chain',
      responses: answers('Verification', VerifyView),
    }),
    async (c) => {
      return c.json(await verification(deps, []), 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'post',
      path: '/audit/verify',
      summary: 'Check the whole chain against checkpoints that were kept elsewhere',
      request: jsonBody(VerifyBody),
      responses: answers('Verification', VerifyView),
    }),
    async (c) => c.json(await verification(deps, anchorsIn(c.req.valid('json').checkpoints)), 200),
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/audit/exports',
      summary: 'Where the log goes besides, and how far it came',
      responses: answers('Exports', z.array(ExportView)),
    }),
    async (c) => c.json([...(await deps.exports.list())], 200),
  );
  app.openapi(
    createRoute({
      method: 'post',
      path: '/audit/checkpoints',
      summary: 'Sign where the chain ends now, to be kept elsewhere',
      responses: answers('Checkpoint', CheckpointView),
    }),
    async (c) => {
      const checkpoint = await deps.audit.checkpoint(deps.workspace);
      if (checkpoint === null)
        throw new AppError('audit_empty', 'Nothing was recorded yet.', { kind: 'conflict' });
      return c.json({ ...checkpoint }, 200);
    },
  );
  return app;
}

async function verification(deps: ApiDeps, anchors: readonly Checkpoint[]) {
  const report = await deps.audit.verify(deps.workspace, { anchors });
  const { ok, events, checkpoints, problems, more } = report;
  return {
    ok,
    events,
    checkpoints,
    problems: problems.map(({ code, sequence, message }) => ({ code, sequence, message })),
    more,
  };
}

/** @throws AppError where nothing could be compared: whoever hands them in counts on their being heeded */
function anchorsIn(text: string): readonly Checkpoint[] {
  const anchors = readCheckpointLines(text);
  if (anchors !== null && anchors.length > 0 && anchors.length <= limits.auditAnchorsMax) return anchors;
  const message =
    anchors === null
      ? 'A line says that it is a checkpoint and is none.'
      : anchors.length === 0
        ? 'There is no checkpoint in this.'
        : `There are more than ${limits.auditAnchorsMax} checkpoints.`;
  throw new AppError('audit_checkpoints_invalid', message, {
    kind: 'invalid',
    hint: 'Give lines as `sallyport audit checkpoint --json` prints them and exports have them; the newest is enough.',
  });
}

export function catalogRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();
  app.openapi(
    createRoute({
      method: 'get',
      path: '/catalog',
      summary: 'Search the catalog; all of it without words',
      request: { query: z.object({ q: z.string().optional() }) },
      responses: answers('Entries', z.array(CatalogView)),
    }),
    async (c) =>
      c.json(
        (await deps.catalog())
          .search((c.req.valid('query').q ?? '').split(/\s+/).filter((word) => word !== ''))
          .map(({ manifest }) => ({
            name: manifest.name,
            version: manifest.version,
            title: manifest.title ?? manifest.name,
            description: manifest.description ?? '',
            package: manifest.server.kind === 'sandboxed' ? (manifest.server.package ?? null) : null,
            hosts: manifest.egress.map((rule) => rule.host),
            secrets: manifest.credentials.map((credential) => credential.name),
          })),
        200,
      ),
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/catalog/{name}',
      summary: 'The manifest of a catalog entry',
      request: { params: z.object({ name: z.string() }) },
      responses: answers('Manifest', z.object({ text: z.string() })),
    }),
    async (c) => {
      const entry = (await deps.catalog()).show(c.req.valid('param').name);
      if (entry !== undefined) return c.json({ text: writeManifest(entry.manifest) }, 200);
      throw new AppError('catalog_unknown', `The catalog has no server \`${c.req.valid('param').name}\`.`, {
        kind: 'not_found',
        hint: '`sallyport catalog search` lists all.',
      });
    },
  );
  return app;
}

export function statusRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();
  app.openapi(
    createRoute({
      method: 'get',
      path: '/status',
      summary: 'The gateway and its cells',
      responses: answers('Status', StatusView),
    }),
    (c) => c.json({ ...deps.facts(), cells: [...deps.runtime.cells()] }, 200),
  );
  return app;
}

/** @param target `SERVER/NAME` */
async function checkCredential(deps: ApiDeps, target: string): Promise<void> {
  const slash = target.indexOf('/');
  const [slug, name] = slash < 0 ? [target, ''] : [target.slice(0, slash), target.slice(slash + 1)];
  const row = await findServer(deps, slug);
  const declared = manifestOf(row).credentials.map((credential) => credential.name);
  const set = await deps.vault.list(deps.caller, { id: row.id, slug: row.slug });
  const names = [...new Set([...declared, ...set.map((info) => info.name)])];
  if (names.includes(name)) return;
  throw new AppError('credential_not_found', `\`${slug}\` has no credential \`${name}\`.`, {
    kind: 'not_found',
    hint: `Name it as SERVER/NAME. ${names.length === 0 ? 'It has none.' : `It has: ${names.join(', ')}.`}`,
  });
}
