/** The rules in the home itself, `policy.yaml`: read when it changes, by its owner's hand and not by a command. */
import { readFileSync, statSync } from 'node:fs';
import { AppError } from '../../kernel/index.ts';

export interface PolicyFile {
  /** Differs from what it was before when the file may have changed; null: there is none. */
  state(): string | null;
  /** @throws AppError `policy_unreadable` */
  read(): string;
}

export function policyFile(path: string): PolicyFile {
  return {
    state() {
      const found = statSync(path, { throwIfNoEntry: false, bigint: true });
      return found === undefined ? null : `${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
    },
    read() {
      try {
        return readFileSync(path, 'utf8');
      } catch (error) {
        throw new AppError('policy_unreadable', `The rules in ${path} cannot be read.`, {
          kind: 'failed',
          hint: 'Make the file readable for the gateway, or remove it.',
          cause: error,
        });
      }
    },
  };
}
