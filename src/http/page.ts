/**
 * The answer for a page of the record: its rows hold their resources as JSON text, which is put together as it is, not
 * parsed and written again. Called by the routes that list.
 */
import { z } from '@hono/zod-openapi';
import type { BodiesPage } from '../read-model/pages.ts';
import type { AppContext } from './context.ts';
import { encodeCursor } from './cursor.ts';

/** What a cursor of such a list holds. */
export const positionSchema = z.strictObject({ createdAtMs: z.number().int(), id: z.string().max(64) });

/** @param filtersText what the list was asked for: a cursor is good for that only. */
export function answerPage(c: AppContext, page: BodiesPage, filtersText: string) {
  const next = page.next === null ? null : encodeCursor(page.next, filtersText);
  const body = `{"object":"list","data":[${page.bodies.join(',')}],"next_cursor":${JSON.stringify(next)}}`;
  return c.body(body, 200, { 'Content-Type': 'application/json' });
}
