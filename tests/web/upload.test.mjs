// An upload that is cut goes on: by REST, by airmailctl and by the page, over real connections that really break and brokers
// that are really killed.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import { Day } from './day.mjs';
import { until } from './house.mjs';

const open = 3;
const day = new Day('upload', `http_uploads_max ${open}\nhttp_upload_expiry 24h`);
const { house, step } = day;
const root = '/api/v1/firmware/uploads';
let page;
let keys;
let release;
let bytes;
let upload;

/** One HTTPS request; `body` a Buffer or a string. `cutAfter`: so many bytes, then the socket is destroyed. */
const ask = (method, path, { body, headers = {}, key = keys?.operator, cutAfter } = {}) =>
  new Promise((done, fail) => {
    const go = https.request({ host: 'localhost', port: house.https, path, method, agent: false, rejectUnauthorized: false, headers: { ...(key && { Authorization: `Bearer ${key}` }), ...headers, ...(body !== undefined && { 'Content-Length': body.length }) } }, (answer) => {
      const parts = [];
      answer.on('data', (d) => parts.push(d)).on('end', () => {
        const text = Buffer.concat(parts).toString();
        done({ status: answer.statusCode, headers: answer.headers, body: text ? JSON.parse(text) : null });
      });
    });
    go.on('error', (e) => (cutAfter === undefined ? fail(e) : done(null)));
    if (cutAfter === undefined) return go.end(body);
    go.write(body.subarray(0, cutAfter), () => setImmediate(() => go.destroy()));
  });
const begin = (more) => ask('POST', root, { body: JSON.stringify({ size_bytes: bytes.length, name: 'v1.1.0.release', ...more }) });
const append = (id, offset, more = {}) => ask('PATCH', `${root}/${id}`, { body: bytes.subarray(offset), headers: { 'Upload-Offset': offset }, ...more });
const offsetOf = async (id) => Number((await ask('HEAD', `${root}/${id}`)).headers['upload-offset']);
const metric = (name) =>
  new Promise((done) =>
    http.get({ port: house.metrics, path: '/metrics' }, (a) => {
      let text = '';
      a.on('data', (d) => (text += d)).on('end', () => done(Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])));
    }),
  );
async function expiry(from, to) {
  const file = join(house.dir, 'airmail.conf');
  writeFileSync(file, readFileSync(file, 'utf8').replace(`http_upload_expiry ${from}`, `http_upload_expiry ${to}`));
  await house.killAndOpen();
}
/** Few enough to be read before a refusal: who still sends when he is refused may see a broken connection instead. */
const few = Buffer.alloc(100);
const left = () => readdirSync(join(house.dir, 'data/uploads'));
const images = () => readdirSync(join(house.dir, 'data/firmware'), { recursive: true }).filter((n) => /[0-9a-f]{64}$/.test(n)).length;

step('an upload says its size first, and is told where to send it', async () => {
  page = day.page;
  await day.firstAdmin();
  keys = {};
  for (const role of ['operator', 'viewer']) keys[role] = house.json('key', 'create', '--name', role, '--role', role).token;
  release = house.release('v1.1.0', 6, 2);
  bytes = readFileSync(release);
  upload = (await begin()).body.upload_id;
  assert.match(upload, /^[0-9a-f]{32}$/);
  const shown = await ask('GET', `${root}/${upload}`);
  assert.deepEqual([shown.status, shown.body.offset, shown.body.size_bytes], [200, 0, bytes.length]);
});

step('a connection that is cut in the middle leaves what has arrived; another offset is refused with the right one', async () => {
  await append(upload, 0, { cutAfter: 3 << 20 });
  let there = 0;
  // What the kernel still held when the connection went is read before the broker sees that it has.
  await until('all that came has been read', async () => {
    const before = there;
    there = await offsetOf(upload);
    return there > 0 && there === before;
  });
  assert.ok(there <= 3 << 20, `${there} bytes`);
  const wrong = await append(upload, there + 1, { body: few });
  assert.deepEqual([wrong.status, wrong.body.code, Number(wrong.headers['upload-offset'])], [409, 'firmware.upload_offset', there]);
  assert.equal((await ask('PATCH', `${root}/${upload}`, { body: few })).body.code, 'firmware.no_offset');
  const early = await ask('POST', `${root}/${upload}/finish`);
  assert.deepEqual([early.status, early.body.code], [409, 'firmware.upload_unfinished']);
});

step('a broker that is killed knows after its start how far it was; the rest makes it whole', async () => {
  const before = await offsetOf(upload);
  await house.killAndOpen();
  assert.equal(await offsetOf(upload), before);
  await append(upload, before, { cutAfter: 1 << 20 });
  await house.killAndOpen();
  const there = await offsetOf(upload);
  assert.ok(there >= before && there < bytes.length, `${there} bytes`);
  const rest = await append(upload, there);
  assert.deepEqual([rest.status, Number(rest.headers['upload-offset'])], [204, bytes.length]);
  assert.ok((await metric('airmail_admin_uploads_resumed_total')) >= 1);
  const made = await ask('POST', `${root}/${upload}/finish`);
  assert.deepEqual([made.status, made.body.version, made.body.checksum], [201, 'v1.1.0', `sha256:${createHash('sha256').update(bytes).digest('hex')}`]);
  // Who did not hear the answer asks again and hears it.
  assert.deepEqual(await ask('POST', `${root}/${upload}/finish`).then((a) => [a.status, a.body.firmware_id]), [201, made.body.firmware_id]);
  assert.equal((await ask('GET', `${root}/${upload}`)).status, 404);
  assert.deepEqual(left(), []);
  const audit = house.json('audit', 'list').entries.filter((e) => e.action.startsWith('firmware.upload'));
  assert.deepEqual(audit.map((e) => [e.action, e.target, e.outcome]), [['firmware.upload', made.body.firmware_id, 'ok'], ['firmware.upload_begin', upload, 'ok']]);
  assert.match(audit[0].actor, /^key .*operator/);
});

step('a second connection takes over from the first, which may be dead without anybody knowing', async () => {
  const id = (await begin()).body.upload_id;
  const slow = https.request({ host: 'localhost', port: house.https, path: `${root}/${id}`, method: 'PATCH', agent: false, rejectUnauthorized: false, headers: { Authorization: `Bearer ${keys.operator}`, 'Upload-Offset': 0, 'Content-Length': bytes.length } });
  slow.on('error', () => {});
  // It is told so; or it had stood still for so long that it was cut before.
  const told = new Promise((done) => slow.on('response', (a) => (a.resume(), done(a.statusCode))).on('close', () => done(0)));
  slow.write(bytes.subarray(0, 1 << 20));
  const there = await until('the first has begun', async () => await offsetOf(id));
  await until('it stands still', async () => (await offsetOf(id)) === 1 << 20);
  assert.ok(there > 0);
  assert.equal((await append(id, 1 << 20)).status, 204);
  slow.write(few);
  assert.ok([409, 0].includes(await told));
  slow.destroy();
  assert.equal(await offsetOf(id), bytes.length);
  assert.equal((await ask('DELETE', `${root}/${id}`)).status, 200);
  assert.equal((await append(id, 0, { body: few })).status, 404);
});

step('what is too long, unsigned or another file than announced is refused, and its bytes go', async () => {
  const kept = images();
  const short = (await begin({ size_bytes: 1000 })).body.upload_id;
  assert.deepEqual(await append(short, 0, { body: bytes.subarray(0, 1001) }).then((a) => [a.status, a.body.code]), [413, 'firmware.upload_too_long']);
  assert.equal((await ask('DELETE', `${root}/${short}`)).status, 200);
  const junk = Buffer.alloc(200_000, 7);
  const unsigned = (await begin({ size_bytes: junk.length })).body.upload_id;
  await ask('PATCH', `${root}/${unsigned}`, { body: junk, headers: { 'Upload-Offset': 0 } });
  assert.deepEqual(await ask('POST', `${root}/${unsigned}/finish`).then((a) => [a.status, a.body.code]), [422, 'firmware.unsigned']);
  const other = (await begin({ sha256: 'a'.repeat(64) })).body.upload_id;
  await append(other, 0);
  assert.deepEqual(await ask('POST', `${root}/${other}/finish`).then((a) => [a.status, a.body.code]), [422, 'firmware.mismatch']);
  // In one request, too: a refused file used to stay in the store for good.
  assert.equal((await ask('POST', '/api/v1/firmware', { body: junk })).status, 422);
  assert.deepEqual(left(), []);
  await until('the refused file is gone', async () => images() === kept);
  assert.equal((await begin({ size_bytes: 5 * 2 ** 40 })).status, 413);
  assert.equal((await begin({ size_bytes: 0 })).status, 422);
  assert.equal((await begin({ sha256: 'no' })).status, 422);
});

step('only operators may, as many as the bound says, and nobody holds a place for ever', async () => {
  assert.equal((await ask('POST', root, { body: '{}', key: keys.viewer })).status, 403);
  assert.equal((await ask('POST', root, { body: '{}', key: '' })).status, 401);
  assert.equal((await ask('PUT', root, { body: '{}' })).headers.allow, 'POST, GET');
  const ids = [];
  for (let i = 0; i < open; i++) ids.push((await begin()).body.upload_id);
  const full = await begin();
  assert.deepEqual([full.status, full.body.code, full.headers['retry-after']], [429, 'firmware.uploads_full', '60']);
  assert.equal(await metric('airmail_admin_uploads_open'), open);
  assert.equal(await metric('airmail_admin_uploads_refused_total'), 1);
  await expiry('24h', '1s');
  await until('nobody went on with them', async () => (await metric('airmail_admin_uploads_open')) === 0);
  assert.equal(await metric('airmail_admin_uploads_expired_total'), open);
  assert.deepEqual(left(), []);
  assert.equal((await append(ids[0], 0, { body: few })).status, 404);
  await expiry('1s', '24h');
});

/** Passes bytes on to the broker; `through(n)` is told how many, and may say that this connection is cut. */
function middleman(through) {
  return new Promise((done) => {
    const server = net.createServer((near) => {
      const far = net.connect(house.https, '127.0.0.1');
      near.on('data', (d) => (through(d.length) ? (near.destroy(), far.destroy()) : far.write(d) || (near.pause(), far.once('drain', () => near.resume()))));
      far.on('data', (d) => near.write(d));
      for (const [a, b] of [[near, far], [far, near]]) a.on('error', () => b.destroy()).on('close', () => b.destroy());
    });
    server.listen(0, '127.0.0.1', () => done(server));
  });
}

step('airmailctl goes on by itself over a cut connection and a killed broker', async () => {
  const file = house.release('v1.2.0', 24, 3);
  let passed = 0;
  let cuts = 0;
  let killed;
  const server = await middleman((n) => {
    passed += n;
    if (passed > (5 << 20) && cuts === 0) return ++cuts;
    if (passed > (14 << 20) && cuts === 1) return ++cuts, (killed = house.killAndOpen()), true;
    return false;
  });
  const { spawn } = await import('node:child_process');
  const ctl = spawn(join(process.env.AIRMAIL_BIN, 'tools/airmailctl/airmailctl'), ['--url', `https://localhost:${server.address().port}`, '--key', keys.operator, '--cafile', join(house.dir, 'ca/ca.crt'), '--json', 'firmware', 'upload', file]);
  let said = '';
  for (const s of [ctl.stdout, ctl.stderr]) s.on('data', (d) => (said += d));
  const code = await new Promise((on) => ctl.on('exit', on));
  await killed;
  server.close();
  assert.equal(code, 0, said);
  assert.equal(cuts, 2);
  assert.match(said, /"version":"v1\.2\.0"/);
  assert.ok(passed < 24 * 1.9 * 2 ** 20, `${passed} bytes went over the wire for 24 MiB: it began anew`);
});

step('so does the page, and says what it waits for', async () => {
  const wire = await day.context.newCDPSession(page);
  const speed = (mib) => wire.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: mib < 0 ? -1 : mib * 1048576 });
  await page.goto(`${house.url}/firmware`);
  await page.getByText('v1.2.0').first().waitFor();
  await speed(2);
  await page.setInputFiles('input[type=file]', house.release('v1.3.0', 8, 4));
  await page.locator('.drop [role=img]').waitFor();
  await until('some of it is there', async () => (await house.api('GET', root)).body.uploads[0]?.offset > 1e6);
  const said = page.getByText('it goes on by itself').waitFor(); // for as long as there is no broker
  await house.killAndOpen();
  await said;
  await speed(-1);
  const row = page.getByRole('row').filter({ hasText: 'v1.3.0' });
  await row.getByText('Signed').waitFor();
  assert.ok((await metric('airmail_admin_uploads_resumed_total')) >= 1, 'it went on, and did not begin anew');
  assert.deepEqual(left(), []);
});

step('a file that was half through when the page was closed goes on when it is chosen again; Stop takes it back', async () => {
  const wire = await day.context.newCDPSession(page);
  const slow = (mib) => wire.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: mib * 1048576 });
  const file = house.release('v1.4.0', 6, 5);
  await slow(1);
  await page.setInputFiles('input[type=file]', file);
  const there = await until('some of it is there', async () => (await house.api('GET', root)).body.uploads[0]?.offset > 1e6 && (await house.api('GET', root)).body.uploads[0]);
  await page.reload();
  await page.getByText('v1.3.0').first().waitFor();
  await page.setInputFiles('input[type=file]', file);
  await until('it goes on', async () => (await house.api('GET', root)).body.uploads[0].offset > there.offset);
  assert.equal((await house.api('GET', root)).body.uploads[0].upload_id, there.upload_id);
  await day.button('Stop').click();
  await until('it is taken back', async () => (await house.api('GET', root)).body.uploads.length === 0);
  assert.equal(existsSync(join(house.dir, 'data/uploads', `${there.upload_id}.part`)), false);
});
