/** Percent-encoding of values, so that none of them can end the place that it stands in (RFC 3986 section 2). */

/** Everything but unreserved characters. */
export const encoded = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** Reserved characters that part nothing in a query; `&`, `=`, `+` and `#` do. */
const HARMLESS = /%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/g;

/** The same for a value that asks for reserved characters as they are (`allowReserved`). */
export const encodedReserved = (text: string): string =>
  encoded(text).replaceAll(HARMLESS, (escape) => decodeURIComponent(escape));
