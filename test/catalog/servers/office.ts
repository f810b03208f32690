/** Servers for documents, messages, tasks and customers. */
import type { CatalogServer } from '../catalog-server.ts';
import { bearer } from './bearer.ts';

export const officeServers: readonly CatalogServer[] = [
  {
    name: 'slack',
    credential: 'SLACK_BOT_TOKEN',
    keyShape: 'xoxb-{digit:12}-{digit:13}-{alnum:24}',
    placeholder: /^xoxb-\d{12}-\d{13}-[A-Za-z0-9]{24}$/,
    call: { tool: 'slack_list_channels', arguments: { limit: 5 } },
    routes: [
      {
        host: 'slack.com',
        method: 'GET',
        path: '/api/conversations.list',
        answer: {
          ok: true,
          channels: [{ id: 'C1', name: 'gatehouse', topic: '{reflected}', is_archived: false }],
          response_metadata: { next_cursor: '' },
        },
      },
    ],
    arrivals: [{ host: 'slack.com', method: 'GET', path: '/api/conversations.list', places: [bearer] }],
    resultShows: 'gatehouse',
  },
  {
    name: 'notion',
    credential: 'NOTION_TOKEN',
    keyShape: 'ntn_{digit:11}{alnum:35}',
    placeholder: /^ntn_\d{11}[A-Za-z0-9]{35}$/,
    call: { tool: 'API-post-search', arguments: { query: 'gate' } },
    routes: [
      {
        host: 'api.notion.com',
        method: 'POST',
        path: '/v1/search',
        answer: {
          object: 'list',
          results: [
            { object: 'page', id: 'p1', url: 'https://www.notion.so/Gatehouse-rota', title: '{reflected}' },
          ],
          next_cursor: null,
          has_more: false,
        },
      },
    ],
    arrivals: [{ host: 'api.notion.com', method: 'POST', path: '/v1/search', places: [bearer] }],
    resultShows: 'Gatehouse-rota',
  },
  {
    name: 'airtable',
    credential: 'AIRTABLE_API_KEY',
    keyShape: 'pat{alnum:14}.{hex:64}',
    placeholder: /^pat[A-Za-z0-9]{14}\.[0-9a-f]{64}$/,
    call: { tool: 'list_bases', arguments: {} },
    routes: [
      {
        host: 'api.airtable.com',
        method: 'GET',
        path: '/v0/meta/bases',
        answer: { bases: [{ id: 'appGate', name: 'Gatehouse {reflected}', permissionLevel: 'read' }] },
      },
    ],
    arrivals: [{ host: 'api.airtable.com', method: 'GET', path: '/v0/meta/bases', places: [bearer] }],
    resultShows: 'Gatehouse',
  },
  {
    name: 'linear',
    credential: 'LINEAR_API_KEY',
    keyShape: 'lin_api_{alnum:40}',
    placeholder: /^lin_api_[A-Za-z0-9]{40}$/,
    call: { tool: 'linear_getViewer', arguments: {} },
    routes: [
      {
        host: 'api.linear.app',
        method: 'POST',
        path: '/graphql',
        answer: {
          data: {
            viewer: {
              id: 'u1',
              name: 'Gate Keeper {reflected}',
              email: 'keeper@example.com',
              displayName: 'keeper',
              active: true,
              createdAt: '2026-01-01T00:00:00Z',
              updatedAt: '2026-01-01T00:00:00Z',
            },
          },
        },
      },
    ],
    arrivals: [
      {
        host: 'api.linear.app',
        method: 'POST',
        path: '/graphql',
        places: [{ header: 'authorization', form: '{key}' }],
      },
    ],
    resultShows: 'Gate Keeper',
  },
  {
    name: 'resend',
    credential: 'RESEND_API_KEY',
    keyShape: 're_{alnum:8}_{alnum:24}',
    placeholder: /^re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}$/,
    call: { tool: 'list-domains', arguments: {} },
    routes: [
      {
        host: 'api.resend.com',
        method: 'GET',
        path: '/domains',
        answer: {
          object: 'list',
          has_more: false,
          data: [
            {
              id: 'd1',
              name: 'gate.example.com {reflected}',
              status: 'verified',
              created_at: '2026-01-01',
              region: 'eu-west-1',
            },
          ],
        },
      },
    ],
    arrivals: [{ host: 'api.resend.com', method: 'GET', path: '/domains', places: [bearer] }],
    resultShows: 'gate.example.com',
  },
  {
    name: 'hubspot',
    credential: 'PRIVATE_APP_ACCESS_TOKEN',
    keyShape: 'pat-na1-{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}',
    placeholder: /^pat-na1-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
    call: { tool: 'hubspot-get-user-details', arguments: {} },
    routes: [
      {
        host: 'api.hubspot.com',
        method: 'POST',
        path: '/oauth/v2/private-apps/get/access-token-info',
        answer: { userId: 11, hubId: 22, appId: 33, scopes: ['crm.objects.contacts.read'] },
      },
      {
        host: 'api.hubspot.com',
        method: 'GET',
        path: '/account-info/v3/details',
        answer: { portalId: 22, uiDomain: 'app.hubspot.com' },
      },
      {
        host: 'api.hubspot.com',
        method: 'GET',
        path: '/crm/v3/owners/11',
        answer: { id: '44', email: 'keeper@example.com', firstName: 'Gate', lastName: '{reflected}' },
      },
    ],
    arrivals: [
      {
        host: 'api.hubspot.com',
        method: 'POST',
        path: '/oauth/v2/private-apps/get/access-token-info',
        places: [bearer, { json: '/tokenKey' }],
      },
      { host: 'api.hubspot.com', method: 'GET', path: '/account-info/v3/details', places: [bearer] },
      { host: 'api.hubspot.com', method: 'GET', path: '/crm/v3/owners/11', places: [bearer] },
    ],
    resultShows: 'keeper@example.com',
  },
];
