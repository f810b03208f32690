/**
 * The hosts file: names that the machine's owner fixed, ahead of DNS. It is read again when it has changed, and at
 * most once per interval is that looked at. A line that is no plain address and names is skipped, as it is everywhere.
 */
import { readFile, stat } from 'node:fs/promises';
import { type Clock, limits } from '../../kernel/index.ts';
import { canonicalAddress, parseHostname } from '../../wire/index.ts';

const HOSTS_PATH = '/etc/hosts';
const NONE: readonly string[] = [];

/** Addresses by canonical name, in the file's order. */
export function parseHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [addressText = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const address = canonicalAddress(addressText);
    if (address === null) continue;
    for (const name of names) {
      const parsed = parseHostname(name);
      if (!parsed.ok) continue;
      const addresses = found.get(parsed.value);
      if (addresses === undefined) found.set(parsed.value, [address]);
      else if (!addresses.includes(address)) addresses.push(address);
    }
  }
  return found;
}

export class HostsFile {
  readonly #clock: Clock;
  readonly #path: string;
  #names: ReadonlyMap<string, readonly string[]> = new Map();
  /** Which state of the file `#names` is of; empty when there is no file. */
  #version = '';
  #lookedAt = -Infinity;
  /** While it is being looked at, all wait for the same look. */
  #looking: Promise<void> | null = null;

  /** @param path another file, for tests */
  constructor(clock: Clock, path = HOSTS_PATH) {
    this.#clock = clock;
    this.#path = path;
  }

  /** @param name canonical */
  async addresses(name: string): Promise<readonly string[]> {
    if (this.#clock.monotonic() - this.#lookedAt >= limits.resolverHostsCheckMs) {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = null;
      });
      await this.#looking;
    }
    return this.#names.get(name) ?? NONE;
  }

  /** What cannot be read now stays as it was, and is tried again with the next question: it is there all the same. */
  async #look(): Promise<void> {
    const version = await this.#stat();
    if (version !== this.#version) {
      const names = await this.#read(version);
      if (names === null) return;
      this.#names = names;
      this.#version = version;
    }
    this.#lookedAt = this.#clock.monotonic();
  }

  /** Null where it cannot be. */
  async #read(version: string): Promise<ReadonlyMap<string, readonly string[]> | null> {
    if (version === '') return new Map();
    try {
      return parseHosts(await readFile(this.#path, 'utf8'));
    } catch {
      return null;
    }
  }

  async #stat(): Promise<string> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path);
      return size > limits.resolverHostsBytesMax ? '' : `${ino} ${size} ${mtimeMs}`;
    } catch {
      return '';
    }
  }
}
