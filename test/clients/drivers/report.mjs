// What each driver does with its client, and tells on stdout as one line of JSON: the names of the tools, and what the
// calls gave that it was told to make.

/**
 * @param {(place: object) => Promise<{ tools(): Promise<string[]>, call(name: string, given: object): Promise<object>,
 *   close(): Promise<void> }>} connect
 */
export async function report(connect) {
  const { place, calls } = JSON.parse(process.argv[2]);
  const client = await connect(place);
  const tools = await client.tools();
  const answers = [];
  for (const { name, given } of calls) answers.push(await client.call(name, given));
  await client.close();
  process.stdout.write(`${JSON.stringify({ tools, answers })}\n`);
  process.exit(0);
}
