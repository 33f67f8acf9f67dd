// A form of fields, made of an object's JSON Schema, and the same object as JSON. What is typed becomes JSON text at
// once, so that numbers stay as they are written; a field that nobody has touched says what it was given.
//
//   const form = new PayloadForm({ id: "payload", pointer: "/payload", changed: () => tellCurl() });
//   panel("Payload", form.tabs, form.element);      tabs: the switch "Fields | JSON"
//   form.show(type.payload_schema, payload);        a row of /api/types; the payload as json.js parses it
//   const { text, faults } = form.read();           text: '{"to": …}', to be sent as it is, if there are no faults
//   const others = form.tell(problem.errors);       faults at their fields; returns those that belong to none of them
//   focusFault(form.element)                        to the first of them
//
// `Fields` is such a form without the JSON, for the fields of a request.

import { parse, wears } from "./json.js";
import { capital, h, halfOf, hearHalf, icon, localTime, visible } from "./kit.js";
import { pointerPart, fieldsOf, masksIn } from "./schema.js";

const LEAST_SHOWN = 4;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const LONG = 100;
const FORMATS = {
  email: { inputmode: "email" }, uri: { inputmode: "url" }, "date-time": { placeholder: "2031-01-06T08:00:00Z" },
};
const WORN = "This browser would change the digits of long numbers: go on as JSON.";

/** Whether a text for a field that takes texts and other things is JSON. */
function isOther(text) {
  try {
    return /^\s*["[{]/.test(text) && JSON.parse(text) !== undefined;
  } catch {
    return false;
  }
}

const checked = (text) => {
  JSON.parse(text);
  return text.trim();
};
/** How each kind of field reads what is typed, as JSON text; a number that is none goes out as a text, which the API
 * refuses in its own words. Throws SyntaxError. */
const READS = {
  text: (text) => JSON.stringify(text),
  number: (text) => (NUMBER.test(text.trim()) ? text.trim() : JSON.stringify(text)),
  either: (text) => (isOther(text) ? text.trim() : JSON.stringify(text)),
  choice: (text) => text,
  json: checked,
  time: (text) => JSON.stringify(new Date(text).toISOString()),
  words: (text) => JSON.stringify(text.split(/[\s,]+/).filter(Boolean)),
  key: (text) => JSON.stringify({ key: text }),
};
/** How each shows a value. */
const SHOWS = {
  text: (value) => value,
  number: (value) => JSON.stringify(value),
  either: (value) => (typeof value === "string" && !isOther(value) ? value : JSON.stringify(value)),
  choice: (value) => JSON.stringify(value),
  json: (value) => JSON.stringify(value, null, 2),
  time: localTime,
  words: (value) => value.join(" "),
};
const HINTS = { either: "Text; or JSON, as [\"…\"].", json: "JSON." };

/** One field: a label, what is typed, a hint, and what is wrong with it. */
class Field {
  constructor(id, about, changed) {
    this.about = about;
    this.given = about.value === undefined ? undefined : JSON.stringify(about.value);
    this.isChanged = false;
    const shown = about.value == null ? "" : SHOWS[about.kind](about.value);
    this.input = this._input(id, shown);
    const heard = () => {
      this.tell([]); // What was wrong is said of what was sent.
      changed();
    };
    this.input.addEventListener("input", () => {
      this.isChanged = true;
      heard();
    });
    hearHalf(this.input, heard);
    this.fault = h("p", { class: "fault small dead", id: `${id}-fault`, hidden: true });
    const { isRequired, title, description, standard, kind } = about;
    const isTold = standard != null && kind !== "choice" && !["\"\"", "[]", "{}"].includes(JSON.stringify(standard));
    const hints = [description, HINTS[kind], isTold && `Default: ${JSON.stringify(standard)}.`].filter(Boolean);
    const hint = hints.length > 0 && h("p", { class: "hint", id: `${id}-hint` }, hints.join(" "));
    const need = isRequired && h("span", { class: "faint" }, " · required");
    this.input.setAttribute("aria-describedby", `${hint ? `${id}-hint ` : ""}${id}-fault`);
    this.element = h("div", { class: "field", "data-field": about.name, "data-other": about.isOther },
      h("label", { for: id }, visible(title), need), this.input, hint, this.fault);
  }

  _input(id, shown) {
    const { kind, isLong, format, placeholder, isRequired, choices } = this.about;
    const props = { id, autocomplete: "off", placeholder, "aria-required": isRequired ? "true" : null };
    if (kind === "choice") return this._select(props, choices, shown);
    if (kind === "json" || isLong || shown.length > LONG || /[\r\n]/.test(shown)) {
      const rows = Math.min(12, Math.max(kind === "text" ? 3 : 2, shown.split("\n").length));
      const look = kind === "text" ? { class: "prose" } : { spellcheck: "false" };
      return Object.assign(h("textarea", { ...props, ...look, rows }), { value: shown });
    }
    if (kind === "time") return h("input", { ...props, type: "datetime-local", step: 1, value: shown });
    const look = kind === "number" ? { inputmode: "decimal" } : FORMATS[format];
    return h("input", { ...props, ...look, spellcheck: kind === "text" ? null : "false", value: shown });
  }

  _select(props, choices, shown) {
    const { standard, isRequired } = this.about;
    const usual = JSON.stringify(standard);
    const option = (value) => {
      const json = JSON.stringify(value);
      const word = typeof value === "string" ? value : json;
      const label = json === usual ? `${word} (default)` : word;
      return h("option", { value: json, selected: json === (shown || usual) }, label);
    };
    const none = standard == null && h("option", { value: "" }, isRequired ? "Choose…" : "Not set");
    return h("select", props, none, choices.map(option));
  }

  /** The JSON text of the field; undefined where it is left out. Throws SyntaxError. */
  get json() {
    const { kind, none } = this.about;
    const { value } = this.input;
    if (!this.isChanged) return this.given;
    const isEmpty = kind === "text" ? value === "" : value.trim() === "";
    return isEmpty ? none : READS[kind](value);
  }

  get isSet() {
    return this.about.isRequired || this.given !== undefined;
  }

  /** faults: [{below: "/1", detail: "…"}]; none: all is well. */
  tell(faults) {
    this.input.setAttribute("aria-invalid", String(faults.length > 0));
    this.fault.hidden = !faults.length;
    this.fault.replaceChildren(...rowsOf(faults));
  }
}

const rowsOf = (faults) => faults.map(({ below, detail }) => {
  const at = /^\/(\d+)$/.exec(below)?.[1];
  const where = at ? `Entry ${Number(at) + 1}` : below && h("code", {}, below);
  return h("span", { class: "block" }, where, where ? ` ${detail}` : capital(detail));
});

/** The fields of an object. pointer: where the object stands in what is sent, as "/payload". */
export class Fields {
  constructor({ id, pointer = "", changed }) {
    Object.assign(this, { id, pointer, changed, all: [] });
    this.element = h("div", { class: "form" });
  }

  /** value: what the fields hold to begin with. isWhole: none is folded away. */
  show(schema, value = {}, { isWhole = false } = {}) {
    this.all = fieldsOf(schema, value).map((about, at) => new Field(`${this.id}-${at}`, about, this.changed));
    const missing = Math.max(0, LEAST_SHOWN - this.all.filter((one) => one.isSet).length);
    const spare = this.all.filter((one) => !one.isSet);
    const folded = isWhole || spare.length - missing < 2 ? [] : spare.slice(missing);
    const shown = this.all.filter((one) => !folded.includes(one));
    this.element.replaceChildren(...shown.map((one) => one.element));
    if (folded.length) this.element.append(fold(folded));
  }

  /** A field's placeholder: what holds where it is left empty. */
  suggest(name, text) {
    this.all.find(({ about }) => about.name === name).input.placeholder = text;
  }

  /** {pairs: [[name, JSON text]] of what is set, faults: of what is no JSON}. isChange: only what was changed. */
  read({ isChange = false } = {}) {
    const [pairs, faults] = [[], []];
    for (const field of this.all) {
      const { name } = field.about;
      const pointer = `${this.pointer}/${pointerPart(name)}`;
      faults.push(...halfOf(field.input).map((detail) => ({ pointer, detail })));
      try {
        const json = isChange && !field.isChanged ? undefined : field.json;
        if (json !== undefined) pairs.push([name, json]);
      } catch (fault) {
        faults.push({ pointer, detail: `is no JSON: ${fault.message}` });
        pairs.push([name, JSON.stringify(field.input.value)]); // As a text it is not lost with its field.
      }
    }
    return { pairs, faults };
  }

  /** Show each fault at its field, and take back those of before. Returns the faults that have no field here. */
  tell(faults) {
    const others = new Set(faults);
    for (const field of this.all) {
      const pointer = `${this.pointer}/${pointerPart(field.about.name)}`;
      const mine = faults.filter((one) => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`));
      mine.forEach((one) => others.delete(one));
      field.tell(mine.map((one) => ({ below: one.pointer.slice(pointer.length), detail: one.detail })));
    }
    return [...others];
  }
}

function fold(fields) {
  const names = fields.map(({ about }) => about.title);
  const some = `${names.slice(0, 4).join(", ")}${names.length > 4 ? "…" : ""}`;
  return h("details", { class: "more-fields" }, h("summary", {}, icon("chevron"), `More fields: ${some}`),
    h("div", { class: "form" }, fields.map((one) => one.element)));
}

/** The JSON text of an object. pairs: [[name, JSON text]]. */
export function objectOf(pairs, gap = "") {
  const rows = pairs.map(([name, json]) => `${gap}${JSON.stringify(name)}: ${json}`);
  if (!rows.length) return "{}";
  return gap ? `{\n${rows.join(",\n")}\n}` : `{${rows.join(", ")}}`;
}

const hasFields = (schema) => Object.keys(schema.properties ?? {}).length > 0;

/** A payload: fields, and a switch to the same as JSON and back. */
export class PayloadForm {
  constructor({ id, pointer = "/payload", changed }) {
    Object.assign(this, { pointer, changed, isJson: false });
    this.fields = new Fields({ id, pointer, changed });
    this.area = h("textarea", {
      id: `${id}-json`, rows: 14, spellcheck: "false", autocomplete: "off", on: { input: changed },
      "aria-describedby": `${id}-json-fault`,
    });
    this.fault = h("p", { class: "fault small dead", id: `${id}-json-fault`, hidden: true });
    this.json = h("div", { class: "field" },
      h("label", { for: `${id}-json`, class: "unseen" }, "As JSON"), this.area, this.fault);
    const tab = (label, isJson) => h("button", { type: "button", on: { click: () => this._turn(isJson) } }, label);
    const group = { class: "tabs", role: "group", "aria-label": "Show as" };
    this.tabs = h("div", group, tab("Fields", false), tab("JSON", true));
    this.element = h("div", {}, this.fields.element, this.json);
  }

  /** Show a payload. A schema without fields takes any object: then there is JSON alone. */
  show(schema, value = {}) {
    this.schema = schema;
    if (hasFields(schema)) this.fields.show(schema, value);
    this.area.value = JSON.stringify(value, null, 2);
    this.tabs.hidden = !hasFields(schema);
    this._set(!hasFields(schema));
  }

  /** The same payload, for another schema. What is no JSON yet stays to be mended. */
  recast(schema) {
    const { text, faults } = this.read({ masks: true });
    if (!this.isJson || !(faults.length || wears(text))) return this.show(schema, parse(text));
    this.schema = schema;
    this.tabs.hidden = !hasFields(schema);
  }

  _set(isJson) {
    this.isJson = isJson;
    this.tell([]);
    this.fields.element.hidden = isJson;
    this.json.hidden = !isJson;
    [...this.tabs.children].forEach((tab, at) => tab.setAttribute("aria-pressed", String(Boolean(at) === isJson)));
    this.changed();
  }

  /** To the fields, or to JSON, with what was typed: unless that is no JSON yet. */
  _turn(isJson) {
    if (isJson === this.isJson) return;
    const { text, faults } = this.read({ masks: true });
    const worn = !isJson && !faults.length && wears(text) ? [{ pointer: this.pointer, detail: WORN }] : [];
    if (this._fail([...faults, ...worn])) return;
    if (isJson) this.area.value = text;
    else this.fields.show(this.schema, parse(text));
    this._set(isJson);
  }

  _fail(faults) {
    this.tell(faults);
    if (faults.length) focusFault(this.element);
    return faults.length > 0;
  }

  /** {text: JSON, faults}: the text may be sent if there are no faults. masks: whether it may hold masked secrets. */
  read({ masks = false } = {}) {
    const { text, faults } = this.isJson ? this._readJson() : this._readFields();
    if (!faults.length && !masks) faults.push(...masksIn(parse(text), this.pointer));
    return { text, faults };
  }

  _readFields() {
    const { pairs, faults } = this.fields.read();
    return { text: objectOf(pairs, "  "), faults };
  }

  _readJson() {
    const text = this.area.value;
    try {
      const value = JSON.parse(text);
      const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
      return { text: text.trim(), faults: isObject ? [] : [{ pointer: this.pointer, detail: "must be an object" }] };
    } catch (fault) {
      return { text, faults: [{ pointer: this.pointer, detail: `is no JSON: ${fault.message}` }] };
    }
  }

  /** Show each fault at its field, and take back those of before. Returns those that are not the payload's. */
  tell(faults) {
    if (!this.isJson) return this.fields.tell(faults);
    const isMine = ({ pointer }) => pointer === this.pointer || pointer.startsWith(`${this.pointer}/`);
    const mine = faults.filter(isMine);
    const rows = mine.map(({ pointer, detail }) => ({ below: pointer.slice(this.pointer.length), detail }));
    this.area.setAttribute("aria-invalid", String(mine.length > 0));
    this.fault.hidden = !mine.length;
    this.fault.replaceChildren(...rowsOf(rows));
    return faults.filter((one) => !isMine(one));
  }
}

/** The focus goes to the first field that is wrong, unfolded. Returns whether there is one. */
export function focusFault(element) {
  const first = [...element.querySelectorAll('[aria-invalid="true"]')].find((one) => !one.closest("[hidden]"));
  if (!first) return false;
  for (let fold = first.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  first.focus();
  return true;
}
