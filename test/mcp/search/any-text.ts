import fc from 'fast-check';

/** Texts of characters from everywhere, lone surrogates too, most of them letters. */
export const anyText = (charsMax: number): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof(fc.constantFrom('a', 'e', 'i', 'X', 'Y', ' ', '_', '1', 'é', '世'), fc.nat(0xffff)), {
      maxLength: charsMax,
    })
    .map((units) =>
      units.map((unit) => (typeof unit === 'number' ? String.fromCharCode(unit) : unit)).join(''),
    );
