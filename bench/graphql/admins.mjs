#!/usr/bin/env node
// Do people at the dashboard slow the devices down? A fleet updates through campaigns while probe devices publish QoS 1 at a fixed rate;
// by turns nobody watches, and 100 administrators load pages and hold subscriptions. Prints the probes' PUBACK p50 and p99 (from the moment
// each was due) of both, their ratio, and what the administrators were sent.
//
//   AIRMAIL_BIN=build/dev node bench/graphql/admins.mjs [--devices 10000] [--admins 100] [--seconds 60] [--rounds 2] [--probes 20] [--rate 10]
//
// The administrators and the probes are processes of their own, at nice 10 and 0: in life they stand on other machines.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import https from 'node:https'
import { loadavg, setPriority } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import tls from 'node:tls'

const option = (name, otherwise) => { const i = process.argv.indexOf('--' + name); return i < 0 ? otherwise : process.argv[i + 1] }
const devices = +option('devices', 10000), admins = +option('admins', 100), seconds = +option('seconds', 60), rounds = +option('rounds', 2), probes = +option('probes', 20), rate = +option('rate', 10)
const sleep = ms => new Promise(on => setTimeout(on, ms))
const percentile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]
const me = fileURLToPath(import.meta.url)
const serial = i => 'tx-' + String(i + 1).padStart(Math.max(4, String(devices).length), '0')

/** A child of this file; what it prints last is its result. */
function part(role, given) {
  const child = spawn(process.execPath, [me, '--role', role, '--given', JSON.stringify(given), '--seconds', String(seconds)], { stdio: ['pipe', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', d => { text += d })
  return new Promise((done, no) => child.on('exit', code => code ? no(new Error(`${role} ended with ${code}`)) : done(JSON.parse(text))))
}

// ---- probes: MQTT 3.1.1 over TLS with a certificate each, one PUBLISH at a time due every 1/rate s ----
const utf8 = s => { const b = Buffer.from(s), n = Buffer.alloc(2); n.writeUInt16BE(b.length); return Buffer.concat([n, b]) }
const packet = (type, body) => {
  const length = []
  for (let n = body.length; ;) { const b = n & 127; n >>= 7; length.push(n ? b | 128 : b); if (!n) break }
  return Buffer.concat([Buffer.from([type, ...length]), body])
}
async function probe({ mqtts, ca, serials, rate }) {
  const times = []
  let lost = 0
  await Promise.all(serials.map(async (id, k) => {
    const file = name => readFileSync(join(ca, 'devices', name))
    const socket = tls.connect({ host: 'localhost', port: mqtts, ca: readFileSync(join(ca, 'ca.crt')), cert: file(id + '.crt'), key: file(id + '.key') })
    await new Promise((on, no) => socket.once('secureConnect', on).once('error', no))
    socket.on('error', () => {})
    const due = new Map()
    let held = Buffer.alloc(0), connected
    const up = new Promise(on => { connected = on })
    socket.on('data', d => {
      held = Buffer.concat([held, d])
      while (held.length >= 2 && held.length >= 2 + held[1]) {   // nothing that comes here is longer than 127
        const kind = held[0] >> 4, id = held.readUInt16BE(2)
        if (kind === 2) connected()
        if (kind === 4 && due.has(id)) times.push(performance.now() - due.get(id)), due.delete(id)
        held = held.subarray(2 + held[1])
      }
    })
    socket.write(packet(0x10, Buffer.concat([utf8('MQTT'), Buffer.from([4, 2, 0, 60]), utf8(id)])))
    await up
    const begun = performance.now() + (k * 1000) / rate / serials.length, count = Math.floor(seconds * rate)
    for (let i = 0; i < count; i++) {
      const at = begun + (i * 1000) / rate
      if (at > performance.now()) await sleep(at - performance.now())
      const n = (i % 65535) + 1, number = Buffer.alloc(2)
      number.writeUInt16BE(n)
      due.set(n, at)
      const body = JSON.stringify({ serial_no: id, model: 'PROBE', current_firmware: 'v1.0.0', timestamp: Math.floor(Date.now() / 1000) })
      socket.write(packet(0x32, Buffer.concat([utf8(`devices/${id}/heartbeat`), number, Buffer.from(body)])))
    }
    for (let i = 0; i < 100 && due.size; i++) await sleep(100)
    lost += due.size
    socket.end()
  }))
  times.sort((a, b) => a - b)
  return { count: times.length, lost, p50: percentile(times, .5), p99: percentile(times, .99), worst: times.at(-1) }
}

// ---- administrators: a login each, pages with their assets, graphql-transport-ws by hand ----
async function administrators({ port, users, password, campaign, watched }) {
  setPriority(10)
  const told = { pushed: 0, pages: 0, slowest_page_ms: 0, most_a_second: 0, refused: 0, cut: 0 }
  const ask = (agent, method, path, body, token) => new Promise((done, no) => {
    const r = https.request({ host: 'localhost', port, path, method, agent, rejectUnauthorized: false, headers: { 'Accept-Encoding': 'br', ...(body && { 'Content-Type': 'application/json' }), ...(token && { Authorization: 'Bearer ' + token }) } }, a => {
      const parts = []
      a.on('data', d => parts.push(d)).on('end', () => done({ status: a.statusCode, text: Buffer.concat(parts).toString() }))
    })
    r.on('error', no)
    r.end(body && JSON.stringify(body))
  })
  const questions = [
    '{ overview { fleet { total online offline updating versions { model version count } open_alerts active_campaigns } broker { connections messages_in_per_s ready } } }',
    '{ devicesConnection(first: 50) { totalCount nodes { serial_no model current_firmware status last_seen update_status } } }',
    `{ campaign(id: "${campaign}") { name progress phases { percent state } failures { reason count } devices(first: 50) { nodes { serial_no status } } } }`,
    `query($id: ID!) { device(id: $id) { serial_no status update_status timeline(first: 20) { nodes { at text } } } }`,
  ]
  const end = performance.now() + seconds * 1000
  await Promise.all(users.map(async (user, k) => {
    await sleep(k * 20)
    const agent = new https.Agent({ keepAlive: true, maxSockets: 6 })
    const { access_token: token } = JSON.parse((await ask(agent, 'POST', '/api/v1/auth/login', { user, password })).text)
    const socket = tls.connect({ host: 'localhost', port, rejectUnauthorized: false })
    const send = text => {
      const data = Buffer.from(text), head = data.length < 126 ? Buffer.from([0x81, 0x80 | data.length]) : Buffer.from([0x81, 0xfe, data.length >> 8, data.length & 255])
      const mask = randomBytes(4)
      socket.write(Buffer.concat([head, mask, data.map((b, i) => b ^ mask[i & 3])]))
    }
    let held = Buffer.alloc(0), open = false, over = false
    const each = new Map()
    socket.on('error', () => {}).on('close', () => { if (!over) told.cut++ })
    socket.on('data', d => {
      held = Buffer.concat([held, d])
      if (!open) {
        const at = held.indexOf('\r\n\r\n')
        if (at < 0) return
        open = true, held = held.subarray(at + 4)
        send(JSON.stringify({ type: 'connection_init', payload: { token } }))
      }
      while (held.length >= 2) {
        const small = held[1] & 127, at = small === 126 ? 4 : small === 127 ? 10 : 2
        if (held.length < at) return
        const length = small === 126 ? held.readUInt16BE(2) : small === 127 ? Number(held.readBigUInt64BE(2)) : small
        if (held.length < at + length) return
        const kind = held[0] & 15, body = held.subarray(at, at + length)
        held = held.subarray(at + length)
        if (kind === 9) socket.write(Buffer.from([0x8a, 0x80, 0, 0, 0, 0]))
        if (kind !== 1) continue
        const m = JSON.parse(body)
        if (m.type === 'connection_ack') {
          send(JSON.stringify({ id: 'c', type: 'subscribe', payload: { query: 'subscription($id: ID!) { campaignProgress(campaignId: $id) { name status progress counters { finished in_flight failed } updated_at } }', variables: { id: campaign } } }))
          for (const [i, id] of watched[k].entries()) send(JSON.stringify({ id: 'd' + i, type: 'subscribe', payload: { query: 'subscription($id: ID!) { deviceUpdated(deviceId: $id) { serial_no status current_firmware last_seen update_status } }', variables: { id } } }))
        }
        if (m.type === 'next') {
          told.pushed++
          const second = Math.floor(performance.now() / 1000), key = m.id + ' ' + second
          each.set(key, (each.get(key) ?? 0) + 1)
          told.most_a_second = Math.max(told.most_a_second, each.get(key))
        }
      }
    })
    await new Promise((on, no) => socket.once('secureConnect', on).once('error', no))
    socket.write(`GET /graphql HTTP/1.1\r\nHost: localhost:${port}\r\nOrigin: https://localhost:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`)
    for (let n = k; performance.now() < end; n++) {
      const at = performance.now()
      const html = (await ask(agent, 'GET', '/')).text
      if (n === k) await Promise.all([...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(m => ask(agent, 'GET', m[1])))
      const query = questions[n % questions.length]
      const { status } = await ask(agent, 'POST', '/graphql', { query, ...(query.includes('$id') && { variables: { id: watched[k][0] } }) }, token)
      if (status !== 200) told.refused++
      told.pages++
      told.slowest_page_ms = Math.max(told.slowest_page_ms, Math.round(performance.now() - at))
      await sleep(Math.max(0, Math.min(5000, end - performance.now())))
    }
    over = true
    socket.destroy()
    agent.destroy()
  }))
  return told
}

if (option('role')) {
  const result = await (option('role') === 'probe' ? probe : administrators)(JSON.parse(option('given')))
  console.log(JSON.stringify(result))
  process.exit(0)
}

const { House, until } = await import('../../tests/web/house.mjs')
const house = new House()
const password = 'a long password indeed'
try {
  await house.broker('http_graphql_rate 0\nmetrics_bind 127.0.0.1')
  const ca = join(house.dir, 'ca')
  const serials = Array.from({ length: probes }, (_, i) => `probe-${i}`), users = Array.from({ length: admins }, (_, i) => `admin${i}`)
  house.ctl('ca', 'device', '--dir', ca, ...serials)
  for (const name of users) {
    const { status, body } = await house.api('POST', '/api/v1/users', { name, password, role: 'admin' })
    if (status >= 300) throw new Error(JSON.stringify(body))
  }
  const fleet = house.fleet(devices, ['--connect-rate', '400'], 'tx-', { model: 'TX-100', firmware: 'v1.0.0', heartbeat: '30s' })
  await until(`${devices} devices are here`, async () => (await house.api('GET', '/api/v1/fleet')).body.online >= devices, 900)
  console.log(`${devices} devices are here; ${seconds} s a turn, ${probes} probes at ${rate}/s each, ${admins} administrators every other turn; load ${loadavg()[0].toFixed(1)}`)
  const rows = []
  for (let turn = 0; turn < 2 * rounds; turn++) {
    const watched = turn % 2 === 1, version = `v1.${turn + 1}.0`
    const { firmware_id } = house.json('firmware', 'upload', house.release(version, 0.25, turn + 2))
    const made = await house.api('POST', '/api/v1/campaigns', { name: version, firmware_id, target_criteria: {}, phases: 'none', start: true, rate_per_min: Math.ceil((devices * 60) / seconds), max_in_flight: 1000 })
    const campaign = made.body.campaign_id
    if (!campaign) throw new Error(JSON.stringify(made.body))
    const look = users.map(() => Array.from({ length: 5 }, () => serial(Math.floor(Math.random() * devices))))
    const [seen, told] = await Promise.all([part('probe', { mqtts: house.mqtts, ca, serials, rate }), watched ? part('admins', { port: house.https, users, password, campaign, watched: look }) : null])
    const finished = (await house.api('GET', `/api/v1/campaigns/${campaign}`)).body.counters.finished
    rows.push({ turn: watched ? `${admins} admins` : 'control', updated: finished, puback_p50_ms: +seen.p50.toFixed(2), puback_p99_ms: +seen.p99.toFixed(2), worst_ms: +seen.worst.toFixed(1), of: seen.count, lost: seen.lost, load: +loadavg()[0].toFixed(1), ...(told ?? {}) })
    await until('the campaign is over', async () => {
      if (fleet.child.exitCode !== null) throw new Error(`the fleet is gone: ${fleet.text().slice(-500)}`)
      return (await house.api('GET', `/api/v1/campaigns/${campaign}`)).body.status === 'completed'
    }, 600)
  }
  console.table(rows)
  const mean = kind => rows.filter(r => (r.turn === 'control') === kind).reduce((sum, r) => sum + r.puback_p99_ms, 0) / rounds
  console.log(`MQTT p99 with ${admins} administrators / without: ${(mean(false) / mean(true)).toFixed(2)} (goal: at most 1.5)`)
} finally {
  await house.end()
}
