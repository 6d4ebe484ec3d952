// Fails the build when the first load has grown beyond what was promised: everything that index.html names, gzip -9.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const limit = 350 * 1024;
const dist = new URL('../dist/', import.meta.url);
const html = readFileSync(new URL('index.html', dist), 'utf8');
const names = ['index.html', ...[...html.matchAll(/(?:src|href)="\/([^"]+)"/g)].map((m) => m[1])];
let total = 0;
for (const name of names) {
  const size = gzipSync(readFileSync(new URL(name, dist)), { level: 9 }).length;
  total += size;
  console.log(`${String(size).padStart(8)}  ${name}`);
}
console.log(`${String(total).padStart(8)}  first load, compressed; at most ${limit}`);
// What the server's Content-Security-Policy would refuse.
const inline = html.match(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/);
if (inline) throw new Error(`index.html has something inline: ${inline[0]}`);
if (total > limit) throw new Error(`the first load is ${total - limit} bytes too large`);
// styles/mantine.css names the parts that are used: a class that the pages name and Mantine has a rule for must have come along.
const assets = readdirSync(new URL('assets/', dist));
const text = (end) => assets.filter((n) => n.endsWith(end)).map((n) => readFileSync(new URL(`assets/${n}`, dist), 'utf8')).join('\n');
const classes = (of) => new Set(of.match(/\bm_[0-9a-f]{6,8}\b/g));
const styled = classes(text('.css'));
const all = classes(readFileSync(new URL('../node_modules/@mantine/core/styles.css', import.meta.url), 'utf8'));
const unused = new Set(['CheckboxCard', 'RadioCard'].flatMap((n) => [...classes(readFileSync(new URL(`../node_modules/@mantine/core/styles/${n}.css`, import.meta.url), 'utf8'))]));
const missing = [...classes(text('.js'))].filter((c) => all.has(c) && !styled.has(c) && !unused.has(c));
if (missing.length) throw new Error(`styles/mantine.css lacks the parts of Mantine with ${missing.join(', ')}`);
