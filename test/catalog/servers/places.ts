/** Servers whose key goes where few others have it: a query parameter, a wildcard host, Basic authentication. */
import type { CatalogServer } from '../catalog-server.ts';

export const otherPlaceServers: readonly CatalogServer[] = [
  {
    name: 'google-maps',
    credential: 'GOOGLE_MAPS_API_KEY',
    keyShape: 'AIza{alnum:35}',
    placeholder: /^AIza[A-Za-z0-9_-]{35}$/,
    call: { tool: 'maps_geocode', arguments: { address: '1 Castle Road' } },
    routes: [
      {
        host: 'maps.googleapis.com',
        method: 'GET',
        path: '/maps/api/geocode/json',
        answer: {
          status: 'OK',
          results: [
            {
              place_id: 'place1',
              formatted_address: '1 Castle Road, Fort {reflected}',
              geometry: { location: { lat: 1.5, lng: 2.5 } },
            },
          ],
        },
      },
    ],
    arrivals: [
      {
        host: 'maps.googleapis.com',
        method: 'GET',
        path: '/maps/api/geocode/json',
        places: [{ query: 'key' }],
      },
    ],
    resultShows: '1 Castle Road, Fort',
  },
  {
    name: 'pinecone',
    credential: 'PINECONE_API_KEY',
    keyShape: 'pcsk_{alnum:6}_{alnum:63}',
    placeholder: /^pcsk_[A-Za-z0-9]{6}_[A-Za-z0-9]{63}$/,
    call: { tool: 'list-indexes', arguments: {} },
    routes: [
      {
        host: 'api.pinecone.io',
        method: 'GET',
        path: '/indexes',
        answer: {
          indexes: [
            {
              name: 'gatehouse',
              dimension: 3,
              metric: 'cosine {reflected}',
              host: 'gatehouse-abc.svc.fort.pinecone.io',
              vector_type: 'dense',
              deletion_protection: 'disabled',
              spec: { serverless: { cloud: 'aws', region: 'us-east-1' } },
              status: { ready: true, state: 'Ready' },
            },
          ],
        },
      },
    ],
    arrivals: [
      {
        host: 'api.pinecone.io',
        method: 'GET',
        path: '/indexes',
        places: [{ header: 'api-key', form: '{key}' }],
      },
    ],
    resultShows: 'gatehouse',
  },
  {
    name: 'jira',
    manifest: 'test/catalog/manifests/jira.yaml',
    credential: 'ATLASSIAN_API_TOKEN',
    keyShape: 'ATATT3xFfGF0{alnum:180}',
    placeholder: /^ATATT3xFfGF0[A-Za-z0-9_-]{180}$/,
    call: { tool: 'jira_get', arguments: { path: '/rest/api/3/myself' } },
    routes: [
      {
        host: 'fort.atlassian.net',
        method: 'GET',
        path: '/rest/api/3/myself',
        answer: { accountId: '5', displayName: 'Gate Keeper {reflected}' },
      },
    ],
    arrivals: [
      {
        host: 'fort.atlassian.net',
        method: 'GET',
        path: '/rest/api/3/myself',
        places: [{ basic: 'password', other: 'keeper@example.com' }],
      },
    ],
    resultShows: 'Gate Keeper',
  },
];
