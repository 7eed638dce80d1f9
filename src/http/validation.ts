/**
 * From what a route's schemas refuse to the problem that the client reads. Called by the framework's validators, for
 * every route alike. Names of fields are repeated, values never.
 */
import type { ZodError } from 'zod';
import { escapePointer } from './body-scan.ts';
import type { AppContext } from './context.ts';
import { type FieldProblem, type FieldSource, problem } from './problem.ts';

type Issue = ZodError['issues'][number];
type Validated =
  | { readonly success: true; readonly target: string }
  | { readonly success: false; readonly target: string; readonly error: ZodError };

/** How the validator says that a field is not there: in JSON and in a query nothing is `undefined`. */
const MISSING = /^Invalid input: (expected .+), received undefined$/;

/** undefined lets the request pass. A path that fails its schema names no resource of ours: 404. */
export function answerValidation(result: Validated, c: AppContext): Response | undefined {
  if (result.success) return undefined;
  if (result.target === 'param') return problem(c, 'not_found');
  const source = result.target === 'json' ? 'body' : 'query';
  return validationFailed(
    c,
    result.error.issues.flatMap((issue) => fieldProblems(issue, source)),
  );
}

export function validationFailed(c: AppContext, errors: readonly FieldProblem[]): Response {
  const names = [...new Set(errors.map((error) => error.pointer))].slice(0, 3).join(', ');
  return problem(c, 'validation_failed', { detail: `Not valid: ${names || 'the body'}.`.slice(0, 200), errors });
}

function fieldProblems(issue: Issue, source: FieldSource): FieldProblem[] {
  const at = issue.path.map((part) => `/${escapePointer(String(part))}`).join('');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ in: source, pointer: `${at}/${escapePointer(key)}`, message: 'Unknown field.' }));
  }
  // A key of a map that is wrong: what is wrong with it is one level down.
  const message = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  return [{ in: source, pointer: at, message: message.replace(MISSING, 'Missing: $1.') }];
}
