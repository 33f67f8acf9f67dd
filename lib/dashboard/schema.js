// What a payload's JSON Schema says of its fields, as lib/jobs/payload_schema.py makes it. No elements are made here.
//
//   fieldsOf(schemaOfMail, {})  ->  [{ name: "to", kind: "either", isRequired: false, … }, { name: "subject", … }]

import { isRaw, MASK } from "./json.js";

const LONG = /text|html|body|message|content|description|comment|note/i;
const LONG_CHARS = 200;
const DEPTH = 4;
const EMPTY = { string: "", integer: 0, number: 0, boolean: false, array: [], object: {} };
const ANY = "any";

/** Payloads that do something at once, for the jobs that ship with Waybill. Where no SMTP_URL is set, the mail is
 * written into OUTBOX_DIR: it needs no network. */
const SAMPLES = {
  email: { to: "you@example.com", subject: "Hi", text: "Hello" },
  webhook: { url: "https://example.com/hooks/orders", body: { order: 4711 } },
};

/** A payload that does something at once; nothing for a type that is not known here. */
export const sampleOf = (type) => SAMPLES[type];

/** A payload that shows what a type takes. type: a row of /api/types. */
export const payloadOf = ({ name, payload_schema: schema }) => SAMPLES[name] ?? exampleOf(schema, schema);

/** The type to begin with: mails, which every Waybill can send; else the first. */
export const firstOf = (types) => types.find(({ name }) => name === "email") ?? types[0];

/** A value with what the schema requires. */
function exampleOf(schema, root, depth = 0) {
  if (schema.default !== undefined) return schema.default;
  const [one] = alternatives(schema, root);
  if (!one) return null;
  if (one.choices) return one.choices[0];
  if (depth === DEPTH) return EMPTY[one.type] ?? {};
  if (one.type === "array" && depth) return one.items ? [exampleOf(one.items, root, depth + 1)] : [];
  if (one.type !== "object") return EMPTY[one.type] ?? {};
  const required = new Set(one.required ?? []);
  const rows = Object.entries(one.properties ?? {}).filter(([name]) => required.has(name));
  return Object.fromEntries(rows.map(([name, inner]) => [name, exampleOf(inner, root, depth + 1)]));
}

/** The schemas of which one must fit, without null; {type: "choice", choices} where the values are named. */
function alternatives(schema, root) {
  if (schema.$ref) {
    const path = schema.$ref.split("/").slice(1); // "#/$defs/Page"; "#" is the root.
    return alternatives(path.reduce((one, part) => one?.[part], root) ?? {}, root);
  }
  const several = schema.anyOf ?? schema.oneOf;
  if (several) return several.flatMap((one) => alternatives(one, root));
  const choices = schema.const === undefined ? schema.enum : [schema.const];
  if (choices) return [{ type: "choice", choices: choices.filter((one) => one !== null) }];
  const types = [].concat(schema.type ?? ANY).filter((type) => type !== "null");
  return types.map((type) => (type === "boolean" ? { type: "choice", choices: [true, false] } : { ...schema, type }));
}

/** text, number, choice; either (a text, or else an array or object); json for all others. */
function kindOf(all) {
  const has = (...types) => all.length > 0 && all.every(({ type }) => types.includes(type));
  if (has("string")) return "text";
  if (has("integer", "number")) return "number";
  if (has("choice")) return "choice";
  return has("string", "array", "object") && all.some(({ type }) => type === "string") ? "either" : "json";
}

const isNumber = (value) => typeof value === "number" || isRaw(value);
const FITS = {
  text: (value) => typeof value === "string",
  number: isNumber,
  either: (value) => typeof value === "string" || (typeof value === "object" && !isNumber(value)),
  choice: (value, choices) => choices.some((one) => JSON.stringify(one) === JSON.stringify(value)),
};

/** The fields of an object: those of its schema, and those that the value has beside. A value that does not fit its
 * field is shown as JSON. */
export function fieldsOf(schema, value) {
  const required = new Set(schema.required ?? []);
  const known = schema.properties ?? {};
  const others = Object.keys(value).filter((name) => !Object.hasOwn(known, name));
  const rows = [...Object.entries(known), ...others.map((name) => [name, {}])];
  return rows.map(([name, one]) => {
    const has = Object.hasOwn(value, name);
    const about = fieldOf(name, one, schema, { isRequired: required.has(name), value: has ? value[name] : undefined });
    return { ...about, isOther: others.includes(name) };
  });
}

function fieldOf(name, one, root, { isRequired, value }) {
  const all = alternatives(one, root);
  const choices = all.flatMap((inner) => inner.choices ?? []);
  const asked = one.kind ?? kindOf(all);
  const example = () => JSON.stringify(exampleOf({ ...one, default: undefined }, root, 1));
  const fits = value == null || (FITS[asked]?.(value, choices) ?? true);
  const isLong = LONG.test(name) || all.some(({ maxLength }) => maxLength > LONG_CHARS);
  return {
    name, value, isRequired, choices, isLong, kind: fits ? asked : "json", title: one.title ?? name,
    description: one.description, standard: one.default, format: all[0]?.format, none: one.none,
    placeholder: one.placeholder ?? (asked === "json" ? example() : null),
  };
}

/** Where a value holds masks in place of secrets: what may not be sent as a new job. */
export function masksIn(value, pointer) {
  if (value === MASK) return [{ pointer, detail: "is masked: put the secret in, or take the field out" }];
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([name, one]) => masksIn(one, `${pointer}/${pointerPart(name)}`));
}

/** A name as a part of a JSON Pointer. */
export const pointerPart = (name) => name.replaceAll("~", "~0").replaceAll("/", "~1");
