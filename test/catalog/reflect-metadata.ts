/**
 * The four functions of the `reflect-metadata` proposal that `@peculiar/x509` asks for through `tsyringe`, which
 * refuses to load without them. Import it before that package.
 */
const store = new WeakMap<object, Map<unknown, unknown>>();

function metadataOf(target: object): Map<unknown, unknown> {
  const known = store.get(target);
  if (known !== undefined) return known;
  const fresh = new Map<unknown, unknown>();
  store.set(target, fresh);
  return fresh;
}

function nearest(key: unknown, target: object): unknown {
  for (let one: object | null = target; one !== null; one = Object.getPrototypeOf(one)) {
    const found = store.get(one)?.get(key);
    if (found !== undefined) return found;
  }
  return undefined;
}

if (!('getMetadata' in Reflect)) {
  Object.assign(Reflect, {
    getMetadata: nearest,
    getOwnMetadata: (key: unknown, target: object) => store.get(target)?.get(key),
    defineMetadata: (key: unknown, value: unknown, target: object) => metadataOf(target).set(key, value),
    metadata: (key: unknown, value: unknown) => (target: object) => {
      metadataOf(target).set(key, value);
    },
  });
}
