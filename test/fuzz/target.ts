/** Something that seeded inputs are thrown at. */
export interface FuzzTarget {
  readonly name: string;
  /**
   * @param report takes a line about what was seen
   * @throws at the first input that shows a mistake, with what makes it again
   */
  run(seed: number, count: number, report: (line: string) => void): Promise<void> | void;
}
