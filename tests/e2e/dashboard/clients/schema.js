// graphql-js: the schema as written is valid, and what the server shows by introspection is the same schema.
const fs = require('fs')
const { buildSchema, validateSchema, printSchema, lexicographicSortSchema, getIntrospectionQuery, buildClientSchema } = require('graphql')
const { ask, fail } = require('./ask')

async function main() {
  const written = buildSchema(fs.readFileSync(process.env.SCHEMA, 'utf8'))
  const errors = validateSchema(written)
  if (errors.length) fail('the schema is invalid: ' + errors.join('; '))
  const shown = await ask(getIntrospectionQuery())
  if (shown.errors) fail('introspection: ' + JSON.stringify(shown.errors))
  const a = printSchema(lexicographicSortSchema(written)), b = printSchema(lexicographicSortSchema(buildClientSchema(shown.data)))
  if (a !== b) {
    const x = a.split('\n'), y = b.split('\n'), i = x.findIndex((line, n) => line !== y[n])
    fail(`introspection differs from schema.graphqls: "${x[i]}" is shown as "${y[i]}"`)
  }
  console.log(`${Object.keys(written.getTypeMap()).length} types, the same written and shown`)
}
main().catch(fail)
