/** `node stdio.ts both|session|stateless`: the everything server on this process's stdin and stdout. */
import { serveStdio, StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import { everythingServer } from './server.ts';

const wanted = process.argv[2];
if (wanted === 'session') await everythingServer('legacy', null).connect(new StdioServerTransport());
else
  serveStdio(({ era }) => everythingServer(era, null), {
    legacy: wanted === 'stateless' ? 'reject' : 'serve',
  });
