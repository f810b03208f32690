/** What it takes to know a token again that was presented before: the part of the door that every request pays. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/kernel/index.ts';
import { initHome, loadConfig } from '../../src/main/index.ts';
import { openServices } from '../../src/main/services.ts';

const TIMES = 20_000;
const HERE = '127.0.0.1';

/** @returns milliseconds of the first time, and microseconds of each one after that */
export async function tokenVerification(): Promise<{ readonly firstMs: number; readonly againUs: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  const home = join(folder, 'home');
  mkdirSync(home, { mode: 0o700 });
  writeFileSync(join(home, 'sallyport.yaml'), 'listen: 127.0.0.1:0\n', { mode: 0o600 });
  const config = loadConfig({ ...process.env, SALLYPORT_HOME: home });
  await initHome(config);
  const services = await openServices(config, silentLog);
  try {
    const actor = { kind: 'local', id: '0' } as const;
    const caller = { workspace: services.workspace, actor };
    const { token } = await services.tokens.create(caller, { profile: 'default', agent: 'bench' });
    const presented = token.reveal();
    const timed = async (times: number): Promise<number> => {
      const before = performance.now();
      for (let time = 0; time < times; time += 1) await services.tokens.verify(presented, HERE);
      return performance.now() - before;
    };
    const firstMs = await timed(1);
    await timed(TIMES / 10);
    return { firstMs, againUs: ((await timed(TIMES)) / TIMES) * 1_000 };
  } finally {
    await services.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
