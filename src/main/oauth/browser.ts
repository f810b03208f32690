/** Shows an address to the person at this machine. It is on the screen too: that no browser opens is no failure. */
import { spawn } from 'node:child_process';

export function openBrowser(url: string): void {
  // As one word, and to a program that opens addresses: nothing of it is read by a shell.
  if (!/^https?:\/\//.test(url)) return;
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(program, [url], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}
