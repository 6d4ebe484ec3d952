// The one table: heads and cells stand beside each other in a column, and on a narrow screen every row folds into a card
// whose cells carry their column's word.

export interface Column<Row> {
  head: string;
  cell: (row: Row) => React.ReactNode;
  /** Numbers and actions stand on the right. */
  right?: boolean;
  /** The head is read out, not shown: a column of buttons. */
  silent?: boolean;
  className?: string;
  style?: React.CSSProperties;
  title?: (row: Row) => string;
}

const join = (...names: (string | false | undefined)[]) => names.filter(Boolean).join(' ') || undefined;

/** `id` names a row for as long as it lives. */
export function Table<Row>({ rows, id, columns, caption }: { rows: readonly Row[]; id: (row: Row) => React.Key; columns: (Column<Row> | false | undefined)[]; caption?: string }) {
  const shown = columns.filter((c): c is Column<Row> => Boolean(c));
  return (
    <table className="table folds">
      {caption && <caption className="hidden-text">{caption}</caption>}
      <thead>
        <tr>
          {shown.map((c) => (
            <th key={c.head} scope="col" className={join(c.right && !c.silent && 'right')}>
              {c.silent ? <span className="hidden-text">{c.head}</span> : c.head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={id(row)}>
            {shown.map((c, i) => (
              <td key={c.head} data-label={i > 0 && !c.silent ? c.head : undefined} className={join(c.right && 'right', c.className)} style={c.style} title={c.title?.(row)}>
                {c.cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
