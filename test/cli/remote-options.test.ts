/** What `server add` takes for an address, and for nothing else. */
import { expect, it } from 'vitest';
import { remoteChoices } from '../../src/cli/commands/remote-options.ts';

const ADDRESS = 'https://mcp.example.com/mcp';

it.each([
  [{}, {}],
  [{ secret: 'K' }, { credential: 'K' }],
  [{ header: 'X-Key' }, { place: { header: 'X-Key', format: '{token}' } }],
  [{ bearer: true }, { place: { header: 'Authorization', format: 'Bearer {token}' } }],
  [
    { query: 'k', secret: 'K' },
    { credential: 'K', place: { query: 'k' } },
  ],
])('%j are understood', (options, choices) => {
  expect(remoteChoices(ADDRESS, options)).toEqual(choices);
});

it.each([
  [ADDRESS, { bearer: true, query: 'k' }, 'Give one of --header, --bearer and --query.'],
  [ADDRESS, { bearer: true, header: 'X-Key' }, 'Give one of --header, --bearer and --query.'],
  ['npm:server', { bearer: true }, 'Which credentials this server gets is said by its manifest.'],
  ['github', { secret: 'K' }, 'Which credentials this server gets is said by its manifest.'],
  ['./it.yaml', { query: 'k' }, 'Which credentials this server gets is said by its manifest.'],
])('for %s %j are a mistake', (source, options, message) => {
  expect(() => remoteChoices(source, options)).toThrow(
    expect.objectContaining({ code: 'cli_usage', message }),
  );
});
