// Lays a .br and a .gz beside every text file of dist that gains from it, so that the broker only sends.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = new URL('../dist/', import.meta.url);
for (const name of readdirSync(dist, { recursive: true })) {
  const file = new URL(name, dist);
  if (!statSync(file).isFile() || !/\.(html|js|css|svg|json)$/.test(name)) continue;
  const plain = readFileSync(file);
  const made = {
    gz: gzipSync(plain, { level: 9 }),
    br: brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } }),
  };
  for (const [kind, bytes] of Object.entries(made)) {
    const beside = new URL(`${name}.${kind}`, dist);
    if (plain.length > 512 && bytes.length < plain.length * 0.95) writeFileSync(beside, bytes);
    else rmSync(beside, { force: true });
  }
}
