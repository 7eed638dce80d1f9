/**
 * What is around every view: the skip link, the navigation, the theme, and the key form when the API asks for a key. Which view
 * an address leads to is in `viewOf`.
 */
import { Button } from '@cloudflare/kumo/components/button';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { type ApiError, storedKey, storeKey, whenKeyIsAsked } from './api/client.ts';
import { KeyForm } from './key-form.tsx';
import { addressOf, type Location, useLocation } from './router.ts';
import { useTheme } from './theme.ts';
import { DeadLetterView } from './views/dead-letter.tsx';
import { DeadLettersView } from './views/dead-letters.tsx';
import { NowhereView } from './views/nowhere.tsx';
import { OverviewView } from './views/overview.tsx';
import { PaymentView } from './views/payment.tsx';
import { PaymentsView } from './views/payments.tsx';
import { ProvidersView } from './views/providers.tsx';
import { ReconciliationView } from './views/reconciliation.tsx';
import { ReconciliationsView } from './views/reconciliations.tsx';
import { RefundView } from './views/refund.tsx';
import { SagasView } from './views/sagas.tsx';
import { WalletView } from './views/wallet.tsx';
import { WalletsView } from './views/wallets.tsx';

const NAVIGATION = [
  ['', 'Overview'],
  ['payments', 'Payments'],
  ['wallets', 'Wallets'],
  ['providers', 'Providers'],
  ['dead-letters', 'Dead letters'],
  ['sagas', 'Stuck sagas'],
  ['reconciliations', 'Reconciliation'],
] as const;

function viewOf({ parts, query }: Location): ReactNode {
  const [name = '', id] = parts;
  if (parts.length > 2) return <NowhereView />;
  if (id !== undefined) {
    if (name === 'payments') return <PaymentView key={id} id={id} />;
    if (name === 'refunds') return <RefundView key={id} id={id} />;
    if (name === 'wallets') return <WalletView key={id} id={id} />;
    if (name === 'dead-letters') return <DeadLetterView key={id} id={id} />;
    if (name === 'reconciliations') return <ReconciliationView key={id} id={id} />;
    return <NowhereView />;
  }
  if (name === '') return <OverviewView />;
  if (name === 'payments') return <PaymentsView query={query} />;
  if (name === 'wallets') return <WalletsView query={query} />;
  if (name === 'providers') return <ProvidersView />;
  if (name === 'dead-letters') return <DeadLettersView query={query} />;
  if (name === 'sagas') return <SagasView query={query} />;
  if (name === 'reconciliations') return <ReconciliationsView />;
  return <NowhereView />;
}

export function Shell() {
  const location = useLocation();
  const [theme, chooseTheme] = useTheme();
  const [asked, setAsked] = useState<ApiError | null>(null);
  const [hasKey, setHasKey] = useState(() => storedKey() !== null);
  // Views are made anew under another key: what the last one could see is gone.
  const [session, setSession] = useState(0);
  const main = useRef<HTMLElement>(null);
  useEffect(() => whenKeyIsAsked(setAsked), []);

  const takeKey = (key: string | null): void => {
    storeKey(key);
    setHasKey(key !== null);
    setAsked(null);
    setSession((before) => before + 1);
  };

  const current = location.parts[0] ?? '';
  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: it leads into this page, whose fragment is the view's address. */}
      <a
        className="skip-link"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to content
      </a>
      <header className="top">
        <a className="brand" href={addressOf([])}>
          Holdfast <span className="subtle">operations</span>
        </a>
        <div className="actions">
          {hasKey && (
            <Button size="sm" onClick={() => takeKey(null)}>
              Forget key
            </Button>
          )}
          <Button size="sm" onClick={() => chooseTheme(theme === 'dark' ? 'light' : 'dark')}>
            {theme === 'dark' ? 'Light theme' : 'Dark theme'}
          </Button>
        </div>
      </header>
      <nav aria-label="Views" className="views">
        <ul>
          {NAVIGATION.map(([name, label]) => (
            <li key={name}>
              <a href={addressOf(name === '' ? [] : [name])} aria-current={current === name ? 'page' : undefined}>
                {label}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <main id="main" ref={main} tabIndex={-1}>
        {asked === null ? <div key={session}>{viewOf(location)}</div> : <KeyForm refusal={asked} onKey={takeKey} />}
      </main>
    </>
  );
}
