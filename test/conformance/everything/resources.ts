/** Resources of the everything server, one of them watched. */
import { type McpServer, ResourceTemplate } from '@modelcontextprotocol/server';
import { PNG } from './contents.ts';
import type { Announce, ServedEra } from './server.ts';

const WATCHED = 'test://watched-resource';

/** @returns changes the watched resource and tells whoever watches it */
export function addResources(server: McpServer, era: ServedEra, announce: Announce | null): () => void {
  const fixed = (name: string, uri: string, mimeType: string, content: { text: string } | { blob: string }) =>
    server.registerResource(name, uri, { description: name, mimeType }, () => ({
      contents: [{ uri, mimeType, ...content }],
    }));
  fixed('static text', 'test://static-text', 'text/plain', {
    text: 'This is the content of the static text resource.',
  });
  fixed('static binary', 'test://static-binary', 'image/png', { blob: PNG });
  let version = 0;
  server.registerResource('watched', WATCHED, { description: 'Changes.', mimeType: 'text/plain' }, () => ({
    contents: [{ uri: WATCHED, mimeType: 'text/plain', text: `version ${version}` }],
  }));
  const template = new ResourceTemplate('test://template/{id}/data', {
    list: undefined,
    complete: { id: (start) => ['123', '124', '200'].filter((id) => id.startsWith(start)) },
  });
  server.registerResource(
    'template',
    template,
    { description: 'By id.', mimeType: 'application/json' },
    (uri, { id }) => ({
      contents: [
        {
          uri: uri.href,
          mimeType: 'application/json',
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }),
        },
      ],
    }),
  );

  const watched = new Set<string>();
  server.server.setRequestHandler('resources/subscribe', ({ params }) => {
    watched.add(params.uri);
    return {};
  });
  server.server.setRequestHandler('resources/unsubscribe', ({ params }) => {
    watched.delete(params.uri);
    return {};
  });
  return () => {
    version += 1;
    announce?.resourceUpdated(WATCHED);
    // Without sessions the SDK knows who listens for what.
    if (announce === null && (era === 'modern' || watched.has(WATCHED)))
      void server.server.sendResourceUpdated({ uri: WATCHED });
  };
}
