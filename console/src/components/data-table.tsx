/**
 * A table of rows of a list, which scrolls in its own frame on a narrow screen, and the button that brings the next page.
 */
import { Button } from '@cloudflare/kumo/components/button';
import { Table } from '@cloudflare/kumo/components/table';
import type { ReactNode } from 'react';
import type { Pages } from '../api/hooks.ts';
import { Loadable } from './states.tsx';

export interface Column<Item> {
  readonly name: string;
  readonly cell: (item: Item) => ReactNode;
  readonly isNumber?: boolean;
}

interface TableProps<Item> {
  readonly label: string;
  readonly columns: readonly Column<Item>[];
  readonly items: readonly Item[];
  readonly keyOf: (item: Item) => string;
}

export function DataTable<Item>({ label, columns, items, keyOf }: TableProps<Item>) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a named group, no landmark: the section around it is one.
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard.
    <div className="table-frame" role="group" aria-label={label} tabIndex={0}>
      <Table>
        <Table.Header>
          <Table.Row>
            {columns.map(({ name, isNumber }) => (
              <Table.Head key={name} className={isNumber === true ? 'number' : ''}>
                {name}
              </Table.Head>
            ))}
          </Table.Row>
        </Table.Header>
        <Table.Body>
          {items.map((item) => (
            <Table.Row key={keyOf(item)}>
              {columns.map(({ name, cell, isNumber }) => (
                <Table.Cell key={name} className={isNumber === true ? 'number' : ''}>
                  {cell(item)}
                </Table.Cell>
              ))}
            </Table.Row>
          ))}
        </Table.Body>
      </Table>
    </div>
  );
}

interface PagedProps<Item> extends Omit<TableProps<Item>, 'items'> {
  /** In the plural: `payments`. */
  readonly what: string;
  readonly pages: Pages<Item>;
  readonly whenEmpty?: string;
}

export function PagedTable<Item>({ what, pages, whenEmpty, ...table }: PagedProps<Item>) {
  const { items, hasMore, isLoadingMore, more } = pages;
  return (
    <Loadable
      what={what}
      {...pages}
      isEmpty={items.length === 0 && !hasMore}
      {...(whenEmpty !== undefined && { whenEmpty })}
    >
      <DataTable {...table} items={items} />
      <p className="paging subtle">
        <span role="status">Shown: {items.length}</span>
        {hasMore && (
          <Button onClick={more} loading={isLoadingMore}>
            Load more
          </Button>
        )}
      </p>
    </Loadable>
  );
}
