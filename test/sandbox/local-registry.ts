/** A package registry on loopback with packages made up by the test, as npm talks to one. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

interface MadePackage {
  readonly name: string;
  readonly version: string;
  /** Further fields of its `package.json`. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Path within the package to text. */
  readonly files?: Readonly<Record<string, string>>;
  /** Further entries of the archive, as they are: for what no well-meaning tool would write. */
  readonly entries?: readonly TarEntry[];
}

interface TarEntry {
  /** Whole path in the archive. */
  readonly path: string;
  readonly text?: string;
  /** One of tar's types: `0` file, `1` hard link, `2` symbolic link, `3` device, `6` pipe. */
  readonly type?: string;
  readonly target?: string;
  /** Octal. */
  readonly mode?: string;
}

export interface LocalRegistry {
  readonly url: string;
  /** Paths asked for, in order. */
  readonly requests: readonly string[];
  publish(made: MadePackage): void;
  close(): void;
}

export async function startRegistry(): Promise<LocalRegistry> {
  const documents = new Map<string, { versions: Record<string, unknown>; latest: string }>();
  const tarballs = new Map<string, Buffer>();
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '');
    requests.push(path);
    const tarball = tarballs.get(path);
    if (tarball !== undefined) {
      response.end(tarball);
      return;
    }
    const document = documents.get(path.slice(1));
    if (document === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"Not found"}');
      return;
    }
    const body = {
      name: path.slice(1),
      'dist-tags': { latest: document.latest },
      versions: document.versions,
    };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP listener has one

  return {
    url,
    requests,
    publish({ name, version, fields = {}, files = {}, entries = [] }) {
      const manifest = { name, version, ...fields };
      const texts = Object.entries({ 'package.json': JSON.stringify(manifest), ...files });
      const tarball = pack([...texts.map(([path, text]) => ({ path: `package/${path}`, text })), ...entries]);
      const path = `/${name}/-/${version}.tgz`;
      tarballs.set(path, tarball);
      const scripts = Object.keys(fields['scripts'] ?? {});
      const entry = {
        ...manifest,
        ...(scripts.some((script) => script.endsWith('install')) ? { hasInstallScript: true } : {}),
        dist: {
          tarball: `${url}${path}`,
          integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
        },
      };
      const versions = { ...documents.get(name)?.versions, [version]: entry };
      documents.set(name, { versions, latest: version });
    },
    close: () => server.close(),
  };
}

/** A gzipped tar archive (ustar). */
function pack(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap(({ path, text = '', type = '0', target = '', mode = '0000644' }) => {
    const content = Buffer.from(text);
    const header = Buffer.alloc(512);
    header.write(path, 0);
    header.write(`${mode}\0`, 100);
    header.write('0000000\0', 108);
    header.write('0000000\0', 116);
    header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write(`        ${type}`, 148);
    header.write(target, 157);
    header.write('ustar\u000000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}
