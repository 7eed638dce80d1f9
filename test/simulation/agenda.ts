/**
 * Pure: what is still to happen in a simulated world, in the order of its times; at one time, in the order of asking. A
 * binary heap: a world pops about a hundred of these per saga.
 */
interface Entry {
  readonly atMs: number;
  readonly n: number;
  readonly happen: () => void;
}

export class Agenda {
  nowMs: number;
  readonly #heap: Entry[] = [];
  #asked = 0;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  /** Nothing happens in the past: what is asked for late happens next. */
  at(atMs: number, happen: () => void): void {
    const heap = this.#heap;
    const entry = { atMs: Math.max(this.nowMs, atMs), n: this.#asked++, happen };
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, entry)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  in(ms: number, happen: () => void): void {
    this.at(this.nowMs + ms, happen);
  }

  /** The time of the next, or null when nothing is left. */
  nextAtMs(): number | null {
    return this.#heap[0]?.atMs ?? null;
  }

  /** Lets the next one happen, at its time. False: nothing is left. */
  step(): boolean {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return false;
    if (heap.length > 0) this.#sink(last);
    this.nowMs = first.atMs;
    first.happen();
    return true;
  }

  #sink(entry: Entry): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      const [one, other] = [heap[left], heap[right]];
      if (one === undefined) break;
      const child = other !== undefined && isBefore(other, one) ? right : left;
      const below = heap[child];
      if (below === undefined || isBefore(entry, below)) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = entry;
  }
}

function isBefore(left: Entry, right: Entry): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.n < right.n);
}
