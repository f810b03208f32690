import type { Scope } from './scope.ts';

/** Facts about the installation as a whole, by name. Never a secret. */
export interface MetaRepository {
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<void>;
  /** Sets it unless it is set. @returns what is stored afterwards, so that of several processes all agree */
  ensure(key: string, value: string): Promise<string>;
}

export function metaRepository({ db, touched }: Scope): MetaRepository {
  const get = async (key: string): Promise<string | null> => {
    const row = await db.selectFrom('meta').select('value').where('key', '=', key).executeTakeFirst();
    return row?.value ?? null;
  };
  return {
    get,
    async set(key, value) {
      await db
        .insertInto('meta')
        .values({ key, value })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
        .execute();
      touched();
    },
    async ensure(key, value) {
      await db
        .insertInto('meta')
        .values({ key, value })
        .onConflict((conflict) => conflict.column('key').doNothing())
        .execute();
      touched();
      return (await get(key)) ?? value;
    },
  };
}
