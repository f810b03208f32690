/** What `server add` reads and takes for servers that are HTTP APIs. */
import { dirname, join } from 'node:path';
import type { AddServer } from '../../api/index.ts';
import { listOption, type Options, textOption } from '../command.ts';
import type { CliHost } from '../host.ts';

/** The text of a file, and of the one beside it that its tools are described in: the gateway may run elsewhere. */
export async function fileSource(
  host: Pick<CliHost, 'readFile'>,
  source: string,
): Promise<Pick<AddServer, 'manifest' | 'documents'>> {
  const manifest = await host.readFile(source);
  // What reads manifests is loaded where there is one.
  const { documentBeside } = await import('../../api/index.ts');
  const name = documentBeside(manifest, source);
  if (name === null) return { manifest };
  return { manifest, documents: { [name]: await host.readFile(join(dirname(source), name)) } };
}

export function apiChoices(options: Options): Pick<AddServer, 'baseUrl' | 'tags'> {
  const baseUrl = textOption(options, 'baseUrl');
  const tags = listOption(options, 'tag');
  return { ...(baseUrl === undefined ? {} : { baseUrl }), ...(tags.length === 0 ? {} : { tags: [...tags] }) };
}
