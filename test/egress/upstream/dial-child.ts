/** Dials api.test on this machine, in a process with an environment of its own. Arguments: port, a file with an authority or none. Prints how it went. */
import { readFileSync } from 'node:fs';
import { Dialer } from '../../../src/egress/upstream/dial.ts';
import { Refusal } from '../../../src/egress/refusals.ts';

const [port = '', authority = ''] = process.argv.slice(2);
const extraCa = authority === '' ? [] : [readFileSync(authority, 'utf8')];
const config = { resolve: {}, extraCa, allowNetworks: ['127.0.0.0/8'] };
const dialer = new Dialer({ resolve: async () => ['127.0.0.1'] }, config, () => []);
const { signal } = new AbortController();
try {
  const { socket } = await dialer.dial(
    { scheme: 'https', host: 'api.test', port: Number(port) },
    { scope: 'one', protocols: ['http/1.1'], signal },
  );
  socket.destroy();
  process.stdout.write('connected');
} catch (error) {
  process.stdout.write(error instanceof Refusal ? error.code : String(error));
}
