/** Pure: decoding of command messages: an event of the catalogue, of one of the types that a consumer takes. */
import type { EventType } from '../src/domain/events/catalogue.ts';
import { decodeEvent, type TypedEvent } from '../src/domain/events/decode.ts';
import type { Decoded } from './consume.ts';

/** A decoder for the given types; everything else is poison, named by what it is. */
export function commandDecoder<Type extends EventType>(types: readonly Type[]) {
  return (body: unknown): Decoded<{ [T in Type]: TypedEvent<T> }[Type]> => {
    const decoded = decodeEvent(body);
    if (!decoded.ok) return { ok: false, reason: `${decoded.reason}: ${decoded.detail}` };
    const { event } = decoded;
    if (!types.some((type) => type === event.event_type)) {
      return { ok: false, reason: `not for this queue: ${event.event_type}` };
    }
    // The type was just found in the list that `Type` is made of; the union cannot be narrowed by that.
    return { ok: true, body: event as { [T in Type]: TypedEvent<T> }[Type] };
  };
}
