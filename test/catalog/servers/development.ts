/** Servers for code, errors and infrastructure. */
import type { CatalogServer } from '../catalog-server.ts';
import { bearer } from './bearer.ts';

export const developmentServers: readonly CatalogServer[] = [
  {
    name: 'github',
    credential: 'GITHUB_PERSONAL_ACCESS_TOKEN',
    keyShape: 'ghp_{alnum:36}',
    placeholder: /^ghp_[A-Za-z0-9]{36}$/,
    call: { tool: 'search_repositories', arguments: { query: 'sallyport' } },
    routes: [
      {
        host: 'api.github.com',
        method: 'GET',
        path: '/search/repositories',
        answer: {
          total_count: 1,
          incomplete_results: false,
          items: [
            {
              id: 1,
              node_id: 'R_1',
              name: 'sally',
              full_name: 'fort/sally',
              private: false,
              owner: {
                login: 'fort',
                id: 2,
                node_id: 'U_2',
                avatar_url: 'https://example.com/a.png',
                url: 'https://api.github.com/users/fort',
                html_url: 'https://github.com/fort',
                type: 'User',
              },
              html_url: 'https://github.com/fort/sally',
              description: 'One door at a time. {reflected}',
              fork: false,
              url: 'https://api.github.com/repos/fort/sally',
              created_at: '2026-01-01T00:00:00Z',
              updated_at: '2026-01-01T00:00:00Z',
              pushed_at: '2026-01-01T00:00:00Z',
              git_url: 'git://github.com/fort/sally.git',
              ssh_url: 'git@github.com:fort/sally.git',
              clone_url: 'https://github.com/fort/sally.git',
              default_branch: 'main',
            },
          ],
        },
      },
    ],
    arrivals: [{ host: 'api.github.com', method: 'GET', path: '/search/repositories', places: [bearer] }],
    resultShows: 'fort/sally',
  },
  {
    name: 'gitlab',
    credential: 'GITLAB_PERSONAL_ACCESS_TOKEN',
    keyShape: 'glpat-{alnum:20}',
    placeholder: /^glpat-[A-Za-z0-9_-]{20}$/,
    call: { tool: 'search_repositories', arguments: { search: 'sallyport' } },
    routes: [
      {
        host: 'gitlab.com',
        method: 'GET',
        path: '/api/v4/projects',
        headers: { 'x-total': '1', 'x-total-pages': '1' },
        answer: [
          {
            id: 7,
            name: 'sally',
            path: 'sally',
            path_with_namespace: 'fort/sally',
            visibility: 'public',
            description: 'One door at a time. {reflected}',
            web_url: 'https://gitlab.com/fort/sally',
            default_branch: 'main',
            created_at: '2026-01-01T00:00:00Z',
            last_activity_at: '2026-01-01T00:00:00Z',
          },
        ],
      },
    ],
    arrivals: [{ host: 'gitlab.com', method: 'GET', path: '/api/v4/projects', places: [bearer] }],
    resultShows: 'fort/sally',
  },
  {
    name: 'sentry',
    credential: 'SENTRY_ACCESS_TOKEN',
    keyShape: 'sntryu_{hex:64}',
    placeholder: /^sntryu_[0-9a-f]{64}$/,
    call: {
      tool: 'find_projects',
      arguments: { organizationSlug: 'fort', regionUrl: 'https://us.sentry.io' },
    },
    routes: [
      {
        host: 'us.sentry.io',
        method: 'GET',
        path: '/api/0/organizations/fort/projects/',
        answer: [{ id: '1', slug: 'gatehouse', name: 'Gatehouse {reflected}', platform: 'node' }],
      },
    ],
    arrivals: [
      { host: 'us.sentry.io', method: 'GET', path: '/api/0/organizations/fort/projects/', places: [bearer] },
    ],
    resultShows: 'gatehouse',
  },
  {
    name: 'supabase',
    credential: 'SUPABASE_ACCESS_TOKEN',
    keyShape: 'sbp_{hex:40}',
    placeholder: /^sbp_[0-9a-f]{40}$/,
    call: { tool: 'list_organizations', arguments: {} },
    routes: [
      {
        host: 'api.supabase.com',
        method: 'GET',
        path: '/v1/organizations',
        answer: [{ id: 'org1', slug: 'fort', name: 'The fort {reflected}' }],
      },
      {
        host: 'supabase.com',
        method: 'GET',
        path: '/docs/api/graphql',
        answer: { data: { schema: 'type Query { searchDocs(query: String!, limit: Int): String }' } },
      },
    ],
    arrivals: [{ host: 'api.supabase.com', method: 'GET', path: '/v1/organizations', places: [bearer] }],
    resultShows: 'The fort',
  },
  {
    name: 'figma',
    credential: 'FIGMA_API_KEY',
    keyShape: 'figd_{alnum:40}',
    placeholder: /^figd_[A-Za-z0-9_-]{40}$/,
    call: { tool: 'get_figma_data', arguments: { fileKey: 'abc123' } },
    routes: [
      {
        host: 'api.figma.com',
        method: 'GET',
        path: '/v1/files/abc123',
        answer: {
          name: 'Gate plan',
          lastModified: '2026-01-01T00:00:00Z',
          thumbnailUrl: '',
          version: '1',
          role: 'viewer',
          editorType: 'figma',
          document: {
            id: '0:0',
            name: 'Document',
            type: 'DOCUMENT',
            children: [{ id: '0:1', name: 'Outer gate {reflected}', type: 'CANVAS', children: [] }],
          },
          components: {},
          componentSets: {},
          schemaVersion: 0,
          styles: {},
        },
      },
    ],
    arrivals: [
      {
        host: 'api.figma.com',
        method: 'GET',
        path: '/v1/files/abc123',
        places: [{ header: 'x-figma-token', form: '{key}' }],
      },
    ],
    resultShows: 'Gate plan',
  },
];
