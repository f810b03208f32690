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

export interface Timed {
  readonly name: string;
  /** Of each call, in milliseconds. */
  readonly times: readonly number[];
  /** Microseconds of the processor for a call, of each round; none where nobody looked. */
  readonly costs: readonly number[];
}

/** A table of calls, each against the first of them. */
export function printLatencies(title: string, rows: readonly Timed[]): void {
  const sorted = rows.map(({ times }) => times.toSorted((a, b) => a - b));
  const base = quantile(sorted[0] ?? [], 0.5);
  print(tableLine([title, 'p50', 'p99', 'added p50', '× direct', 'least µs'], 12, 34));
  for (const [index, { name, costs }] of rows.entries()) {
    const times = sorted[index] ?? [];
    const p50 = quantile(times, 0.5);
    const cells = [p50, quantile(times, 0.99), p50 - base, p50 / base].map((value) => value.toFixed(3));
    const cost = costs.length === 0 ? '' : Math.min(...costs).toFixed(0);
    print(tableLine([name, ...cells, cost], 12, 34));
  }
}

/** Least squares: by how much `values` rise per unit of `times`. */
export function slope(times: readonly number[], values: readonly number[]): number {
  const mean = (numbers: readonly number[]): number =>
    numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const [time, value] = [mean(times), mean(values)];
  const spread = times.reduce((sum, each) => sum + (each - time) ** 2, 0);
  const common = times.reduce((sum, each, index) => sum + (each - time) * ((values[index] ?? 0) - value), 0);
  return spread === 0 ? 0 : common / spread;
}
