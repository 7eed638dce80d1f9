/** The operations console: starts it in the page (index.html). */
import '@cloudflare/kumo/styles/standalone';
import './styles.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Shell } from './shell.tsx';

const root = document.getElementById('console');
if (root === null) throw new Error('the page has no place for the console');
createRoot(root).render(
  <StrictMode>
    <Shell />
  </StrictMode>,
);
