#!/usr/bin/env node
// p50, p95 and p99 of the dashboard's queries over HTTPS, against a broker whose registry holds a large generated fleet.
//
//   node bench/graphql/queries.mjs --airmaild build/dev/broker/airmaild [--devices 1000000] [--clients 50] [--seconds 8] [--keep DIR]
//
// Makes a certificate (openssl) and the rows (sqlite3), starts the broker, makes an admin, then asks each query by itself: every client
// keeps one connection and one question open at a time, with ids and filters drawn at random. Prints a table; needs Node 18.
import { spawn, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import https from 'node:https'
import net from 'node:net'

const option = (name, otherwise) => { const i = process.argv.indexOf('--' + name); return i < 0 ? otherwise : process.argv[i + 1] }
const airmaild = option('airmaild', 'build/dev/broker/airmaild'), devices = +option('devices', 1000000), clients = +option('clients', 50), seconds = +option('seconds', 8)
const dir = option('keep', '') || mkdtempSync(join(tmpdir(), 'airmail-graphql-'))
mkdirSync(dir, { recursive: true })
const free = () => new Promise(done => { const s = net.createServer(); s.listen(0, '127.0.0.1', () => { const p = s.address().port; s.close(() => done(p)) }) })
const sleep = ms => new Promise(done => setTimeout(done, ms))

execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem')], { stdio: 'ignore' })
const port = await free(), mqtt = await free(), metrics = await free()
writeFileSync(join(dir, 'airmail.conf'), `store_path ${dir}/data
store_map_size 256MiB
metrics_port ${metrics}
control_socket ${dir}/control.sock
http_bind 127.0.0.1
http_port ${port}
http_certfile ${dir}/cert.pem
http_keyfile ${dir}/key.pem
http_graphql_rate 0
${process.getuid() === 0 ? 'user root' : ''}
listener ${mqtt} 127.0.0.1
device_listener true
cafile ${dir}/cert.pem
certfile ${dir}/cert.pem
keyfile ${dir}/key.pem
`)
const agent = new https.Agent({ keepAlive: true, maxSockets: 1000, ca: readFileSync(join(dir, 'cert.pem')) })
const post = (path, body, token) => new Promise((done, no) => {
  const r = https.request({ host: 'localhost', port, path, method: 'POST', agent, headers: { 'content-type': 'application/json', ...(token && { authorization: 'Bearer ' + token }) } }, a => {
    let text = ''
    a.on('data', d => { text += d }).on('end', () => { try { done(JSON.parse(text)) } catch (e) { no(new Error(a.statusCode + ' ' + text.slice(0, 200))) } })
  })
  r.on('error', no)
  r.end(JSON.stringify(body))
})
let child, said = ''
process.on('exit', () => child?.kill('SIGKILL'))   // a bench that fails leaves no broker behind
async function start() {
  said = ''
  child = spawn(airmaild, ['-c', join(dir, 'airmail.conf')])
  for (const s of [child.stdout, child.stderr]) s.on('data', d => { said += d })
  for (let i = 0; i < 1200; ++i) {
    try { if ((await fetch(`http://127.0.0.1:${metrics}/readyz`)).ok) return } catch {}
    if (child.exitCode !== null || child.signalCode) throw new Error(said)
    await sleep(100)
  }
  throw new Error('not ready: ' + said)
}
const stop = () => new Promise(done => { child.on('exit', done); child.kill('SIGTERM') })

await start()
const setup = said.match(/setup\?token=([0-9a-f]{64})/)
let login = setup ? await post('/api/v1/auth/setup', { token: setup[1], user: 'bench', password: 'a long password' }) : null
await stop()
// All are offline: a broker that starts makes them so. Triggers of the outbox need the broker's own functions; it makes them anew when it starts.
const began = Date.now()
const there = +execFileSync('sqlite3', [join(dir, 'data/registry.db'), 'SELECT count(*) FROM devices']).toString()
if (there < devices) {
  const triggers = execFileSync('sqlite3', [join(dir, 'data/registry.db'), "SELECT 'DROP TRIGGER \"' || name || '\";' FROM sqlite_schema WHERE type = 'trigger' AND 1"]).toString()
  execFileSync('sqlite3', [join(dir, 'data/registry.db')], { input: `${triggers}
    PRAGMA synchronous = OFF; BEGIN;
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${devices - 1})
    INSERT INTO devices(device_id, serial_no, model, current_firmware, last_seen, status, created_at, updated_at, registration, ever_seen, hash)
      SELECT lower(hex(randomblob(16))), printf('sn-%07d', i), 'TX-' || (100 + abs(random() % 20)), 'v1.' || abs(random() % 10) || '.0', 1764000000000 - abs(random() % 900000000), 'offline',
        1700000000000, 1764000000000, CASE abs(random() % 1000) WHEN 0 THEN 'quarantined' ELSE 'accepted' END, 1, abs(random() % 2147483648) FROM n;
    INSERT INTO device_tags(device_id, tag, serial_no) SELECT device_id, 'site-' || (hash % 50), serial_no FROM devices WHERE hash % 5 = 0;
    INSERT INTO campaigns(campaign_id, name, firmware_id, target_criteria, status, stage, created_by, created_at, updated_at, to_version, phases, salt, max_in_flight, n_total)
      VALUES('bench-1', 'bench', 'f', '{}', 'completed', 'all_terminal', 'bench', 1764000000000, 1764000000000, 'v2.0.0', '[{"percent":1,"soak_s":600,"success_percent":95},{"percent":10,"soak_s":600,"success_percent":95},{"percent":100,"soak_s":600,"success_percent":95}]', 7, 1000, ${Math.min(devices, 100000)});
    INSERT INTO campaign_devices(campaign_device_id, campaign_id, device_id, serial_no, status, stage, reason, bucket, from_version, to_version, updated_at, completed_at, live)
      SELECT device_id, 'bench-1', device_id, serial_no, CASE hash % 20 WHEN 0 THEN 'failed' WHEN 1 THEN 'rollback' ELSE 'completed' END, CASE hash % 20 WHEN 0 THEN 'failed' ELSE 'completed' END, CASE hash % 20 WHEN 0 THEN 'checksum_mismatch' ELSE '' END,
        hash % 10000, current_firmware, 'v2.0.0', 1764000000000, 1764000000000, 0 FROM devices ORDER BY serial_no LIMIT 100000;
    INSERT INTO campaign_events(campaign_id, seq, at, event, device_id, serial_no, to_status, stage)
      SELECT campaign_id, row_number() OVER (ORDER BY x.i, c.rowid), 1764000000000 + x.i, 'device', device_id, serial_no, x.s, x.s
      FROM campaign_devices c, (SELECT 1 AS i, 'downloading' AS s UNION ALL SELECT 2, 'installing' UNION ALL SELECT 3, 'completed') x;
    INSERT INTO alerts(severity, kind, campaign_id, serial_no, text, at, last_at) SELECT 'warning', 'rollback', campaign_id, serial_no, 'rolled back', updated_at, updated_at FROM campaign_devices WHERE status = 'rollback';
    UPDATE campaigns SET n_finished = n_total;
    COMMIT; PRAGMA wal_checkpoint(TRUNCATE);` })
}
console.log(`${devices} devices made in ${((Date.now() - began) / 1000).toFixed(1)} s; ${clients} clients, ${seconds} s a query`)
await start()
login = await post('/api/v1/auth/login', { user: 'bench', password: 'a long password' })

const n = most => Math.floor(Math.random() * most), serial = () => 'sn-' + String(n(devices)).padStart(7, '0'), model = () => 'TX-' + (100 + n(20))
const card = 'serial_no model current_firmware status last_seen tags'
const queries = {
  'device by id': () => [`query($id: ID!) { device(id: $id) { ${card} registration update_status current_update { stage } } }`, { id: serial() }],
  'device page': () => [`query($id: ID!) { device(id: $id) { ${card} update_status updates(first: 10) { campaign_name status } timeline(first: 20) { nodes { at text } } configuration { key value } alerts { text } } }`, { id: serial() }],
  'device list, any page': () => [`query($a: String) { devicesConnection(first: 50, after: $a) { nodes { ${card} } pageInfo { hasNextPage endCursor } } }`, { a: serial() }],
  'device list, a jump': () => [`query($n: Int) { devicesConnection(first: 50, skip: $n) { nodes { ${card} } } }`, { n: n(devices) }],
  'list of a model': () => [`query($a: String, $m: String) { devicesConnection(first: 50, after: $a, model: $m) { nodes { ${card} } pageInfo { endCursor } } }`, { a: serial(), m: model() }],
  'list by status': () => [`query($a: String, $s: DeviceStatus) { devicesConnection(first: 50, after: $a, status: $s) { nodes { ${card} } } }`, { a: serial(), s: ['ONLINE', 'OFFLINE', 'UPDATING'][n(3)] }],
  'list by model, version and status': () => [`query($m: String, $v: String, $s: DeviceStatus) { devicesConnection(first: 50, model: $m, version: $v, status: $s) { nodes { ${card} } } }`, { m: model(), v: `v1.${n(10)}.0`, s: ['ONLINE', 'OFFLINE', 'UPDATING'][n(3)] }],
  'list by tag': () => [`query($t: String) { devicesConnection(first: 50, tag: $t) { nodes { ${card} } } }`, { t: 'site-' + 5 * n(10) }],
  'list by registration': () => [`query($r: Registration) { devicesConnection(first: 50, registration: $r) { totalCount nodes { ${card} } } }`, { r: ['QUARANTINED', 'ACCEPTED'][n(2)] }],
  'list by RSQL': () => [`query($f: String) { devicesConnection(first: 50, filter: $f) { nodes { ${card} } } }`, { f: `model==${model()};status==offline` }],
  'search as you type': () => [`query($s: String) { devicesConnection(first: 50, search: $s) { totalCount nodes { ${card} } } }`, { s: serial().slice(0, 6 + n(4)) }],
  'list with its count': () => [`query($m: String) { devicesConnection(first: 50, model: $m) { totalCount nodes { serial_no } } }`, { m: model() }],
  'overview': () => [`{ overview { fleet { total online offline updating versions { model version count } update_success_percent active_campaigns open_alerts } broker { connections messages_in_per_s ready } } }`, {}],
  'campaign devices, any page': () => [`query($a: String) { campaign(id: "bench-1") { devices(first: 50, after: $a) { nodes { serial_no status stage reason } } } }`, { a: 'sn-' + String(n(100000)).padStart(7, '0') }],
  'campaign page (100,000 rows)': () => [`{ campaign(id: "bench-1") { name progress phases { percent state counters { total completed failed } } failures { reason count } cohorts { from_version total } devices(first: 50) { nodes { serial_no status } } } }`, {}],
}
const rows = []
for (const [name, make] of Object.entries(queries)) {
  const first = await post('/graphql', { query: make()[0], variables: make()[1] }, login.access_token)
  if (first.errors) { console.log(`${name}: ${JSON.stringify(first.errors).slice(0, 200)}`); continue }
  const times = [], until = Date.now() + seconds * 1000
  await Promise.all(Array.from({ length: clients }, async () => {
    while (Date.now() < until) {
      const [query, variables] = make(), at = performance.now()
      const r = await post('/graphql', { query, variables }, login.access_token)
      if (r.errors) throw new Error(JSON.stringify(r.errors))
      times.push(performance.now() - at)
    }
  }))
  times.sort((a, b) => a - b)
  const p = q => times[Math.min(times.length - 1, Math.floor(times.length * q))].toFixed(1)
  rows.push({ query: name, 'a second': Math.round(times.length / seconds), 'p50 ms': p(.5), 'p95 ms': p(.95), 'p99 ms': p(.99) })
}
console.table(rows)
await stop()
if (!option('keep', '')) rmSync(dir, { recursive: true })
process.exit(0)
