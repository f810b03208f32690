/**
 * From what a user names to a manifest and an installed package: which kind of source it is, and what holds for all of them.
 * What each is has a file of its own.
 */
import { AppError } from '../kernel/index.ts';
import type { Manifest, SandboxedServerSpec } from '../manifest/index.ts';
import { fromCatalog } from './catalog-source.ts';
import { complete } from './checked-manifest.ts';
import type { ApiDeps } from './deps.ts';
import { documentOf, fromDescription, isDescription } from './document-source.ts';
import { fromPackage, packageOptions } from './package-source.ts';
import { type Follower, installPackage } from './packages.ts';
import type { PackageRecord, ServerDocument } from './ports.ts';
import type { AddServer } from './server-schemas.ts';
import { fromAddress } from './remote-source.ts';
import { fromText } from './text-source.ts';

const PACKAGE_SOURCE = /^(?:npm|pypi):/;
const ADDRESS_SOURCE = /^https?:/;

/** @throws AppError `server_exists` */
export async function assertFree(
  deps: Pick<ApiDeps, 'servers' | 'workspace'>,
  slug: string,
  source: string,
): Promise<void> {
  if ((await deps.servers.find(deps.workspace, slug)) === null) return;
  throw new AppError('server_exists', `There is already a server \`${slug}\`.`, {
    kind: 'conflict',
    hint: `Give this one another name: \`sallyport server add ${source} --name ${slug}-2\`, or remove that one first.`,
  });
}

interface Resolved {
  readonly manifest: Manifest;
  readonly pinned: PackageRecord | null;
  readonly document: ServerDocument | null;
  /** What whoever adds it should know. */
  readonly notes?: readonly string[];
}

/** Finds or makes the manifest that a source stands for, and installs its package. @throws AppError */
export async function resolveSource(deps: ApiDeps, input: AddServer, follower: Follower): Promise<Resolved> {
  if (input.name !== undefined) await assertFree(deps, input.name, input.source);
  if (input.manifest !== undefined || !ADDRESS_SOURCE.test(input.source)) assertNone(input, ADDRESS_CHOICES);
  if (input.manifest === undefined && PACKAGE_SOURCE.test(input.source)) {
    return { ...(await fromPackage(deps, input, follower)), document: null };
  }
  const isDescribed = input.manifest !== undefined && isDescription(input.manifest);
  if (!isDescribed) assertNone(input, DESCRIPTION_CHOICES);
  if (input.manifest !== undefined && isDescribed) {
    assertNone(input, PACKAGE_CHOICES);
    const described = await fromDescription(input.manifest, { input, apis: deps.apis });
    return { ...described, pinned: null };
  }
  const manifest = await manifestFor(deps, input);
  const { server } = manifest;
  if (server.kind === 'api') {
    assertNone(input, PACKAGE_CHOICES);
    if (input.name === undefined) await assertFree(deps, manifest.name, input.source);
    const wish = { input, apis: deps.apis, documents: deps.documents, follower };
    const described = await documentOf({ ...manifest, server }, input.name ?? manifest.name, wish);
    return { manifest, pinned: null, ...described };
  }
  if (server.kind === 'remote') {
    if (input.name === undefined) await assertFree(deps, manifest.name, input.source);
    assertNone(input, PACKAGE_CHOICES);
    return { manifest, pinned: null, document: null };
  }
  // Before the package is fetched, which takes a while.
  if (input.name === undefined) await assertFree(deps, manifest.name, input.source);
  return withPackage(deps, { manifest, server }, input, follower);
}

async function manifestFor(deps: ApiDeps, input: AddServer): Promise<Manifest> {
  if (input.manifest !== undefined) return fromText(input.manifest, input.source, input.documents);
  return ADDRESS_SOURCE.test(input.source) ? fromAddress(input) : fromCatalog(deps, input.source);
}

/** Which credential it gets, and where: only for an address. */
const ADDRESS_CHOICES = { credential: '--secret', place: '--header, --bearer or --query' } as const;
/** What is only for an OpenAPI document, or a toolspec, without a manifest. */
const DESCRIPTION_CHOICES = { baseUrl: '--base-url', tags: '--tag' } as const;
/** What is only for programs in cells. */
const PACKAGE_CHOICES = { env: '--env', allowScripts: '--allow-scripts', from: '--from' } as const;

/** An option that nothing would come of is a mistake. @throws AppError `server_option_unsupported` */
function assertNone(input: AddServer, options: Partial<Record<keyof AddServer, string>>): void {
  for (const [key, option] of Object.entries(options)) {
    if (!Object.entries(input).some(([name, value]) => name === key && value !== undefined)) continue;
    throw new AppError('server_option_unsupported', `${option} means nothing for this kind of source.`, {
      kind: 'invalid',
      hint: hintFor(key),
    });
  }
}

function hintFor(choice: string): string {
  if (choice in DESCRIPTION_CHOICES)
    return 'It is for an OpenAPI document without a manifest; a manifest says it itself.';
  return choice in ADDRESS_CHOICES
    ? 'It is for https:// sources; a manifest says it itself.'
    : 'It is for programs that run in cells.';
}

/** The settings that were given besides the manifest, and the package that it names. */
async function withPackage(
  deps: ApiDeps,
  { manifest, server }: { readonly manifest: Manifest; readonly server: SandboxedServerSpec },
  input: AddServer,
  follower: Follower,
): Promise<Resolved> {
  const withEnv: Manifest =
    input.env === undefined
      ? manifest
      : complete({ ...manifest, server: { ...server, env: { ...server.env, ...input.env } } });
  const spec = server.package;
  const options = packageOptions(input);
  if (spec === undefined) {
    if (Object.keys(options).length === 0) return { manifest: withEnv, pinned: null, document: null };
    throw new AppError('server_without_package', `\`${manifest.name}\` does not come from a package.`, {
      kind: 'invalid',
      hint: 'Leave out --allow-scripts and --from: there is nothing to install.',
    });
  }
  const pinned = await installPackage(deps, { spec, options }, follower);
  return { manifest: withEnv, pinned, document: null };
}
