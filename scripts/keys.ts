/**
 * `npm run keys -- create|list|rotate|revoke`: API keys of a running instance, over HTTP. Speaks with an API key (`--key`, or
 * HOLDFAST_API_KEY), or, for the first one, with a token made from API_KEY_SECRET in the environment; the secret itself is never sent,
 * and never an argument. A new key goes to standard output, alone and once; everything else to standard error. Exit code 0:
 * done; 1: refused; 2: not asked rightly.
 */
import { readRequest, USAGE, UsageError } from './keys/arguments.ts';
import { ask, Refusal } from './keys/client.ts';
import { keyLine, madeLines } from './keys/output.ts';

try {
  const request = readRequest(process.argv.slice(2), process.env);
  if (request === 'help') console.log(USAGE);
  else await run(request);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  if (error instanceof UsageError) console.error(`\n${USAGE}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

async function run(request: Exclude<ReturnType<typeof readRequest>, 'help'>): Promise<void> {
  if (request.command === 'list') {
    for await (const key of pages(request)) console.log(keyLine(key));
    return;
  }
  const answer = await ask(request, request.method, request.path, request.body);
  if (answer.key === undefined) {
    console.error(`${answer.id} is ${answer.status}: it is refused from now on.`);
    return;
  }
  for (const line of madeLines(answer)) console.error(line);
  console.log(answer.key);
}

type ListRequest = Extract<ReturnType<typeof readRequest>, { command: 'list' }>;

async function* pages(request: ListRequest) {
  let cursor: string | null = '';
  while (cursor !== null) {
    const query = new URLSearchParams({ limit: '100', ...request.query, ...(cursor !== '' && { cursor }) });
    const page = await ask(request, 'GET', `/ops/api-keys?${query}`);
    if (page.data === undefined) throw new Refusal('the answer is no list');
    yield* page.data;
    cursor = page.next_cursor ?? null;
  }
}
