/**
 * What an npm archive (gzipped tar) says of itself, without unpacking it anywhere. The bytes are untrusted: they are read
 * in the gateway, so only as far as the first `package.json`, within bounds, and nothing is ever executed or written.
 *
 * Of tar it reads what npm's own archives are made of: ustar headers, with pax headers and other types skipped over. A name
 * that needs an extension is not the one that is looked for.
 */
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { err, limits, ok, type Result } from '../../kernel/index.ts';
import { fieldsOf, type Fields } from './sources.ts';

const BLOCK = 512;
/** The folder that everything lies in has any name: npm takes off the first part of each path. */
const MANIFEST = /^(?:\.\/)?[^/]+\/package\.json$/;

/** @returns the archive's `package.json`, or what is wrong with the archive, in words */
export async function archiveManifest(path: string): Promise<Result<Fields, string>> {
  const source = createReadStream(path);
  const unzipped = source.pipe(createGunzip());
  source.on('error', (error) => unzipped.destroy(error));
  const reader = new ManifestReader();
  try {
    for await (const chunk of unzipped) {
      const outcome = reader.take(chunk as Buffer); // gunzip gives nothing else
      if (outcome !== null) return outcome;
    }
    return err('it holds no package.json');
  } catch {
    return err('it is not a gzipped tar archive, or it is damaged');
  } finally {
    source.destroy();
    unzipped.destroy();
  }
}

/** Takes an archive piece by piece. Holds one block, and the text of a `package.json` while it comes. */
class ManifestReader {
  #rest: Buffer = Buffer.alloc(0);
  #seen = 0;
  /** Bytes of the current entry, padding included, that are passed over. */
  #skip = 0;
  #wanted: { readonly size: number; readonly parts: Buffer[]; got: number } | null = null;

  /** @returns null while nothing is known yet */
  take(chunk: Buffer): Result<Fields, string> | null {
    this.#seen += chunk.length;
    if (this.#seen > limits.packageArchiveBytesMax) return err('it is too large');
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = Buffer.alloc(0);
    while (data.length > 0) {
      if (this.#wanted !== null) {
        const part = data.subarray(0, this.#wanted.size - this.#wanted.got);
        this.#wanted.parts.push(part);
        this.#wanted.got += part.length;
        if (this.#wanted.got === this.#wanted.size) return parsed(Buffer.concat(this.#wanted.parts));
        data = data.subarray(part.length);
      } else if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, data.length);
        this.#skip -= skipped;
        data = data.subarray(skipped);
      } else if (data.length < BLOCK) {
        this.#rest = data;
        return null;
      } else {
        const failure = this.#header(data.subarray(0, BLOCK));
        if (failure !== null) return err(failure);
        data = data.subarray(BLOCK);
      }
    }
    return null;
  }

  #header(block: Buffer): string | null {
    if (block.every((byte) => byte === 0)) return null;
    const size = Number.parseInt(text(block, 124, 12).trim() || '0', 8);
    if (!Number.isSafeInteger(size) || size < 0) return 'one of its entries has no size';
    const prefix = text(block, 257, 5) === 'ustar' ? text(block, 345, 155) : '';
    const name = prefix === '' ? text(block, 0, 100) : `${prefix}/${text(block, 0, 100)}`;
    const isFile = ['0', '', '7'].includes(text(block, 156, 1));
    if (isFile && MANIFEST.test(name)) {
      if (size === 0 || size > limits.packageManifestBytesMax)
        return 'its package.json is empty or too large';
      this.#wanted = { size, parts: [], got: 0 };
    } else this.#skip = Math.ceil(size / BLOCK) * BLOCK;
    return null;
  }
}

/** Up to the first NUL. */
function text(block: Buffer, start: number, length: number): string {
  const [found = ''] = block.toString('latin1', start, start + length).split('\0', 1);
  return found;
}

function parsed(bytes: Buffer): Result<Fields, string> {
  try {
    return ok(fieldsOf(JSON.parse(bytes.toString('utf8'))));
  } catch {
    return err('its package.json is not JSON');
  }
}
