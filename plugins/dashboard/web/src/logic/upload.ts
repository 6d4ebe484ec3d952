// Uploading a release: XMLHttpRequest, because fetch cannot say how far it is. The token is asked for at the start; an upload
// that outlives it was let in and is finished.

import { freshToken, Refused } from '../api/auth';

export interface Progress {
  sent: number;
  total: number;
  /** Bytes a second, over the whole upload. */
  rate: number;
}

export interface Uploaded {
  firmware_id: string;
  version: string;
  model: string;
  /** The broker had this very file before. */
  known: boolean;
}

/** Sends the file; `signal` ends it. Errors are `Refused`, also when the connection broke (status 0). */
export async function upload(file: File, query: Record<string, string>, progress: (p: Progress) => void, signal: AbortSignal): Promise<Uploaded> {
  const token = await freshToken();
  const path = `/api/v1/firmware${Object.keys(query).length ? `?${new URLSearchParams(query)}` : ''}`;
  return new Promise((resolve, reject) => {
    const ask = new XMLHttpRequest();
    const begun = performance.now();
    ask.open('POST', path);
    ask.responseType = 'json';
    ask.setRequestHeader('Authorization', `Bearer ${token}`);
    ask.setRequestHeader('Content-Type', 'application/octet-stream');
    ask.upload.onprogress = (e) => progress({ sent: e.loaded, total: e.total || file.size, rate: (e.loaded * 1000) / Math.max(1, performance.now() - begun) });
    ask.onload = () => {
      const body = (ask.response ?? {}) as Uploaded & { code?: string; detail?: string };
      if (ask.status === 200 || ask.status === 201) resolve({ ...body, known: ask.status === 200 });
      else reject(new Refused(ask.status, body.code ?? '', body.detail ?? `The broker answered ${ask.status}.`));
    };
    ask.onerror = () => reject(new Refused(0, '', 'The connection broke before the file was through.'));
    ask.onabort = () => reject(new Refused(0, 'aborted', 'Stopped.'));
    signal.addEventListener('abort', () => ask.abort());
    ask.send(file);
  });
}

/** What to do about a refused release. */
export function advice(trouble: Refused): string {
  switch (trouble.code) {
    case 'firmware.unsigned':
      return 'The file has no signed manifest. Make one with airmailctl firmware sign, and upload the .release it writes.';
    case 'firmware.bad_signature':
      return 'It is signed with a key that this broker does not trust (ota_release_keys).';
    case 'firmware.mismatch':
      return 'The image is not the one that was signed. Was the file cut or changed on its way?';
    case 'firmware.bad_format':
      return 'The end of the file is no release manifest. Sign it anew.';
    default:
      return trouble.status === 413 ? 'The file is larger than this broker takes.' : '';
  }
}
