// graphql-ws against the WebSocket: pushed states, queries, refusals; and raw sockets for what a good client never does.
const WebSocket = require('ws')
const { createClient } = require('graphql-ws')
const { ask, fail } = require('./ask')

const url = process.env.URL.replace('https', 'wss') + '/graphql'
const within = (ms, what, promise) => Promise.race([promise, new Promise((_, no) => setTimeout(() => no(new Error('not within ' + ms + ' ms: ' + what)), ms).unref())])
/// The end of a raw socket: HTTP status of a refusal, or the close code.
const end = (address, options = {}, first) => new Promise(done => {
  const s = new WebSocket(address, options.protocol === undefined ? 'graphql-transport-ws' : options.protocol, options)
  s.on('open', () => first && first.forEach(m => s.send(typeof m === 'string' ? m : JSON.stringify(m))))
  s.on('unexpected-response', (_, r) => done(r.statusCode))
  s.on('close', c => done(c))
  s.on('error', () => {})
})
const same = (a, b, what) => { if (a !== b) throw new Error(`${what}: ${a}, not ${b}`) }

async function main() {
  const client = createClient({ url, webSocketImpl: WebSocket, connectionParams: { token: process.env.TOKEN }, retryAttempts: 0 })
  await ask('mutation { addDevice(serialNo: "ws-1", model: "TX-100") { serial_no } }')
  const states = client.iterate({ query: 'subscription { deviceUpdated(deviceId: "ws-1") { serial_no tags } }' })
  const first = await within(3000, 'the state now', states.next())
  same(JSON.stringify(first.value.data.deviceUpdated), '{"serial_no":"ws-1","tags":[]}', 'first state')
  const began = Date.now()
  await ask('mutation { tagDevice(id: "ws-1", add: ["lab"]) { serial_no } }')
  const second = await within(3000, 'the changed state', states.next())
  same(JSON.stringify(second.value.data.deviceUpdated.tags), '["lab"]', 'second state')
  console.log('a change was pushed after ' + (Date.now() - began) + ' ms')

  // Many changes at once: newest state wins, at most 4 a second.
  const from = Date.now()
  for (let i = 0; i < 20; ++i) await ask(`mutation { tagDevice(id: "ws-1", add: ["t${i}"]) { serial_no } }`)
  let got = 0, last
  do { last = await within(3000, 'the last state', states.next()), ++got } while (last.value.data.deviceUpdated.tags.length < 21)
  const most = 2 + Math.ceil((Date.now() - from) / 250)
  if (got > most) throw new Error(`${got} states in ${Date.now() - from} ms; at most ${most}`)
  console.log(`20 changes came as ${got} states`)
  await states.return()

  const overview = client.iterate({ query: 'subscription { overview { at fleet { total } broker { connections } } }' })
  await within(3000, 'overview', overview.next())
  await within(3000, 'overview again', overview.next())
  await overview.return()

  // Queries and errors travel on the same socket.
  const answer = await within(3000, 'a query', new Promise((yes, no) => { let v; client.subscribe({ query: '{ viewer { name role } }' }, { next: x => { v = x }, error: no, complete: () => yes(v) }) }))
  same(answer.data.viewer.role, 'ADMIN', 'role')
  const errors = await within(3000, 'an error', new Promise((yes, no) => client.subscribe({ query: '{ nope }' }, { next: no, error: yes, complete: () => no(new Error('completed')) })))
  same(errors[0].extensions.code, 'graphql.invalid', 'code')
  const none = await within(3000, 'no device', new Promise((yes, no) => client.subscribe({ query: 'subscription { deviceUpdated(deviceId: "no-such") { model } }' }, { next: no, error: yes, complete: () => no(new Error('completed')) })))
  same(none[0].extensions.code, 'registry.not_found', 'code')
  await client.dispose()

  const init = { type: 'connection_init', payload: { token: process.env.TOKEN } }
  const query = { id: '1', type: 'subscribe', payload: { query: 'subscription { overview { at } }' } }
  same(await end(url, { origin: 'https://evil.example' }), 403, 'J05 foreign origin')
  same(await end(url + '?token=' + process.env.TOKEN), 400, 'J05 token in the URL')
  same(await end(url, { protocol: [] }), 400, 'no subprotocol')
  same(await end(url, {}, [{ type: 'connection_init', payload: { token: 'nonsense' } }]), 4403, 'bad token')
  same(await end(url, {}, [{ type: 'connection_init' }]), 4403, 'no token')
  same(await end(url, {}, [query]), 4401, 'subscribe before init')
  same(await end(url, {}, [init, init]), 4429, 'init twice')
  same(await end(url, {}, [init, query, query]), 4409, 'id taken')
  same(await end(url, {}, ['nonsense']), 4400, 'no message')
  same(await end(url, {}, ['x'.repeat(70000)]), 1009, 'too large')
  if (process.env.AIRMAIL_LONG) same(await within(15000, 'init deadline', end(url)), 4408, 'J05 10 s for init')

  // J03: a user's socket ends when the user is no longer what he was.
  const other = await ask('mutation { createUser(name: "brief", password: "a long password", role: VIEWER) { name } }')
  if (other.errors) throw new Error(JSON.stringify(other.errors))
  const login = await (await fetch(process.env.URL + '/api/v1/auth/login', { method: 'POST', body: JSON.stringify({ user: 'brief', password: 'a long password' }) })).json()
  const closed = end(url, {}, [{ type: 'connection_init', payload: { token: login.access_token } }, query])
  await ask('{ tags }', undefined, login.access_token)
  await ask('mutation { setUserRole(name: "brief", role: OPERATOR) { role } }')
  same(await within(5000, 'J03 the socket is cut', closed), 4403, 'J03')
  same((await ask('{ tags }', undefined, login.access_token)).errors[0].extensions.code, 'auth.unauthorized', 'J03 the old token')
  await ask('mutation { removeUser(name: "brief") }')
  console.log('sockets: all as they should be')
  process.exit(0)
}
main().catch(fail)
