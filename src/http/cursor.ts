/**
 * Pure: opaque page cursors: base64url of a small JSON. A cursor names the position and the filters that it was made
 * under, so that it cannot be carried to another list, where it would skip or repeat rows without a word.
 */
import { z } from 'zod';
import { sha256Hex } from '../domain/canonical.ts';

/** A longer text is no cursor of ours. */
export const CURSOR_LENGTH_MAX = 512;
/** Hex digits of the filters' hash that are kept: enough to notice a mix-up; a cursor protects nothing. */
const BINDING_LENGTH = 12;

/** `filters`: canonical text of what the list was filtered by. */
export function encodeCursor(position: unknown, filters: string): string {
  const json = JSON.stringify({ p: position, f: binding(filters) });
  return btoa(json).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The position inside a cursor, or null when it is not one of ours, not of this list, or not of these filters. */
export function decodeCursor<Position>(
  positionSchema: z.ZodType<Position>,
  cursor: string,
  filters: string,
): Position | null {
  const schema = z.strictObject({ p: positionSchema, f: z.literal(binding(filters)) });
  const parsed = schema.safeParse(readJson(cursor));
  return parsed.success ? parsed.data.p : null;
}

function binding(filters: string): string {
  return sha256Hex(filters).slice(0, BINDING_LENGTH);
}

function readJson(cursor: string): unknown {
  try {
    return JSON.parse(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')));
  } catch {
    // Not base64 or not JSON: both mean that it is not a cursor, and the schema refuses undefined.
    return undefined;
  }
}
