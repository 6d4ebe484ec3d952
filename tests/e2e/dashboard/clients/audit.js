// The graphql-http audit suite: every MUST and SHOULD.
const { auditServer } = require('graphql-http')
const { fail } = require('./ask')

async function main() {
  const results = await auditServer({
    url: process.env.URL + '/graphql',
    fetchFn: (url, init = {}) => fetch(url, { ...init, headers: { ...init.headers, authorization: 'Bearer ' + process.env.TOKEN } }),
  })
  const count = {}, bad = []
  for (const r of results) {
    count[r.status] = (count[r.status] || 0) + 1
    if (r.status !== 'ok') bad.push(`${r.status} ${r.id} ${r.name}: ${r.reason || ''}`)
  }
  console.log(results.length + ' audits', JSON.stringify(count))
  for (const b of bad) console.log(b)
  // "notice" is a MAY that is not done; warn is a SHOULD, error a MUST.
  if (count.warn || count.error) process.exit(1)
}
main().catch(fail)
