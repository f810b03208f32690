/** Servers that search and read the web. */
import type { CatalogServer } from '../catalog-server.ts';
import { bearer } from './bearer.ts';

export const searchServers: readonly CatalogServer[] = [
  {
    name: 'tavily',
    credential: 'TAVILY_API_KEY',
    keyShape: 'tvly-{alnum:32}',
    placeholder: /^tvly-[A-Za-z0-9]{32}$/,
    call: { tool: 'tavily_search', arguments: { query: 'double doors of castles' } },
    routes: [
      {
        host: 'api.tavily.com',
        method: 'POST',
        path: '/search',
        answer: {
          query: 'double doors of castles',
          images: [],
          results: [
            {
              title: 'The sally port',
              url: 'https://example.com/sally',
              content: 'One door at a time. {reflected}',
              score: 0.9,
            },
          ],
          response_time: 0.4,
        },
      },
    ],
    arrivals: [
      { host: 'api.tavily.com', method: 'POST', path: '/search', places: [bearer, { json: '/api_key' }] },
    ],
    resultShows: 'The sally port',
  },
  {
    name: 'exa',
    credential: 'EXA_API_KEY',
    keyShape: '{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}',
    placeholder: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
    call: { tool: 'web_search_exa', arguments: { query: 'double doors of castles' } },
    routes: [
      {
        host: 'api.exa.ai',
        method: 'POST',
        path: '/search',
        answer: {
          requestId: 'r1',
          results: [
            {
              id: 'https://example.com/sally',
              title: 'The sally port',
              url: 'https://example.com/sally',
              text: 'One door at a time.',
              highlights: ['One door at a time. {reflected}'],
            },
          ],
        },
      },
    ],
    arrivals: [
      {
        host: 'api.exa.ai',
        method: 'POST',
        path: '/search',
        places: [{ header: 'x-api-key', form: '{key}' }],
      },
    ],
    resultShows: 'The sally port',
  },
  {
    name: 'brave-search',
    credential: 'BRAVE_API_KEY',
    keyShape: 'BSA{alnum:28}',
    placeholder: /^BSA[A-Za-z0-9]{28}$/,
    call: { tool: 'brave_web_search', arguments: { query: 'double doors of castles' } },
    routes: [
      {
        host: 'api.search.brave.com',
        method: 'GET',
        path: '/res/v1/web/search',
        answer: {
          type: 'search',
          web: {
            type: 'search',
            results: [
              {
                title: 'The sally port',
                url: 'https://example.com/sally',
                description: 'One door at a time. {reflected}',
              },
            ],
          },
        },
      },
    ],
    arrivals: [
      {
        host: 'api.search.brave.com',
        method: 'GET',
        path: '/res/v1/web/search',
        places: [{ header: 'x-subscription-token', form: '{key}' }],
      },
    ],
    resultShows: 'The sally port',
  },
  {
    name: 'perplexity',
    credential: 'PERPLEXITY_API_KEY',
    keyShape: 'pplx-{alnum:48}',
    placeholder: /^pplx-[A-Za-z0-9]{48}$/,
    call: { tool: 'perplexity_search', arguments: { query: 'double doors of castles' } },
    routes: [
      {
        host: 'api.perplexity.ai',
        method: 'POST',
        path: '/search',
        answer: {
          id: 's1',
          results: [
            {
              title: 'The sally port',
              url: 'https://example.com/sally',
              snippet: 'One door at a time. {reflected}',
            },
          ],
        },
      },
    ],
    arrivals: [{ host: 'api.perplexity.ai', method: 'POST', path: '/search', places: [bearer] }],
    resultShows: 'The sally port',
  },
  {
    name: 'firecrawl',
    credential: 'FIRECRAWL_API_KEY',
    keyShape: 'fc-{hex:32}',
    placeholder: /^fc-[0-9a-f]{32}$/,
    call: { tool: 'firecrawl_search', arguments: { query: 'double doors of castles' } },
    routes: [
      {
        host: 'api.firecrawl.dev',
        method: 'POST',
        path: '/v2/search',
        answer: {
          success: true,
          data: {
            web: [
              {
                url: 'https://example.com/sally',
                title: 'The sally port',
                description: 'One door at a time. {reflected}',
              },
            ],
          },
        },
      },
    ],
    arrivals: [{ host: 'api.firecrawl.dev', method: 'POST', path: '/v2/search', places: [bearer] }],
    resultShows: 'The sally port',
  },
];
