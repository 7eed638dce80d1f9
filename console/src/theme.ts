/** Light or dark: as the system has it, until a person chooses; the choice is kept in this browser. */
import { useEffect, useState } from 'react';

export type Theme = 'light' | 'dark';
const STORE = 'holdfast.theme';
const PREFERS_DARK = '(prefers-color-scheme: dark)';

export function useTheme(): readonly [Theme, (theme: Theme) => void] {
  const [chosen, setChosen] = useState(readChoice);
  const [isSystemDark, setSystemDark] = useState(() => window.matchMedia(PREFERS_DARK).matches);
  const theme = chosen ?? (isSystemDark ? 'dark' : 'light');
  useEffect(() => {
    const media = window.matchMedia(PREFERS_DARK);
    const listener = () => setSystemDark(media.matches);
    media.addEventListener('change', listener);
    return () => media.removeEventListener('change', listener);
  }, []);
  useEffect(() => {
    document.documentElement.dataset.mode = theme;
  }, [theme]);
  const choose = (next: Theme) => {
    localStorage.setItem(STORE, next);
    setChosen(next);
  };
  return [theme, choose];
}

function readChoice(): Theme | null {
  const stored = localStorage.getItem(STORE);
  return stored === 'light' || stored === 'dark' ? stored : null;
}
