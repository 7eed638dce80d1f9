/**
 * Pure: whether a saga ended as its uninterrupted run did: what it answers, its whole log, the wallet's ledger, the record,
 * and the provider's books, part by part. Times and ids are equal already (`flows.ts`); repeated sends leave no event.
 */

/** Each part as JSON. `stuck`: it never came to rest, and says where. */
export interface EndState {
  readonly [part: string]: string;
}

/**
 * How exactly logs are compared. `any_order`: its compensations run side by side. `without_questions`: what was asked of the
 * gateway, and how often, is left out, since an answer that a crash has lost is asked for in another way.
 */
export type Exactness = 'exact' | 'any_order' | 'without_questions';

/** Where an end differs, in few words; null: nowhere. */
export function difference(end: EndState, expected: EndState, exactness: Exactness): string | null {
  if (end.stuck !== undefined) return end.stuck;
  for (const part of Object.keys(expected)) {
    const [is, should] = [comparable(end[part], exactness), comparable(expected[part], exactness)];
    if (is === should) continue;
    let same = 0;
    while (same < is.length && is[same] === should[same]) same += 1;
    const from = Math.max(0, same - 60);
    return `${part}: …${is.slice(from, same + 90)}… instead of …${should.slice(from, same + 90)}…`;
  }
  return null;
}

function comparable(part: string | undefined, exactness: Exactness): string {
  if (part === undefined || exactness === 'exact') return part ?? '';
  const value = withoutNumbers(JSON.parse(part));
  return JSON.stringify(exactness === 'any_order' ? sorted(value) : withoutQuestions(value));
}

/** Numbers of order follow the order of events. */
function withoutNumbers(value: unknown): unknown {
  return mapMembers(value, withoutNumbers, (name) => name !== 'sequence' && name !== 'message_deduplication_id');
}

function sorted(value: unknown): unknown {
  const members = mapMembers(value, sorted);
  if (!Array.isArray(members)) return members;
  return members.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

const QUESTIONS: ReadonlySet<unknown> = new Set([
  'orchestrator.gateway.lookup',
  'payment_gateway.response',
  'metrics.gateway.unknown',
]);

function withoutQuestions(value: unknown): unknown {
  const isQuestion = (each: unknown) =>
    typeof each === 'object' && each !== null && 'event_type' in each && QUESTIONS.has(each.event_type);
  const members = mapMembers(value, withoutQuestions);
  return Array.isArray(members) ? members.filter((each) => !isQuestion(each)) : members;
}

function mapMembers(value: unknown, map: (member: unknown) => unknown, keeps = (_name: string) => true): unknown {
  if (Array.isArray(value)) return value.map(map);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name]) => keeps(name));
  return Object.fromEntries(members.map(([name, member]) => [name, map(member)]));
}
