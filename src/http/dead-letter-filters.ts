/** From the filters of a request to those of the record, for the routes that choose dead letters: to list, and to redrive. */
import { groupOf } from '../domain/dead-letter.ts';
import type { DeadLetterFilters } from '../read-model/dead-letters.ts';

interface Asked {
  readonly queue?: string | undefined;
  readonly message_type?: string | undefined;
  readonly entity_id?: string | undefined;
  readonly died_from?: string | undefined;
  readonly died_to?: string | undefined;
}

export function filtersOf(asked: Asked): DeadLetterFilters {
  return {
    queue: asked.queue,
    messageType: asked.message_type,
    // An id that no log is named by finds nothing.
    groupId: asked.entity_id === undefined ? undefined : (groupOf(asked.entity_id) ?? asked.entity_id),
    diedFromMs: toMs(asked.died_from),
    diedToMs: toMs(asked.died_to),
  };
}

function toMs(instantText: string | undefined): number | undefined {
  return instantText === undefined ? undefined : Date.parse(instantText);
}
