// graphql-js against our parser and validator: thousands of documents grown from good ones by small damage; the verdicts must agree.
const fs = require('fs')
const { spawnSync } = require('child_process')
const { parse, validate, buildSchema, specifiedRules } = require('graphql')
const { fail } = require('./ask')

const seeds = [
  'query Q($id: ID!, $n: Int = 5, $s: DeviceStatus) { device(id: $id) { ...F updates(first: $n) { status } } devices(status: $s, limit: 3) { x: model } } fragment F on Device { serial_no tags ... on Device { model } }',
  'mutation M($in: CreateCampaignInput!) { createCampaign(input: $in) { campaign_id phases { number counters { total } } } b: startCampaign(id: "a") }',
  'mutation { createCampaign(input: {name: "a", firmware_id: 1, phases: [{percent: 1.5}, {percent: 100, soak_s: null}], start: true}) { name } tagDevice(id: 1, add: ["a", "b"]) { tags } }',
  'subscription S($i: [ID!]!) { devicesUpdated(ids: $i) { serial_no status } }',
  '{ overview { at fleet { total versions { model count } } } a: alerts(open: null) { kind @skip(if: false) } t: __typename __schema { types { name kind } } }',
  'query A($p: JSON) { call(method: "x", params: $p) } query B { targetPreview(firmwareId: 1, targetCriteria: {model: "a", list: [1, 2.5, null, E]}) { count } campaignsConnection(status: ACTIVE) { edges { node { ...C } } pageInfo { hasNextPage } } } fragment C on Campaign { name ...D } fragment D on Campaign { progress }',
]
let state = 20261124
const random = n => { state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff; return (state >> 8) % n }
const pick = a => a[random(a.length)]
const words = ['{', '}', '(', ')', '[', ']', '!', '$', ':', '=', '@', '...', 'on', 'query', 'fragment', 'F', 'C', 'D', 'id', '$id', '$n', 'model', 'status', 'Device', 'Campaign', 'Int', 'String', 'null', 'true', '1', '1.5', '"x"', '"""b"""', 'ACTIVE', 'ONLINE', '@skip(if: true)', '@include', '@deprecated', 'first: 3', 'input', '__typename', 'ID!', '|', '&', '#c\n', ',', '0x', '-', '\\u']
const tokens = s => s.match(/"""[^]*?"""|"[^"]*"|\.\.\.|[A-Za-z_$@0-9.]+|[^\s]/g)
function damage(seed) {
  const t = tokens(seed)
  for (let k = 1 + random(3); k > 0; --k) {
    const i = random(t.length)
    const how = random(5)
    if (how === 0) t.splice(i, 1)
    else if (how === 1) t.splice(i, 0, pick(words))
    else if (how === 2) t[i] = pick(words)
    else if (how === 3) { const j = random(t.length); [t[i], t[j]] = [t[j], t[i]] }
    else t.splice(i, 0, ...t.slice(random(t.length), random(t.length) + 4))
  }
  return t.join(' ')
}
const schema = buildSchema(fs.readFileSync(process.env.SCHEMA, 'utf8'))
const theirs = text => {
  let doc
  try { doc = parse(text) } catch (e) { return ['syntax', e.message] }
  const errors = validate(schema, doc, specifiedRules)
  return errors.length ? ['invalid', errors[0].message] : ['valid', '']
}
const count = Number(process.env.COUNT || 4000)
const documents = [...seeds]
while (documents.length < count) documents.push(damage(pick(seeds)))
const ours = spawnSync(process.env.VERDICT, { input: documents.map(d => JSON.stringify(d)).join('\n') + '\n', maxBuffer: 1 << 28 })
if (ours.status !== 0) fail('graphql_verdict: ' + ours.status + ' ' + ours.stderr)
const lines = ours.stdout.toString().split('\n')
const tally = {}, differ = []
documents.forEach((d, i) => {
  const [mine, why] = lines[i].split('\t'), [other, reason] = theirs(d)
  tally[other] = (tally[other] || 0) + 1
  // A definition of a type is refused by both; we do not read on to see whether it is also ill-formed.
  if (mine !== other && !(other === 'syntax' && why === 'The definition of a type is not executable.')) differ.push(`${d}\n   ours ${mine} (${why}), graphql-js ${other} (${reason})`)
})
console.log(documents.length + ' documents', JSON.stringify(tally), differ.length + ' differ')
for (const d of differ.slice(0, 10)) console.log(d)
process.exit(differ.length ? 1 : 0)
