/** `/profiles` and `/tokens`: who may use what. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { AppError } from '../../kernel/index.ts';
import type { ApiDeps } from '../deps.ts';
import { answers, jsonBody, router } from '../http.ts';
import type { Profile } from '../ports.ts';
import { CreateToken, NewToken, ProfileView, SetProfile, TokenView } from '../access-schemas.ts';
import { Slug } from '../schemas.ts';
import { findServer } from '../servers.ts';

const named = z.object({ name: Slug });
const withId = z.object({ id: z.string() });
const Done = z.object({ done: z.literal(true) });

export function profileRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();
  const view = (profile: Profile): ProfileView => ({
    name: profile.name,
    entries: profile.entries.map((entry) => ({
      server: entry.server,
      tools: Array.isArray(entry.tools) ? [...entry.tools] : (entry.tools as '*' | null),
    })),
    options: { ...profile.options },
  });

  app.openapi(
    createRoute({
      method: 'get',
      path: '/profiles',
      summary: 'List the profiles',
      responses: answers('Profiles', z.array(ProfileView)),
    }),
    async (c) => c.json((await deps.profiles.list(deps.workspace)).map(view), 200),
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/profiles/{name}',
      summary: 'Show a profile',
      request: { params: named },
      responses: answers('Profile', ProfileView),
    }),
    async (c) => c.json(view(await findProfile(deps, c.req.valid('param').name)), 200),
  );

  app.openapi(
    createRoute({
      method: 'put',
      path: '/profiles/{name}',
      summary: 'Create or replace a profile',
      request: { params: named, ...jsonBody(SetProfile) },
      responses: answers('Profile', ProfileView),
    }),
    async (c) => {
      const { name } = c.req.valid('param');
      const { entries, options } = c.req.valid('json');
      const { tokenInUrl, search, record } = options ?? {};
      const chosen = {
        ...(tokenInUrl === undefined ? {} : { tokenInUrl }),
        ...(search === undefined ? {} : { search }),
        ...(record === undefined ? {} : { record }),
      };
      for (const entry of entries) await findServer(deps, entry.server);
      await deps.audit.append({
        workspace: deps.workspace,
        type: 'profile.changed',
        actor: deps.caller.actor,
        data: { profile: name, entries, options: chosen },
      });
      await deps.profiles.save(deps.workspace, { name, entries, options: chosen });
      return c.json(view(await findProfile(deps, name)), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'delete',
      path: '/profiles/{name}',
      summary: 'Delete a profile and revoke its tokens',
      request: { params: named },
      responses: answers('Deleted', Done),
    }),
    async (c) => {
      const { name } = c.req.valid('param');
      await findProfile(deps, name);
      await deps.audit.append({
        workspace: deps.workspace,
        type: 'profile.deleted',
        actor: deps.caller.actor,
        data: { profile: name },
      });
      await deps.profiles.remove(deps.workspace, name);
      // A profile that is made later under the same name must not find its door open to those of this one.
      for (const token of await deps.tokens.list(deps.workspace))
        if (token.profile === name && token.revokedAt === null)
          await deps.tokens.revoke(deps.caller, token.id);
      return c.json({ done: true } as const, 200);
    },
  );

  return app;
}

/** @throws AppError `profile_unknown` */
async function findProfile(deps: Pick<ApiDeps, 'profiles' | 'workspace'>, name: string): Promise<Profile> {
  const profile = await deps.profiles.find(deps.workspace, name);
  if (profile !== null) return profile;
  const all = await deps.profiles.list(deps.workspace);
  throw new AppError('profile_unknown', `There is no profile \`${name}\`.`, {
    kind: 'not_found',
    hint: `Profiles here: ${all.map((other) => other.name).join(', ') || 'none'}. Make one: \`sallyport profile create ${name}\`.`,
  });
}

export function tokenRoutes(deps: ApiDeps): OpenAPIHono {
  const app = router();

  app.openapi(
    createRoute({
      method: 'get',
      path: '/tokens',
      summary: 'List the tokens, never their values',
      responses: answers('Tokens', z.array(TokenView)),
    }),
    async (c) =>
      c.json(
        (await deps.tokens.list(deps.workspace)).map(
          ({ id, profile, agent, createdAt, expiresAt, revokedAt, lastUsedAt }) => ({
            id,
            profile,
            agent,
            createdAt,
            expiresAt,
            revokedAt,
            lastUsedAt,
          }),
        ),
        200,
      ),
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/tokens',
      summary: 'Create a token; the only time that it is shown',
      request: jsonBody(CreateToken),
      responses: answers('Token', NewToken),
    }),
    async (c) => {
      const { profile, agent, expiresAt } = c.req.valid('json');
      await findProfile(deps, profile);
      const created = await deps.tokens.create(deps.caller, {
        profile,
        agent,
        ...(expiresAt === undefined ? {} : { expiresAt }),
      });
      return c.json({ id: created.id, token: created.token.reveal() }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'delete',
      path: '/tokens/{id}',
      summary: 'Revoke a token',
      request: { params: withId },
      responses: answers('Revoked', Done),
    }),
    async (c) => {
      await deps.tokens.revoke(deps.caller, c.req.valid('param').id);
      return c.json({ done: true } as const, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/tokens/{id}/rotate',
      summary: 'Replace a token by a new one',
      request: { params: withId },
      responses: answers('Token', NewToken),
    }),
    async (c) => {
      const created = await deps.tokens.rotate(deps.caller, c.req.valid('param').id);
      return c.json({ id: created.id, token: created.token.reveal() }, 200);
    },
  );

  return app;
}
