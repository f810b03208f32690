/** `node stdio.ts both|session|stateless`: the everything server on this process's stdin and stdout. */
import { serveStdio, StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import { everythingServer } from './server.ts';

const era = process.argv[2];
if (era === 'session') await everythingServer(null).connect(new StdioServerTransport());
else serveStdio(() => everythingServer(null), { legacy: era === 'stateless' ? 'reject' : 'serve' });
