/** How `npm run keys` shows keys to a person. */
import type { ApiKeyView } from '../../src/domain/api-key-record.ts';

/** One key, one line: what one looks for first comes first. */
export function keyLine(key: ApiKeyView): string {
  const end = key.revoked_at ?? key.expires_at;
  return [
    key.id,
    key.status.padEnd(7),
    key.mode,
    key.merchant ?? '(platform)',
    key.scopes.join(','),
    `made ${key.created_at}`,
    ...(end === null ? [] : [`${key.revoked_at === null ? 'until' : 'revoked'} ${end}`]),
    ...(key.rotated_from === null ? [] : [`after ${key.rotated_from}`]),
    JSON.stringify(key.name),
  ].join('  ');
}

export function madeLines(key: ApiKeyView): string[] {
  return [
    keyLine(key),
    ...(key.rotated_from === null ? [] : [`${key.rotated_from} still counts for a while: see list.`]),
    'The key is shown now and never again:',
  ];
}
