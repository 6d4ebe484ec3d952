import { Link } from 'react-router-dom';
import type { VersionCount } from '../api/schema';
import { count, percent } from '../logic/format';
import { Empty } from './states';

/** How many devices run what: one bar per model and version, the largest eight, and the rest in one. */
export function Versions({ versions, most = 8 }: { versions: VersionCount[]; most?: number }) {
  if (versions.length === 0)
    return (
      <Empty icon="firmware" title="No version known">
        A device says what it runs with its first heartbeat.
      </Empty>
    );
  const total = versions.reduce((sum, v) => sum + v.count, 0);
  const shown = versions.slice(0, most);
  const rest = versions.slice(most).reduce((sum, v) => sum + v.count, 0);
  return (
    <ul className="versions">
      {shown.map((v) => (
        <li key={`${v.model} ${v.version}`}>
          <div className="line ends">
            <Link to={`/devices?${new URLSearchParams({ model: v.model, version: v.version })}`} className="clip">
              {v.version || 'unknown'} <span className="quiet small">{v.model}</span>
            </Link>
            <span className="num small">
              {count(v.count)} <span className="quiet">· {percent((100 * v.count) / total)}</span>
            </span>
          </div>
          <div className="bar thin" aria-hidden="true">
            <span data-tone="busy" style={{ width: `${(100 * v.count) / total}%` }} />
          </div>
        </li>
      ))}
      {rest > 0 && (
        <li className="quiet small">
          {count(versions.length - most)} more versions on {count(rest)} devices
        </li>
      )}
    </ul>
  );
}
