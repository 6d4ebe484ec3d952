// Bringing a release. It is sent from where the broker says it has it, so a connection that breaks costs what was under way
// and nothing else: the page waits, asks how far it is, and goes on. It goes on too when the same file is chosen after the page was
// closed. XMLHttpRequest carries the bytes, because fetch cannot say how far it is.

import { fetchWithToken } from '../api/client';
import { freshToken, Refused } from '../api/auth';

export interface Progress {
  sent: number;
  total: number;
  /** Bytes a second, over this attempt. */
  rate: number;
  /** The connection is lost; it goes on when there is one. */
  waiting: boolean;
}

export interface Uploaded {
  firmware_id: string;
  version: string;
  model: string;
  /** The broker had this very file before. */
  known: boolean;
}

/** How the bytes travel. Every call may throw `Refused`; status 0 is a connection that broke. */
export interface Wire {
  begin: (file: File) => Promise<{ id: string; offset: number }>;
  /** How much of it is there; null when it has ended or was never begun. */
  where: (id: string) => Promise<number | null>;
  /** Sends all from `offset` on; the offset after it. */
  append: (id: string, file: File, offset: number, sent: (bytes: number) => void, signal: AbortSignal) => Promise<number>;
  finish: (id: string) => Promise<Uploaded>;
  remove: (id: string) => Promise<void>;
}

/** What an upload is found again by, in this browser. */
type Memory = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
const keyOf = (file: File) => `airmail.upload ${file.name} ${file.size} ${file.lastModified}`;

/** Given as the reason of an abort, the upload is taken back; without it its bytes wait for somebody to go on. */
export const takeBack = 'take back';

/** May the next try go better? */
const passing = (e: unknown) => e instanceof Refused && (e.status === 0 || e.status === 409 || e.status === 429 || (e.status >= 500 && e.status !== 507));
/** Milliseconds before the nth try. */
export const pause = (n: number) => Math.min(10_000, 500 * 2 ** n);

const sleep = (ms: number, signal: AbortSignal) =>
  new Promise<void>((on) => {
    const timer = setTimeout(on, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), on()), { once: true });
  });

export async function upload(file: File, progress: (p: Progress) => void, signal: AbortSignal, wire: Wire = http, memory: Memory = localStorage, wait = sleep): Promise<Uploaded> {
  const key = keyOf(file);
  let id = memory.getItem(key) ?? '';
  let offset = id ? await wire.where(id) : null;
  if (offset === null) {
    ({ id, offset } = await wire.begin(file));
    memory.setItem(key, id);
  }
  const stopped = async () => {
    if (signal.reason === takeBack) {
      memory.removeItem(key);
      await wire.remove(id).catch(() => undefined);
    }
    return new Refused(0, 'aborted', 'Stopped.');
  };
  let tries = 0;
  for (;;) {
    if (signal.aborted) throw await stopped();
    const begun = performance.now();
    const from: number = offset;
    const tell = (sent: number, waiting = false) => progress({ sent, total: file.size, rate: ((sent - from) * 1000) / Math.max(1, performance.now() - begun), waiting });
    try {
      if (offset < file.size) {
        tell(offset);
        offset = await wire.append(id, file, offset, (n) => tell(from + n), signal);
        tries = 0;
        continue;
      }
      tell(file.size);
      const made = await wire.finish(id);
      memory.removeItem(key);
      return made;
    } catch (trouble) {
      if (signal.aborted) throw await stopped();
      if (!passing(trouble)) {
        memory.removeItem(key); // what is refused will be refused again
        throw trouble;
      }
      tell(offset, true);
      await wait(pause(tries++), signal);
      const there: number | null = await wire.where(id).catch(() => offset);
      if (there === null) {
        memory.removeItem(key);
        throw new Refused(404, 'firmware.no_upload', 'The broker has given this upload up. Begin anew.');
      }
      offset = there;
    }
  }
}

const root = '/api/v1/firmware/uploads';

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const answer = await fetchWithToken(path, init).catch(() => {
    throw new Refused(0, '', 'The broker cannot be reached.');
  });
  if (answer.ok) return answer;
  const body = (await answer.json().catch(() => ({}))) as { code?: string; detail?: string };
  throw new Refused(answer.status, body.code ?? '', body.detail ?? `The broker answered ${answer.status}.`);
}

const http: Wire = {
  begin: async (file) => {
    const made = (await (await ask(root, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ size_bytes: file.size, name: file.name }) })).json()) as { upload_id: string; offset: number };
    return { id: made.upload_id, offset: made.offset };
  },
  where: async (id) => {
    try {
      return ((await (await ask(`${root}/${id}`)).json()) as { offset: number }).offset;
    } catch (e) {
      if (e instanceof Refused && e.status === 404) return null;
      throw e;
    }
  },
  append: async (id, file, offset, sent, signal) => {
    const token = await freshToken();
    return new Promise((resolve, reject) => {
      const go = new XMLHttpRequest();
      go.open('PATCH', `${root}/${id}`);
      go.responseType = 'json';
      go.setRequestHeader('Authorization', `Bearer ${token}`);
      go.setRequestHeader('Content-Type', 'application/octet-stream');
      go.setRequestHeader('Upload-Offset', String(offset));
      go.upload.onprogress = (e) => sent(e.loaded);
      go.onload = () => {
        const body = (go.response ?? {}) as { code?: string; detail?: string };
        if (go.status === 204) resolve(Number(go.getResponseHeader('Upload-Offset')));
        else reject(new Refused(go.status, body.code ?? '', body.detail ?? `The broker answered ${go.status}.`));
      };
      go.onerror = () => reject(new Refused(0, '', 'The connection broke before the file was through.'));
      go.onabort = () => reject(new Refused(0, 'aborted', 'Stopped.'));
      signal.addEventListener('abort', () => go.abort(), { once: true });
      go.send(file.slice(offset));
    });
  },
  finish: async (id) => {
    const answer = await ask(`${root}/${id}/finish`, { method: 'POST' });
    return { ...((await answer.json()) as Uploaded), known: answer.status === 200 };
  },
  remove: async (id) => void (await ask(`${root}/${id}`, { method: 'DELETE' })),
};

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
