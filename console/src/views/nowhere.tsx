/** An address that leads to no view. */
import { Page } from '../components/page.tsx';
import { addressOf } from '../router.ts';

export function NowhereView() {
  return (
    <Page title="Nothing here">
      <p>
        There is no such view. <a href={addressOf([])}>To the overview</a>
      </p>
    </Page>
  );
}
