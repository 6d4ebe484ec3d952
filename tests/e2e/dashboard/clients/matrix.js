// Roles: every root field of the schema asked as nobody, viewer, operator and admin. Below its role: auth.forbidden. From it on: never that.
const fs = require('fs')
const { buildSchema, isNonNullType, getNamedType, isListType, getNullableType, isEnumType, isInputObjectType, isScalarType, isObjectType } = require('graphql')
const { ask, fail } = require('./ask')

const schema = buildSchema(fs.readFileSync(process.env.SCHEMA, 'utf8'))
const rank = { VIEWER: 1, OPERATOR: 2, ADMIN: 3 }
const token = { VIEWER: process.env.VIEWER, OPERATOR: process.env.OPERATOR, ADMIN: process.env.TOKEN }
function sample(type) {
  type = getNullableType(type)
  if (isListType(type)) return '[' + sample(type.ofType) + ']'
  if (isEnumType(type)) return type.getValues()[0].name
  if (isInputObjectType(type)) return '{' + Object.values(type.getFields()).filter(f => isNonNullType(f.type)).map(f => f.name + ': ' + sample(f.type)).join(', ') + '}'
  return { Int: '1', Float: '1', Long: '1', Boolean: 'true', Time: '"2026-01-01T00:00:00Z"', JSON: '{}' }[type.name] || '"no-such-thing"'
}
const leafs = type => Object.values(type.getFields()).filter(f => !isObjectType(getNamedType(f.type)) && f.args.length === 0).slice(0, 2).map(f => f.name).join(' ')
async function main() {
  let asked = 0, refused = 0
  const wrong = []
  for (const [kind, root] of [['query', schema.getQueryType()], ['mutation', schema.getMutationType()]])
    for (const f of Object.values(root.getFields())) {
      const role = f.astNode.directives.find(d => d.name.value === 'role')
      const needs = role ? role.arguments[0].value.value : 'VIEWER'
      const args = f.args.filter(a => isNonNullType(a.type)).map(a => a.name + ': ' + sample(a.type)).join(', ')
      const type = getNamedType(f.type)
      const text = `${kind} { ${f.name}${args ? '(' + args + ')' : ''} ${isObjectType(type) ? '{ ' + (leafs(type) || '__typename') + ' }' : ''} }`
      for (const who of ['VIEWER', 'OPERATOR', 'ADMIN']) {
        const r = await ask(text, undefined, token[who])
        const codes = (r.errors || []).map(e => e.extensions.code)
        ++asked
        if (codes.some(c => c.startsWith('graphql.'))) wrong.push(`${text}: ${JSON.stringify(r.errors)}`)
        const forbidden = codes.includes('auth.forbidden')
        if (forbidden) ++refused
        // Two fields look closer at what is asked, whatever the role: one's own password is a user's, and call asks the method's role.
        if (rank[who] < rank[needs] && !forbidden) wrong.push(`${who} may ${f.name}, which needs ${needs}`)
        if (rank[who] >= rank[needs] && forbidden && f.name !== 'changePassword') wrong.push(`${who} may not ${f.name}, which needs ${needs}: ${JSON.stringify(r.errors)}`)
      }
      const nobody = await ask(text, undefined, 'nothing')
      if (!nobody.errors || nobody.errors[0].extensions.code !== 'auth.unauthorized' || nobody.data) wrong.push(`nobody may ${f.name}`)
    }
  console.log(`${asked} questions, ${refused} refused`)
  wrong.forEach(w => console.log(w))
  process.exit(wrong.length ? 1 : 0)
}
main().catch(fail)
