/** A process to be killed: puts values in a loop and says on its standard output which ones were acknowledged. */
import { writeSync } from 'node:fs';
import { Secret, type ServerId, type WorkspaceId } from '../../src/kernel/index.ts';
import { openProcess } from './installation.ts';

const [directory, workspace, server, start] = process.argv.slice(2);
if (directory === undefined || workspace === undefined || server === undefined || start === undefined) {
  throw new Error('usage: putting-child DIRECTORY WORKSPACE SERVER START');
}

const { vault } = await openProcess(directory, workspace as WorkspaceId);
const caller = { workspace: workspace as WorkspaceId, actor: { kind: 'local', id: '0' } } as const;

/** Several slots at once, so that some are always under way when the end comes. */
async function putAll(slot: number): Promise<never> {
  for (let count = Number(start); ; count += 1) {
    const ref = { server: server as ServerId, serverSlug: 'github', name: `NAME_${slot}`, owner: null };
    await vault.put(caller, ref, Secret.fromString(`value ${count}`));
    const opened = await vault.use(caller, ref, { kind: 'inject', data: { count } });
    writeSync(1, `${slot} ${opened.reveal()}\n`);
    opened.destroy();
  }
}

await Promise.all([0, 1, 2, 3].map(putAll));
