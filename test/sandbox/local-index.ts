/** A package index of Python's on this machine (PEP 503), and wheels to fill it with. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';
import { normalName } from '../../src/sandbox/packages/pypi-facts.ts';

export interface Archive {
  /** Name of the file. */
  readonly file: string;
  readonly bytes: Buffer;
}

export interface WheelInput {
  readonly name: string;
  readonly version: string;
  /** Path in the library folder to content. */
  readonly files?: Readonly<Record<string, string>>;
  /** Program to `module:function`. */
  readonly programs?: Readonly<Record<string, string>>;
  readonly requires?: readonly string[];
  readonly requiresPython?: string;
}

export function makeWheel({
  name,
  version,
  files = {},
  programs = {},
  requires = [],
  requiresPython,
}: WheelInput): Archive {
  const base = `${name.replaceAll(/[-.]+/g, '_')}-${version}`;
  const info = `${base}.dist-info`;
  const metadata = [
    'Metadata-Version: 2.1',
    `Name: ${name}`,
    `Version: ${version}`,
    ...(requiresPython === undefined ? [] : [`Requires-Python: ${requiresPython}`]),
    ...requires.map((one) => `Requires-Dist: ${one}`),
    '',
  ];
  const scripts = Object.entries(programs).map(([program, target]) => `${program} = ${target}`);
  const content: Record<string, string> = {
    ...files,
    [`${info}/METADATA`]: metadata.join('\n'),
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    ...(scripts.length === 0
      ? {}
      : { [`${info}/entry_points.txt`]: ['[console_scripts]', ...scripts, ''].join('\n') }),
  };
  const record = [...Object.keys(content).map((path) => `${path},,`), `${info}/RECORD,,`, ''].join('\n');
  return { file: `${base}-py3-none-any.whl`, bytes: zip({ ...content, [`${info}/RECORD`]: record }) };
}

/** An archive of sources, as pip takes it. @param files path below its folder to content */
export function makeSources(name: string, version: string, files: Readonly<Record<string, string>>): Archive {
  const base = `${name}-${version}`;
  const entries = Object.entries(files).map(([path, text]) => [`${base}/${path}`, text]);
  return { file: `${base}.zip`, bytes: zip(Object.fromEntries(entries)) };
}

/** A zip archive of files that are stored as they are. */
function zip(files: Readonly<Record<string, string>>): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [path, text] of Object.entries(files)) {
    const [name, data] = [Buffer.from(path), Buffer.from(text)];
    // Version 2.0, no flags, stored, 1980-01-01; then checksum, both sizes, length of the name, nothing extra.
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(0x21, 8);
    facts.writeUInt32LE(crc32(data), 10);
    facts.writeUInt32LE(data.length, 14);
    facts.writeUInt32LE(data.length, 18);
    facts.writeUInt16LE(name.length, 22);
    const entry = Buffer.concat([Buffer.from('PK\x03\x04'), facts, name, data]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(0o644 << 16, 6);
    rest.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03'), facts, rest, name]));
    local.push(entry);
    offset += entry.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(central.length, 4);
  end.writeUInt16LE(central.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...local, directory, Buffer.from('PK\x05\x06'), end]);
}

export interface LocalIndex {
  /** Ends with a slash. */
  readonly url: string;
  /** What was asked for, oldest first. */
  readonly paths: readonly string[];
  /** Puts an archive in, or others in the place of one with that name. */
  put(archive: Archive): void;
  close(): Promise<void>;
}

/**
 * @param answer changes what is sent, such as bytes that are not those of the hash
 * @param authorization what every request has to bring
 */
export async function startIndex(
  archives: readonly Archive[],
  answer: (path: string, body: Buffer) => Buffer | number = (_path, body) => body,
  authorization?: string,
): Promise<LocalIndex> {
  const files = new Map(archives.map((archive) => [archive.file, archive]));
  const paths: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '');
    paths.push(path);
    if (authorization !== undefined && request.headers.authorization !== authorization) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="index"' }).end();
      return;
    }
    const found = bodyOf(path, files);
    const sent = found === null ? 404 : answer(path, found);
    if (typeof sent === 'number') response.writeHead(sent).end();
    else
      response
        .writeHead(200, { 'content-type': path.endsWith('/') ? 'text/html' : 'application/zip' })
        .end(sent);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo; // a listening TCP server has an AddressInfo
  return {
    url: `http://127.0.0.1:${port}/simple/`,
    paths,
    put: (archive) => void files.set(archive.file, archive),
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function bodyOf(path: string, files: ReadonlyMap<string, Archive>): Buffer | null {
  const [, project] = /^\/simple\/([a-z0-9-]+)\/$/.exec(path) ?? [];
  if (project === undefined) return files.get(path.replace(/^\/files\//, ''))?.bytes ?? null;
  const links = [...files.values()]
    .filter(({ file }) => normalName(file.split('-', 1)[0] ?? '') === project)
    .map(({ file, bytes }) => {
      const hash = createHash('sha256').update(bytes).digest('hex');
      return `<a href="/files/${file}#sha256=${hash}">${file}</a>`;
    });
  return links.length === 0
    ? null
    : Buffer.from(`<!DOCTYPE html><html><body>${links.join('\n')}</body></html>`);
}
