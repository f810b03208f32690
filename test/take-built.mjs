/**
 * For programs of tests that run in a process of their own: what they import from `src/` is taken as it was built, since
 * taking the types out of all of it would be half of such a process's work. `npm test` builds before.
 */
import { registerHooks } from 'node:module';

const SOURCES = new URL('../src/', import.meta.url).href;
const BUILT = new URL('../dist/', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    if (!found.url.startsWith(SOURCES)) return found;
    return next(BUILT + found.url.slice(SOURCES.length).replace(/\.ts$/, '.js'), context);
  },
});
