/** What a load generator tells, and how rounds of it become a row. */

export interface Place {
  readonly host: string;
  readonly port: number;
}

export interface Measured {
  readonly requests: number;
  /** Of the bodies of all answers. */
  readonly bytes: number;
  readonly seconds: number;
  /** Requests without the answer that was expected. */
  readonly failures: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

export const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** @param q 0.5 for the median */
export const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.floor(sorted.length * q)] ?? 0;

export const print = (line = ''): void => {
  process.stdout.write(`${line}\n`);
};

/** A line of a table: the first cell is a name. */
export const tableLine = (cells: readonly string[], width = 12, nameWidth = 24): string =>
  cells.map((cell, index) => (index === 0 ? cell.padEnd(nameWidth) : cell.padStart(width))).join('');

/** Least squares: by how much `values` rise per unit of `times`. */
export function slope(times: readonly number[], values: readonly number[]): number {
  const mean = (numbers: readonly number[]): number =>
    numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const [time, value] = [mean(times), mean(values)];
  const spread = times.reduce((sum, each) => sum + (each - time) ** 2, 0);
  const common = times.reduce((sum, each, index) => sum + (each - time) * ((values[index] ?? 0) - value), 0);
  return spread === 0 ? 0 : common / spread;
}
