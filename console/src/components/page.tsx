/** The frame of a view: its heading, which takes the focus when one comes here, and its sections. */
import { type ReactNode, useEffect, useId, useRef } from 'react';

/** Since the page was loaded. */
let hasShownView = false;

export function Page({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  // Not on the first view: a browser begins at the top of the document, where the skip link is.
  const takesFocus = useRef(hasShownView);
  useEffect(() => {
    document.title = `${title} · Holdfast operations`;
    hasShownView = true;
    if (takesFocus.current) heading.current?.focus();
    // Once: what is loaded later into the same view must not take the focus from where it went.
    takesFocus.current = false;
  }, [title]);
  return (
    <>
      <div className="page-head">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {actions !== undefined && <div className="actions">{actions}</div>}
      </div>
      {children}
    </>
  );
}

export function Section({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  const id = useId();
  return (
    <section className="card" aria-labelledby={id}>
      <div className="section-head">
        <h2 id={id}>{title}</h2>
        {actions !== undefined && <div className="actions">{actions}</div>}
      </div>
      {children}
    </section>
  );
}

/** Names and values, one under the other; a value that is absent is left out with its name. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, value: ReactNode])[] }) {
  const present = facts.filter(([, value]) => value !== undefined && value !== null);
  return (
    <dl className="facts">
      {present.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
