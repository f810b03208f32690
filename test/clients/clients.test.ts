/**
 * Clients by others, each in a process of its own, against a gateway with the everything server in a cell: over
 * Streamable HTTP with a token, and over stdio through `sallyport stdio`; one server, and a whole profile.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EverythingGateway, everythingGateway } from '../conformance/targets.ts';

const PROGRAM = resolve(import.meta.dirname, '../../bin/sallyport.mjs');
const installed = existsSync(resolve(import.meta.dirname, 'node_modules/.sallyport-stamp'));

interface Answer {
  readonly isError?: boolean;
  readonly content: readonly { readonly type: string; readonly text?: string }[];
}

interface Report {
  readonly tools: readonly string[];
  readonly answers: readonly Answer[];
}

interface Call {
  readonly name: string;
  readonly given: object;
}

let gateway: EverythingGateway;
beforeAll(async () => {
  if (installed) gateway = await everythingGateway('both');
});
afterAll(() => gateway?.close());

/** @param server null: the whole profile */
const places = {
  'over HTTP': (server: string | null) => ({
    url: `${gateway.url}/mcp/default${server === null ? '' : `/${server}`}`,
    token: gateway.token,
  }),
  'over stdio': (server: string | null) => ({
    command: process.execPath,
    args: [PROGRAM, 'stdio', ...(server === null ? [] : ['--server', server])],
    env: { PATH: process.env['PATH'] ?? '', SALLYPORT_HOME: gateway.home },
  }),
};

async function drive(driver: string, place: object, calls: readonly Call[]): Promise<Report> {
  const file = resolve(import.meta.dirname, `drivers/${driver}.mjs`);
  const { stdout } = await promisify(execFile)(process.execPath, [file, JSON.stringify({ place, calls })]);
  return JSON.parse(stdout) as Report;
}

const CALLS: readonly Call[] = [
  { name: 'test_simple_text', given: {} },
  { name: 'test_error_handling', given: {} },
];
const CLIENTS = [
  ['SDK v1', 'sdk-v1', {}],
  ['SDK v1 with the transport of 2024-11-05', 'sdk-v1', { sse: true }],
  ['SDK v2 in a session', 'sdk-v2', { mode: 'legacy' }],
  ['SDK v2 without a session', 'sdk-v2', { mode: { pin: '2026-07-28' } }],
  ['SDK v2 that finds out', 'sdk-v2', { mode: 'auto' }],
  ["Inspector's command line", 'inspector', {}],
  ['AI SDK', 'ai-sdk', {}],
  ['LangChain', 'langchain', {}],
] as const;

/* Waits for `scripts/setup-clients`: 300 MB that nothing else needs. */
describe.runIf(installed)('a client by others', { timeout: 60_000 }, () => {
  for (const [how, place] of Object.entries(places)) {
    const clients = CLIENTS.filter(([, , options]) => how === 'over HTTP' || !('sse' in options));
    it.each(clients)(`%s ${how}: one server`, async (_name, driver, options) => {
      const { tools, answers } = await drive(driver, { ...place('everything'), ...options }, CALLS);
      expect(tools).toContain('test_simple_text');
      expect(tools).toContain('json_schema_2020_12_tool');
      expectAnswers(answers);
    });

    it.each(clients)(`%s ${how}: a whole profile`, async (_name, driver, options) => {
      const calls = CALLS.map(({ name, given }) => ({ name: `everything__${name}`, given }));
      const { tools, answers } = await drive(driver, { ...place(null), ...options }, calls);
      expect(tools).toContain('everything__test_simple_text');
      expectAnswers(answers);
    });
  }

  it.each(CLIENTS.filter(([, driver]) => driver.startsWith('sdk')))(
    '%s is asked for its model during a call',
    async (_name, driver, options) => {
      const calls = [{ name: 'test_sampling', given: { prompt: 'Well?' } }];
      const { answers } = await drive(driver, { ...places['over HTTP']('everything'), ...options }, calls);
      expect(answers[0]?.content).toMatchObject([{ type: 'text', text: 'LLM response: as sampled' }]);
    },
  );
});

function expectAnswers([text, failed]: readonly Answer[]): void {
  expect(text).toMatchObject({ content: [{ text: 'This is a simple text response for testing.' }] });
  expect(failed).toMatchObject({ isError: true });
  expect(failed?.content[0]?.text).toContain('This tool intentionally returns an error for testing');
}
