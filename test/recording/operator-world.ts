/** Sessions that are recorded in a real home, and an operator's terminal to look at them. */
import { DatabaseSync } from 'node:sqlite';
import type { CellId } from '../../src/kernel/index.ts';
import { operatorOf } from '../../src/main/front-ports.ts';
import type { Recordings } from '../../src/main/recording/session-recordings.ts';
import { databaseOf, makeWorld, manifest, type World } from '../api/world.ts';
import { makeTerminal, type Terminal } from '../cli/terminal.ts';
import { allowed, asked } from './world.ts';

type Tape = ReturnType<Recordings['recorder']['begin']>;

interface Shown {
  readonly calls: number;
  readonly lines: readonly { readonly kind: string; readonly text?: string; readonly ms: number }[];
  readonly checked: { readonly end: string; readonly faults: readonly { readonly code: string }[] };
}

export interface OperatorWorld {
  readonly world: World;
  readonly terminal: Terminal;
  /** A session in which these were said to a tool. @returns its id */
  readonly recorded: (texts: readonly string[], ends?: boolean) => Promise<string>;
  readonly show: (id: string) => Promise<Shown>;
  /** Changes the database behind the product's back. */
  readonly sql: (text: string, ...values: (string | number)[]) => void;
}

const line = (value: object): string => JSON.stringify({ jsonrpc: '2.0', ...value });

/** Says a text to a tool, which answers it. */
export async function sayTo(tape: Tape, id: number, text: string): Promise<void> {
  const params = { name: 'echo__say', arguments: { text } };
  const taped = tape.request({ text: line({ id, method: 'tools/call', params }) });
  await taped.judged(asked({ profile: 'default', args: JSON.stringify({ text }) }), allowed);
  taped.called({ call: `call_${id}`, cell: 'cell_1' as CellId, server: 'echo', tool: 'say' });
  taped.answered(line({ id, result: { content: [{ type: 'text', text: `said ${text}` }] } }));
}

export function beginAt(recordings: Recordings, workspace: World['services']['workspace']): Tape {
  const principal = operatorOf(workspace);
  return recordings.recorder.begin({ principal, profile: 'default', server: null, via: 'session' });
}

export async function operatorWorld(files: Readonly<Record<string, string>> = {}): Promise<OperatorWorld> {
  const world = await makeWorld();
  const terminal = makeTerminal(world, { './echo.json': manifest(), ...files });
  await terminal.run('server', 'add', './echo.json');
  return {
    world,
    terminal,
    async recorded(texts, ends = true) {
      const tape = beginAt(world.recordings, world.services.workspace);
      for (const [id, text] of texts.entries()) await sayTo(tape, id, text);
      if (ends) tape.hangUp();
      await world.recordings.flush();
      const [found] = (await terminal.json('session', 'list')) as { id: string }[];
      return found?.id ?? '';
    },
    show: async (id) => (await terminal.json('session', 'show', id)) as Shown,
    sql(text, ...values) {
      const database = new DatabaseSync(databaseOf(world));
      database.prepare(text).run(...values);
      database.close();
    },
  };
}
