/**
 * Namespaces of objects whose stubs tell of every call before it is made. Used for the calls of consumers, and of one
 * object by another.
 */
export type Around = (method: string, call: () => Promise<unknown>) => Promise<unknown>;
type Input = (input: readonly unknown[]) => readonly unknown[];

/**
 * The namespace as it is, but `get` and `getByName` answer stubs whose calls go through `around`.
 * @param rewrite what a call is made with, for planted faults.
 */
export function namespaceWith<Namespace extends object>(
  namespace: Namespace,
  around: Around,
  rewrite: Input = (input) => input,
): Namespace {
  return new Proxy(namespace, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      if (name !== 'get' && name !== 'getByName') return member.bind(target);
      return (...input: unknown[]) => stubWith(Reflect.apply(member, target, input), around, rewrite);
    },
  });
}

function stubWith(stub: object, around: Around, rewrite: Input): object {
  return new Proxy(stub, {
    get(target, name) {
      // A stub is no promise, whatever is asked of it.
      if (typeof name === 'symbol' || name === 'then') return undefined;
      return (...input: unknown[]) =>
        around(name, async () => Reflect.apply(Reflect.get(target, name) as () => unknown, target, rewrite(input)));
    },
  });
}
