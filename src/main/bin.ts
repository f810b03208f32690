/** The program `sallyport`. */
import { run } from '../cli/index.ts';
import { processHost } from './process.ts';

// A reader that goes away early (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
});
// To Node this signal is a request for a debugger, which reads and changes everything in memory, at an open port.
process.on('SIGUSR1', () => undefined);
const code = await run(processHost(process.env), process.argv.slice(2));
// What a command was interrupted in may still be going on; what it printed must get out.
process.stdout.write('', () => process.exit(code));
