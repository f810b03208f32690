// What HTTP costs by itself: a server on a free port of loopback that writes each request's body to the echo server, as it
// came, and answers with its next line. It checks nothing. Tells its parent where it is.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const child = spawn(process.execPath, [fileURLToPath(new URL('echo-server.mjs', import.meta.url))], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const waiting = [];
createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(line));
const server = createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  res.setHeader('content-type', 'application/json');
  if (!text.includes('"id"')) res.writeHead(202).end();
  else waiting.push((line) => res.end(line));
  child.stdin.write(`${text}\n`);
});
// Others have their turns in between.
server.keepAliveTimeout = 600_000;
server.listen(0, '127.0.0.1', () => {
  process.send({ url: `http://127.0.0.1:${server.address().port}`, socket: '', token: '' });
});
process.once('disconnect', () => {
  child.kill();
  process.exit(0);
});
