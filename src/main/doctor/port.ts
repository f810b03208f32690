/** Whether an address can be listened on. */
import { createServer } from 'node:net';
import type { Check } from '../../cli/index.ts';

/** @param setting that names the address */
export function checkPort(
  name: string,
  { host, port }: { readonly host: string; readonly port: number },
  setting: string,
): Promise<Check> {
  const check = `${name} ${host}:${port}`;
  return new Promise((done) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? 'not available';
      done({ name: check, ok: false, found: code, fix: portFix(code, port, setting) });
    });
    server.listen(port, host, () => server.close(() => done({ name: check, ok: true, found: 'free' })));
  });
}

export function portFix(code: string, port: number, setting: string): string {
  const other = `set another address: ${setting}`;
  switch (code) {
    case 'EADDRINUSE':
      return `Something else listens there (ss -ltnp 'sport = :${port}' says what): end it, or ${other}`;
    case 'EACCES':
      return `Ports below 1024 are for root: ${other}`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `This machine has no such address (ip address): ${other}`;
    default:
      return `S${other.slice(1)}`;
  }
}
