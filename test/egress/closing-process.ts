/** A process in which an egress is closed in the middle of everything. Tells what kept it alive before and after, and ends. */
import { setImmediate } from 'node:timers/promises';
import { API, apiRule, httpsUpstream, rawUpstream, readAll, silentUpstream, World } from './world.ts';

/** Sockets and timers that keep the process alive; the channel to the parent is not among them. */
const alive = (): string[] =>
  process.getActiveResourcesInfo().filter((kind) => /TCP|UDP|TLS|Timeout|GetAddrInfo/.test(kind));

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await setImmediate();
};

const answering = await rawUpstream((socket) => {
  socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'));
});
const silent = await silentUpstream();
const idle = await httpsUpstream((_request, response) => response.end('ok'), 'idle.test');
const world = await World.open({
  rules: [API, 'silent.test', 'idle.test', 'unresolved.test'].map((host) => apiRule({ host })),
  upstreams: { 'api.test:443': answering, 'silent.test:443': silent, 'idle.test:443': idle },
  resolver: { resolve: () => new Promise(() => undefined) },
});
await world.request({ host: 'idle.test' });
const clients = [await world.connectTcp(API, 443)]; // one that says nothing
for (const host of [API, 'silent.test', 'unresolved.test']) {
  const client = await world.connectTls(host);
  client.write(`POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
  clients.push(client);
}
const cut = clients.map((client) => readAll(client));
await until(() => answering.connections.length + silent.connections.length === 2);
await until(() => world.events.filter(({ type }) => type === 'egress.request').length === 4);
const during = alive();
await world.close();
await Promise.all(cut);
for (let turn = 0; turn < 1_000 && alive().length > 0; turn += 1) await setImmediate();
process.send?.([during, alive()]);
process.disconnect();
