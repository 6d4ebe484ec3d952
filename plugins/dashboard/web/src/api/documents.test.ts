// What the page asks is held to what is served: the schema beside the server, its limits, and the types made from it.
import sdl from '../../../graphql/schema.graphqls?raw';
import made from './schema.ts?raw';
import { buildSchema, type DocumentNode, isListType, isNonNullType, isObjectType, Kind, type SelectionSetNode, TypeInfo, validate, visit, visitWithTypeInfo } from 'graphql';
import { describe, expect, it } from 'vitest';
import * as documents from './documents';

const schema = buildSchema(sdl);
const all = Object.entries(documents).filter((e): e is [string, DocumentNode & never] => (e[1] as DocumentNode)?.kind === Kind.DOCUMENT);

/** How deep a selection goes: a root field is 1. */
const depth = (set: SelectionSetNode | undefined): number => (set ? 1 + Math.max(0, ...set.selections.map((s) => ('selectionSet' in s ? depth(s.selectionSet) : 0))) : 0);

/** As README.md beside the server counts it: 1 a field that is an object, times the page size of each list it stands in. */
function cost(document: DocumentNode): number {
  const info = new TypeInfo(schema);
  const pages = [1];
  let sum = 0;
  visit(document, visitWithTypeInfo(info, {
    Field: {
      enter(node) {
        const first = node.arguments?.find((a) => a.name.value === 'first')?.value;
        const own = first?.kind === Kind.INT ? Number(first.value) : first?.kind === Kind.VARIABLE ? 50 : 1;
        let type = info.getType();
        while (type && (isNonNullType(type) || isListType(type))) type = type.ofType;
        const here = pages.at(-1)!;
        if (isObjectType(type)) sum += here;
        pages.push(here * own);
      },
      leave: () => void pages.pop(),
    },
  }));
  return sum;
}

describe('every operation of the page', () => {
  it('is found by this test', () => expect(all.length).toBeGreaterThan(40));
  it.each(all)('%s is valid against the served schema', (_, document) => expect(validate(schema, document).map((e) => e.message)).toEqual([]));
  it.each(all)('%s is not deeper than 8, the limit of the server', (_, document) => {
    const operation = document as DocumentNode;
    for (const d of operation.definitions) if (d.kind === Kind.OPERATION_DEFINITION) expect(depth(d.selectionSet)).toBeLessThanOrEqual(8);
  });
  it.each(all)('%s costs less than half of the server limit of 2,000', (_, document) => expect(cost(document)).toBeLessThan(1000));
  it('has a name of its own, so that the latency histograms can tell them apart', () => {
    const names = all.map(([, d]) => (d as DocumentNode).definitions.map((x) => (x.kind === Kind.OPERATION_DEFINITION ? x.name?.value : ''))[0]);
    expect(new Set(names).size).toBe(names.length);
  });
});

it('src/api/schema.ts is what scripts/types.mjs makes of the schema', async () => {
  const { typesOf } = (await import('../../scripts/types.mjs' as string)) as { typesOf: (sdl: string) => string };
  expect(made).toBe(typesOf(sdl));
});
