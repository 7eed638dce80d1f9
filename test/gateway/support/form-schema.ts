/**
 * Form-encoded bodies as Stripe reads them, and the check of one against Stripe's published request schema: a missing or
 * mistyped parameter is an error, one that the (older) schema does not know a warning.
 */
export type FormTree = { [name: string]: string | FormTree };

/** `a=1&b[c]=2&d[0]=3` → `{ a: '1', b: { c: '2' }, d: { 0: '3' } }`. */
export function readForm(text: string): FormTree {
  const root: FormTree = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const path = [name.split('[')[0] ?? '', ...[...name.matchAll(/\[([^\]]*)\]/g)].map(([, part]) => part ?? '')];
    let node = root;
    for (const part of path.slice(0, -1)) {
      const next = node[part];
      const child: FormTree = typeof next === 'object' ? next : {};
      node[part] = child;
      node = child;
    }
    node[path.at(-1) ?? ''] = value;
  }
  return root;
}

export interface FormSchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly maxLength?: number;
  readonly anyOf?: readonly FormSchema[];
  readonly items?: FormSchema;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, FormSchema>>;
  readonly additionalProperties?: boolean | FormSchema;
}

export interface FormCheck {
  readonly errors: string[];
  readonly warnings: string[];
}

export function checkForm(value: string | FormTree, schema: FormSchema, at = ''): FormCheck {
  if (schema.anyOf !== undefined) {
    const checks = schema.anyOf.map((option) => checkForm(value, option, at));
    return checks.find(({ errors }) => errors.length === 0) ?? { errors: [`${at}: matches none`], warnings: [] };
  }
  if (typeof value === 'string')
    return { errors: scalarErrors(value, schema).map((error) => `${at}: ${error}`), warnings: [] };
  return schema.type === 'array' ? checkList(value, schema, at) : checkMap(value, schema, at);
}

function scalarErrors(value: string, { type, enum: allowed, maxLength }: FormSchema): string[] {
  if (type === 'object' || type === 'array') return [`is no ${type}`];
  if (type === 'integer' && !/^-?\d+$/.test(value)) return ['is no integer'];
  if (type === 'boolean' && !/^(true|false)$/.test(value)) return ['is no boolean'];
  if (allowed !== undefined && !allowed.includes(value)) return ['is none of the values'];
  return maxLength !== undefined && value.length > maxLength ? ['is too long'] : [];
}

function checkList(value: FormTree, { items }: FormSchema, at: string): FormCheck {
  return merge(Object.entries(value).map(([index, item]) => checkForm(item, items ?? {}, `${at}[${index}]`)));
}

function checkMap(value: FormTree, schema: FormSchema, at: string): FormCheck {
  if (schema.type !== 'object') return { errors: [`${at}: is an object`], warnings: [] };
  const { properties = {}, additionalProperties, required = [] } = schema;
  const missing = required.filter((name) => value[name] === undefined).map((name) => `${at}${name}: is missing`);
  const checks = Object.entries(value).map(([name, item]): FormCheck => {
    const known = properties[name] ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined);
    if (known === undefined) return { errors: [], warnings: [`${at}${name}: is not known`] };
    return checkForm(item, known, at === '' ? name : `${at}[${name}]`);
  });
  return merge([{ errors: missing, warnings: [] }, ...checks]);
}

function merge(checks: readonly FormCheck[]): FormCheck {
  return { errors: checks.flatMap(({ errors }) => errors), warnings: checks.flatMap(({ warnings }) => warnings) };
}
