/** From the filters of a request to those of the record, for the routes that choose dead letters: to list, and to redrive. */
import { groupIdOf, hasLog } from '../domain/events/envelope.ts';
import type { DeadLetterFilters } from '../read-model/dead-letters.ts';
import { instantMs } from './schemas/common.ts';

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
    groupId: asked.entity_id !== undefined && hasLog(asked.entity_id) ? groupIdOf(asked.entity_id) : asked.entity_id,
    diedFromMs: instantMs(asked.died_from),
    diedToMs: instantMs(asked.died_to),
  };
}
