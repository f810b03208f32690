/**
 * What is known in memory now, or only later. A request that finds everything known passes without waiting once: each
 * promise costs a turn of the microtask queue, and a plain call used to wait for some fifty of them.
 */
export type Soon<T> = T | Promise<T>;

/** Whether it has to be waited for. */
export const isLater = <T>(value: Soon<T>): value is Promise<T> => value instanceof Promise;
