/** Fields of forms: the component library's input, and the browser's own select in the same dress. */
import { Input } from '@cloudflare/kumo/components/input';
import { type ComponentProps, useId } from 'react';

export function TextField(props: ComponentProps<typeof Input> & { label: string }) {
  return <Input autoComplete="off" spellCheck={false} {...props} />;
}

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, label: string])[];
  readonly onChange: (value: string) => void;
  readonly name?: string;
}

export function SelectField({ label, value, options, onChange, name }: SelectProps) {
  const id = useId();
  return (
    <div className="select-field">
      <label htmlFor={id}>{label}</label>
      <select id={id} name={name} value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map(([optionValue, text]) => (
          <option key={optionValue} value={optionValue}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}
