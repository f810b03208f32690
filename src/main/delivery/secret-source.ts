/**
 * Secrets of deliveries, as the settings name them: `vault:NAME`, set by `sallyport receiver set`, or a file of the owner's.
 * Files are read each time. A value of the vault is kept for some seconds: one message asks for it several times, and
 * whoever sends forged ones to an open door must not fill the log with its being looked at.
 */
import { type Clock, limits, type Secret } from '../../kernel/index.ts';
import { inHome, readSecretFile } from './secret-file.ts';

export interface SecretSource {
  /** @returns the caller's own. @throws AppError `delivery_secret_*`, and the vault's */
  read(place: string): Promise<Secret>;
}

export interface SecretSourceDeps {
  readonly home: string;
  /** Opens a value of the vault, which is on record. */
  readonly open: (name: string) => Promise<Secret>;
  readonly clock: Pick<Clock, 'monotonic'>;
}

export interface ClosableSecretSource extends SecretSource {
  /** Forgets what it knows. */
  clear(): void;
}

const VAULT = 'vault:';

export function secretSource({ home, open, clock }: SecretSourceDeps): ClosableSecretSource {
  const known = new Map<string, { readonly at: number; readonly value: Secret }>();
  const clear = (): void => {
    for (const { value } of known.values()) value.destroy();
    known.clear();
  };
  return {
    async read(place) {
      if (!place.startsWith(VAULT)) return readSecretFile(inHome(home, place));
      const name = place.slice(VAULT.length);
      const now = clock.monotonic();
      const had = known.get(name);
      if (had !== undefined && now - had.at < limits.deliverySecretKeptMs) return had.value.copy();
      const value = await open(name);
      known.get(name)?.value.destroy();
      known.set(name, { at: now, value });
      return value.copy();
    },
    clear,
  };
}
