// The MCP Inspector's command line, one process for each method.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { report } from './report.mjs';

const manifest = createRequire(import.meta.url).resolve('@modelcontextprotocol/inspector/package.json');
const program = join(dirname(manifest), 'clients/launcher/build/index.js');

await report(async ({ url, token, command, args, env }) => {
  const folder = mkdtempSync(join(tmpdir(), 'inspector-'));
  const config = join(folder, 'mcp.json');
  const headers = { Authorization: `Bearer ${token}` };
  const server = url ? { type: 'streamable-http', url, headers } : { type: 'stdio', command, args, env };
  writeFileSync(config, JSON.stringify({ mcpServers: { gateway: server } }));
  const target = ['--config', config, '--server', 'gateway'];
  async function run(...words) {
    const { stdout } = await promisify(execFile)(process.execPath, [
      program,
      '--cli',
      ...target,
      ...words,
    ]).catch((error) => (error.stdout ? error : Promise.reject(error)));
    return JSON.parse(stdout);
  }
  return {
    tools: async () => (await run('--method', 'tools/list')).tools.map(({ name }) => name),
    call(name, given) {
      const pairs = Object.entries(given).flatMap(([key, value]) => ['--tool-arg', `${key}=${value}`]);
      return run('--method', 'tools/call', '--tool-name', name, ...pairs);
    },
    close: async () => rmSync(folder, { recursive: true }),
  };
});
