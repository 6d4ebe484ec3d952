// MQTT.js against airmaild: 3.1.1 and 5, QoS 0-2, retained, will, session resume, TLS with a client certificate; over TCP,
// WebSocket and secure WebSocket.
import { readFileSync } from 'node:fs'
import mqtt from 'mqtt'

const [plain, tls, ws, wss, wssDevice, dir] = process.argv.slice(2)
const ca = readFileSync(`${dir}/ca.crt`)
// How everybody comes in, and how a device does.
const ways = {
  tcp: { url: `mqtt://127.0.0.1:${plain}`, device: `mqtts://localhost:${tls}` },
  ws: { url: `ws://127.0.0.1:${ws}/mqtt`, device: `wss://localhost:${wssDevice}/mqtt` },
  wss: { url: `wss://localhost:${wss}/mqtt`, device: `wss://localhost:${wssDevice}/mqtt` }
}
let way = ways.tcp
let failed = 0
const check = (what, good, detail) => {
  if (!good) failed++
  console.log((good ? 'ok   ' : 'FAIL ') + what, good ? '' : detail ?? '')
}

// A client with a queue of messages, so that a test reads them one after another.
async function open (clientId, version, more = {}) {
  const c = await mqtt.connectAsync(more.key ? way.device : way.url,
    { clientId, protocolVersion: version, reconnectPeriod: 0, connectTimeout: 20000, ca, ...more })
  const waiting = []
  const got = []
  c.on('error', () => {})
  c.on('message', (topic, payload, packet) => { const w = waiting.shift(); w ? w(packet) : got.push(packet) })
  c.next = () => got.length ? Promise.resolve(got.shift()) : new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${clientId}: nothing came`)), 20000)
    waiting.push(p => { clearTimeout(late); resolve(p) })
  })
  return c
}
// connectAsync resolves behind CONNACK: Session Present is read from the packet itself.
async function resume (clientId, version, more) {
  let present
  const c = mqtt.connect(way.url, { clientId, protocolVersion: version, reconnectPeriod: 0, ca, ...more })
  const got = []
  c.on('message', (topic, payload) => got.push(payload.toString()))
  await new Promise((resolve, reject) => { c.on('connect', p => { present = p.sessionPresent; resolve() }); c.on('error', reject) })
  return { c, got, present: () => present }
}

async function walk (version) {
  const word = version === 5 ? '5' : '3.1.1'
  const a = await open(`a-${word}`, version)
  const b = await open(`b-${word}`, version)
  for (const qos of [0, 1, 2]) {
    await b.subscribeAsync(`walk/${qos}`, { qos })
    await a.publishAsync(`walk/${qos}`, `hello ${qos}`, { qos })
    const m = await b.next()
    check(`${word} QoS ${qos}`, m.payload.toString() === `hello ${qos}` && m.qos === qos, m)
  }
  await a.publishAsync('kept', 'k', { qos: 1, retain: true })
  await b.subscribeAsync('kept', { qos: 1 })
  const kept = await b.next()
  check(`${word} retained`, kept.retain && kept.payload.toString() === 'k', kept)
  await b.unsubscribeAsync('kept')
  await a.publishAsync('kept', '', { qos: 1, retain: true })

  await b.subscribeAsync('wills', { qos: 1 })
  const mortal = await open(`mortal-${word}`, version, { will: { topic: 'wills', payload: Buffer.from('gone'), qos: 1, retain: false } })
  mortal.stream.destroy()
  check(`${word} will`, (await b.next()).payload.toString() === 'gone')

  const options = version === 5 ? { clean: false, properties: { sessionExpiryInterval: 3600 } } : { clean: false }
  const first = await resume(`keeper-${word}`, version, options)
  check(`${word} no session at first`, first.present() === false, first.present())
  await first.c.subscribeAsync('queue', { qos: 2 })
  await first.c.endAsync()
  for (let i = 0; i < 5; i++) await a.publishAsync('queue', String(i), { qos: 1 + i % 2 })
  const again = await resume(`keeper-${word}`, version, options)
  const end = Date.now() + 20000
  while (again.got.length < 5 && Date.now() < end) await new Promise(resolve => setTimeout(resolve, 20))
  check(`${word} session resumes with its queue`, again.present() === true && again.got.sort().join('') === '01234', again.got)
  await again.c.endAsync()
  // The next way in begins without it.
  await (await open(`keeper-${word}`, version, { clean: true })).endAsync()
  for (const c of [a, b]) await c.endAsync()
}

// Rounds of a hundred: fifty at QoS 0 to 2 while the subscriber is there, fifty at QoS 1 and 2 while it is away; then its session
// resumes. Each comes exactly once. AIRMAIL_LONG=1: many rounds.
async function exchange (version) {
  const word = version === 5 ? '5' : '3.1.1'
  const rounds = process.env.AIRMAIL_LONG ? 100 : 3
  const options = version === 5 ? { clean: false, properties: { sessionExpiryInterval: 3600 } } : { clean: false }
  const a = await open(`x-${word}`, version)
  const all = async (k) => {
    const end = Date.now() + 20000
    while (k.got.length < 50 && Date.now() < end) await new Promise(resolve => setTimeout(resolve, 5))
    return k.got.splice(0).map(Number)
  }
  let k = await resume(`xk-${word}`, version, options)
  await k.c.subscribeAsync('long', { qos: 2 })
  let good = true
  for (let r = 0; r < rounds && good; r++) {
    for (let i = 0; i < 50; i++) await a.publishAsync('long', String(i), { qos: i % 3 })
    const seen = await all(k)
    await k.c.endAsync()
    for (let i = 50; i < 100; i++) await a.publishAsync('long', String(i), { qos: 1 + i % 2 })
    k = await resume(`xk-${word}`, version, options)
    seen.push(...await all(k))
    good = k.present() === true && seen.sort((x, y) => x - y).join() === [...Array(100).keys()].join()
  }
  check(`${word} long exchange, each message once over many resumed sessions`, good)
  await k.c.endAsync()
  await (await open(`xk-${word}`, version, { clean: true })).endAsync()
  await a.endAsync()
}

async function device (version) {
  const word = version === 5 ? '5' : '3.1.1'
  const keys = { cert: readFileSync(`${dir}/sn-1.crt`), key: readFileSync(`${dir}/sn-1.key`) }
  const d = await open('sn-1', version, keys)
  const operator = await open(`operator-${word}`, version)
  await d.subscribeAsync('devices/sn-1/command', { qos: 1 })
  await operator.publishAsync('devices/sn-1/command', 'do it', { qos: 1 })
  check(`${word} TLS with a client certificate`, (await d.next()).payload.toString() === 'do it')
  const refused = await d.subscribeAsync('devices/sn-2/command', { qos: 1 }).then(g => g[0].qos >= 128, () => true)
  check(`${word} another's topic is refused`, refused)
  await d.endAsync()
  await operator.endAsync()
}

async function properties () {
  const a = await open('pa', 5)
  const b = await open('pb', 5)
  await b.subscribeAsync('props', { qos: 1, properties: { subscriptionIdentifier: 7 } })
  await a.publishAsync('props', 'x', { qos: 1, properties: { responseTopic: 'answers', correlationData: Buffer.from([1, 2]), userProperties: { k: ['1', '2'] } } })
  const p = (await b.next()).properties
  check('v5 properties arrive', p.responseTopic === 'answers' && p.correlationData.equals(Buffer.from([1, 2])) && String(p.userProperties.k) === '1,2' && p.subscriptionIdentifier === 7, p)
  await a.endAsync()
  await b.endAsync()
}

try {
  for (const [name, one] of Object.entries(ways)) {
    console.log(`over ${name}`)
    way = one
    for (const version of [4, 5]) await walk(version)
    for (const version of [4, 5]) await exchange(version)
    for (const version of [4, 5]) await device(version)
    await properties()
  }
} catch (e) {
  failed++
  console.log('FAIL', e)
}
console.log(`${failed} failed`)
process.exit(failed ? 1 : 0)
