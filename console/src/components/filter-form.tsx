/**
 * The filters of a list, which are part of the address: submitted they go there, and follow it back and forth. The form stays
 * where it is meanwhile, and so does the focus.
 */
import { Button } from '@cloudflare/kumo/components/button';
import { type FormEvent, useEffect, useState } from 'react';
import { addressOf, go } from '../router.ts';
import { SelectField, TextField } from './fields.tsx';

export interface Filter {
  readonly name: string;
  readonly label: string;
  readonly type?: 'datetime-local';
  /** One of these; without them, any text. */
  readonly options?: readonly (readonly [value: string, label: string])[];
}

export type FilterValues = Readonly<Record<string, string>>;

/** What the address says of each filter; empty where it says nothing. */
export function filtersOf(filters: readonly Filter[], query: URLSearchParams): FilterValues {
  return Object.fromEntries(filters.map(({ name }) => [name, query.get(name) ?? '']));
}

interface FormProps {
  readonly view: string;
  readonly filters: readonly Filter[];
  readonly values: FilterValues;
}

export function FilterForm({ view, filters, values }: FormProps) {
  const [typed, setTyped] = useState(values);
  const address = addressOf([view], values);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the values of an address are the same ones.
  useEffect(() => setTyped(values), [address]);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const trimmed = Object.entries(typed).map(([name, value]) => [name, value.trim()]);
    go(addressOf([view], Object.fromEntries(trimmed)));
  };
  const clear = (): void => {
    // What was typed and not searched for is in no address.
    setTyped(filtersOf(filters, new URLSearchParams()));
    go(addressOf([view]));
  };
  return (
    <form className="filters" onSubmit={submit}>
      {filters.map(({ name, label, type, options }) => {
        const value = typed[name] ?? '';
        const change = (next: string) => setTyped((before) => ({ ...before, [name]: next }));
        if (options !== undefined) {
          return <SelectField key={name} label={label} value={value} options={options} onChange={change} />;
        }
        return (
          <TextField
            key={name}
            label={label}
            type={type ?? 'text'}
            maxLength={128}
            value={value}
            onChange={(event) => change(event.target.value)}
          />
        );
      })}
      <div className="actions">
        <Button type="submit" variant="primary">
          Search
        </Button>
        <Button type="button" onClick={clear}>
          Clear
        </Button>
      </div>
    </form>
  );
}
