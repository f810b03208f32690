/**
 * Every limit of the product, named, with its unit. A limit that is not here does not exist;
 * a module that needs one adds it here rather than writing a number in its code.
 */
export const KIB = 1024;
export const MIB = 1024 * KIB;
