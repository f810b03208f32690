/** The document that says what the API has: every route, what it answers, and nothing secret but a new token. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeWorld, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(() => world.close());

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { schema?: object }>> }>
  >;
}

describe('the OpenAPI document', () => {
  const document = async () =>
    (await world.ask('GET', '/openapi.json')).json as {
      openapi: string;
      paths: Record<string, Record<string, Operation>>;
      components: { schemas: Record<string, unknown> };
    };

  it('has every route, each with its parameters, what it answers and how it fails', async () => {
    const { openapi, paths } = await document();
    expect(openapi).toBe('3.1.0');
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, path, operation })),
    );
    expect(operations.map(({ name }) => name).toSorted()).toEqual(
      [
        'get /api/v1/approvals',
        'get /api/v1/approvals/{id}',
        'get /api/v1/usage',
        'post /api/v1/approvals/{id}/answer',
        'delete /api/v1/kills',
        'delete /api/v1/policy',
        'get /api/v1/policy',
        'get /api/v1/policy/templates',
        'get /api/v1/recordings',
        'get /api/v1/recordings/{id}',
        'get /api/v1/recordings/{id}/lines',
        'post /api/v1/recordings/{id}/rejudge',
        'delete /api/v1/recordings/{id}',
        'post /api/v1/policy/check',
        'post /api/v1/policy/explain',
        'put /api/v1/policy',
        'get /api/v1/receivers/secrets',
        'put /api/v1/receivers/secrets/{name}',
        'delete /api/v1/receivers/secrets/{name}',
        'delete /api/v1/profiles/{name}',
        'delete /api/v1/servers/{slug}',
        'delete /api/v1/servers/{slug}/login',
        'delete /api/v1/servers/{slug}/secrets/{name}',
        'delete /api/v1/tokens/{id}',
        'get /api/v1/alerts',
        'post /api/v1/alerts/test',
        'get /api/v1/audit',
        'get /api/v1/audit/verify',
        'post /api/v1/audit/verify',
        'post /api/v1/audit/checkpoints',
        'get /api/v1/audit/exports',
        'get /api/v1/catalog',
        'get /api/v1/catalog/{name}',
        'get /api/v1/keys',
        'get /api/v1/kills',
        'get /api/v1/profiles',
        'get /api/v1/profiles/{name}',
        'get /api/v1/servers',
        'get /api/v1/servers/{slug}',
        'get /api/v1/servers/{slug}/definitions',
        'get /api/v1/servers/{slug}/login',
        'get /api/v1/servers/{slug}/logs',
        'get /api/v1/servers/{slug}/plan',
        'get /api/v1/servers/{slug}/secrets',
        'get /api/v1/servers/{slug}/tools',
        'get /api/v1/status',
        'get /api/v1/tokens',
        'post /api/v1/calls',
        'post /api/v1/keys/rotate',
        'post /api/v1/kills',
        'post /api/v1/logins/finish',
        'post /api/v1/proxy',
        'post /api/v1/servers',
        'post /api/v1/servers/{slug}/definitions/decision',
        'post /api/v1/servers/{slug}/definitions/look',
        'post /api/v1/servers/{slug}/disable',
        'post /api/v1/servers/{slug}/enable',
        'post /api/v1/servers/{slug}/login',
        'post /api/v1/servers/{slug}/probe',
        'post /api/v1/servers/{slug}/reinstall',
        'post /api/v1/servers/{slug}/secrets/{name}/inject',
        'post /api/v1/servers/{slug}/upgrade',
        'post /api/v1/tokens',
        'post /api/v1/tokens/{id}/rotate',
        'put /api/v1/profiles/{name}',
        'put /api/v1/servers/{slug}/secrets/{name}',
      ].toSorted(),
    );
    for (const { name, path, operation } of operations) {
      expect(operation.summary, name).toMatch(/\S/);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter = '']) => parameter);
      const declared = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
      expect(declared.toSorted(), name).toEqual(inPath.toSorted());
      for (const status of ['200', 'default']) {
        const contents = Object.values(operation.responses[status]?.content ?? {});
        expect(contents, `${name} ${status}`).toHaveLength(1);
        expect(contents[0]?.schema, `${name} ${status}`).toBeDefined();
      }
    }
  });

  it('refers to nothing that it does not hold', async () => {
    const found = await document();
    const references = [...JSON.stringify(found).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(20);
    for (const [, name = ''] of references) expect(found.components.schemas).toHaveProperty(name);
  });

  it('lets only a new token out of all that is secret', async () => {
    const { paths, components } = await document();
    const withToken = Object.entries(components.schemas).filter(([, schema]) =>
      /"(?:token|value|password|secret)":\{"type":"string"/.test(JSON.stringify(schema)),
    );
    expect(withToken.map(([name]) => name).toSorted()).toEqual(['NewToken', 'SetSecret']);
    const answering = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { responses }]) =>
        /NewToken|SetSecret/.test(JSON.stringify(responses)) ? [`${method} ${path}`] : [],
      ),
    );
    expect(answering.toSorted()).toEqual(['post /api/v1/tokens', 'post /api/v1/tokens/{id}/rotate']);
  });
});
