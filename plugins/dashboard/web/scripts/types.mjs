// Writes src/api/schema.ts from ../graphql/schema.graphqls: one interface per type, one union per enum. Run it after the
// schema has changed (`npm run types`); src/api/documents.test.ts fails when it was forgotten.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSchema, isEnumType, isInputObjectType, isListType, isNonNullType, isObjectType } from 'graphql';

const scalars = { ID: 'string', String: 'string', Boolean: 'boolean', Int: 'number', Float: 'number', Long: 'number', Time: 'string', JSON: 'unknown' };

function spell(type, nullable = true) {
  if (isNonNullType(type)) return spell(type.ofType, false);
  const inner = isListType(type) ? `${spell(type.ofType).includes('|') ? `(${spell(type.ofType)})` : spell(type.ofType)}[]` : (scalars[type.name] ?? type.name);
  return nullable ? `${inner} | null` : inner;
}

/** The text of src/api/schema.ts for a schema in SDL. */
export function typesOf(sdl) {
  const schema = buildSchema(sdl);
  const out = ['// Made by scripts/types.mjs from ../graphql/schema.graphqls. Change that, then run `npm run types`.', ''];
  for (const [name, type] of Object.entries(schema.getTypeMap())) {
    if (name.startsWith('__') || ['Query', 'Mutation', 'Subscription'].includes(name)) continue;
    if (isEnumType(type)) out.push(`export type ${name} = ${type.getValues().map((v) => `'${v.name}'`).join(' | ')};`, '');
    if (isObjectType(type) || isInputObjectType(type)) {
      out.push(`export interface ${name} {`);
      for (const [field, of] of Object.entries(type.getFields())) {
        if (of.description) out.push(`  /** ${of.description.replaceAll('\n', ' ')} */`);
        const optional = isInputObjectType(type) && !isNonNullType(of.type) ? '?' : '';
        out.push(`  ${field}${optional}: ${spell(of.type)};`);
      }
      out.push('}', '');
    }
  }
  return out.join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const here = (path) => new URL(path, import.meta.url);
  writeFileSync(here('../src/api/schema.ts'), typesOf(readFileSync(here('../../graphql/schema.graphqls'), 'utf8')));
}
