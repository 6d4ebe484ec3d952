import { Button, FileButton } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { Refused } from '../api/auth';
import { bytes, span } from '../logic/format';
import { advice, type Progress, takeBack, upload } from '../logic/upload';
import { Bar } from './bar';
import { Icon } from './icon';
import { Notice } from './states';
import { say } from './toast';

/** Drop a signed release here; the broker checks signature and digest before it keeps anything. */
export function UploadBox({ done }: { done: () => void }) {
  const [over, setOver] = useState(false);
  const [file, setFile] = useState<File | null>(null);
  const [progress, setProgress] = useState<Progress | null>(null);
  const [trouble, setTrouble] = useState<Refused | null>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);

  const take = async (next: File | null | undefined) => {
    if (!next || progress) return;
    setFile(next);
    setTrouble(null);
    setProgress({ sent: 0, total: next.size, rate: 0, waiting: false });
    stop.current = new AbortController();
    try {
      const made = await upload(next, setProgress, stop.current.signal);
      say(made.known ? `${made.version} was here already` : `${made.version} for ${made.model} is here, and its signature holds`);
      done();
    } catch (e) {
      const why = e instanceof Refused ? e : new Refused(0, '', 'The upload failed.');
      if (why.code !== 'aborted') setTrouble(why);
    }
    setProgress(null);
  };

  return (
    <div
      className="drop"
      data-over={over}
      onDragOver={(e) => {
        e.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(e) => {
        e.preventDefault();
        setOver(false);
        void take(e.dataTransfer.files[0]);
      }}
    >
      <Icon name="upload" size={26} />
      {progress ? (
        <div className="stack tight" style={{ width: 'min(34rem, 100%)' }} role="status">
          <div className="line ends">
            <strong className="clip">{file?.name}</strong>
            <span className="num small">
              {bytes(progress.sent)} of {bytes(progress.total)}
            </span>
          </div>
          <Bar label="Uploaded" parts={[{ word: 'sent', n: progress.sent, tone: 'busy' }, { word: 'to go', n: progress.total - progress.sent, tone: 'wait' }]} />
          <div className="line ends">
            <span className="quiet small num">{pace(progress)}</span>
            <Button size="compact-xs" variant="default" onClick={() => stop.current?.abort(takeBack)}>
              Stop
            </Button>
          </div>
        </div>
      ) : (
        <>
          <div>
            <strong>Drop a signed release here</strong>
            <p className="quiet">
              Made by <code>airmailctl firmware sign</code>: image and manifest in one file. The key that signs never comes to the broker.
            </p>
          </div>
          <FileButton onChange={(f) => void take(f)} inputProps={{ 'aria-label': 'Release file' }}>
            {(props) => <Button {...props}>Choose a file</Button>}
          </FileButton>
        </>
      )}
      {trouble && (
        <Notice tone="bad">
          <strong>{trouble.message}</strong>
          <div className="more">{advice(trouble)}</div>
        </Notice>
      )}
    </div>
  );
}

function pace(p: Progress): string {
  if (p.waiting) return 'The connection is lost; it goes on by itself';
  if (p.sent >= p.total) return 'Checking signature and digest';
  return p.rate > 0 ? `${bytes(p.rate)}/s, ${span((p.total - p.sent) / p.rate)} to go` : '';
}
