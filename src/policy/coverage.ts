/** What a list of methods or of paths in a rule covers. An absent list covers everything; what is not known yet is not asked. */
import { matchPath } from '../wire/index.ts';

export const coversMethod = (methods: readonly string[] | undefined, method: string | undefined): boolean =>
  methods === undefined || method === undefined || methods.includes(method);

export const coversPath = (prefixes: readonly string[] | undefined, path: string | undefined): boolean =>
  prefixes === undefined || path === undefined || prefixes.some((prefix) => matchPath(prefix, path));
