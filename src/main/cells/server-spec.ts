/** What the sandbox is asked for when a stored server is started: in one place, so that a plan shows what a launch does. */
import type { ServerRow } from '../../api/index.ts';
import type { CellId } from '../../kernel/index.ts';
import type { SandboxedServerSpec } from '../../manifest/index.ts';
import type { CellSpec, OpenedPackage } from '../../sandbox/index.ts';

export interface ServerCell {
  readonly id: CellId;
  readonly row: Pick<ServerRow, 'slug'>;
  readonly manifest: SandboxedServerSpec;
  /** Placeholders, and the values that the server is entrusted with. */
  readonly credentials: Readonly<Record<string, string>>;
  readonly installed: OpenedPackage | null;
  readonly ports: readonly number[];
  readonly caPem: string;
}

export function serverSpec({
  id,
  row,
  manifest,
  credentials,
  installed,
  ports,
  caPem,
}: ServerCell): CellSpec {
  return {
    id,
    label: row.slug,
    command: manifest.command,
    args: manifest.args,
    env: { ...manifest.env, ...credentials },
    tcpPorts: ports,
    caPem,
    files: manifest.files,
    limits: manifest.limits,
    ...(installed === null ? {} : { packageDir: installed.dir }),
  };
}
