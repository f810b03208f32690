/** Reading of values that came out of a document: nothing is assumed, and what is of another type is not there. */
import type { Json, JsonObject } from '../kernel/index.ts';

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !isList(value);

export const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

export const objectAt = (value: JsonObject, key: string): JsonObject | undefined => {
  const found = own(value, key);
  return isObject(found) ? found : undefined;
};

export const listAt = (value: JsonObject, key: string): readonly Json[] => {
  const found = own(value, key);
  return isList(found) ? found : [];
};

/** Undefined where it is no text, or an empty one. */
export const textAt = (value: JsonObject, key: string): string | undefined => {
  const found = own(value, key);
  return typeof found === 'string' && found !== '' ? found : undefined;
};

/** A member of the object's own: `constructor` and its like are in every object. */
export const own = (value: JsonObject, key: string): Json | undefined =>
  Object.hasOwn(value, key) ? value[key] : undefined;
