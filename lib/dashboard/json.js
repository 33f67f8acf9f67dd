// JSON that keeps each number as it was written, and JSON as a tree that folds. The tree is made as it is opened, so
// that a megabyte costs what is seen of it.
//
//   parse('{"id":90071992547409931}')     JSON.stringify gives the same digits back; JSON.parse would end in …930

import { h, number, put, visible } from "./kit.js";

const MOST = 100;
const LONG = 400;
const STEP = 20_000; // More characters at a time hold the page up.

/** Whether this browser can keep numbers: without it no payload may be edited, for the edit would change ids. */
export const keepsNumbers = typeof JSON.rawJSON === "function";

const kept = (_, value, context) => {
  const isOther = typeof value === "number" && context?.source !== undefined && String(value) !== context.source;
  return isOther && keepsNumbers ? JSON.rawJSON(context.source) : value;
};

/** The value of a JSON text. A number that JavaScript would write otherwise is a JSON.rawJSON object. */
export const parse = (text) => JSON.parse(text, kept);

export const isRaw = (value) => keepsNumbers && JSON.isRawJSON(value);

/** What the server shows in place of a secret. */
export const MASK = "********";

/** Why JSON that `wears` is not sent. */
export const WORN = "It has numbers whose digits this browser would change. A newer browser keeps them; so does curl.";

/** Whether this browser, reading and writing that JSON, would write a number otherwise. */
export function wears(text) {
  if (keepsNumbers) return false;
  const words = text.match(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g) ?? [];
  return words.some((one) => !one.startsWith('"') && String(Number(one)) !== one);
}

/** An element that shows a value. open: how many levels are unfolded. */
export function tree(value, { open = 2 } = {}) {
  return h("div", { class: "json" }, node(null, value, open, true));
}

function node(key, value, open, isLast) {
  const name = key == null ? [] : [text(key, "k"), ": "];
  const comma = isLast ? "" : ",";
  if (value === null || typeof value !== "object" || isRaw(value)) return h("div", {}, name, leaf(value), comma);
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  const [left, right] = isList ? "[]" : "{}";
  if (!entries.length) return h("div", {}, name, left + right + comma);
  return branch(name, { isList, entries, left, end: right + comma }, open);
}

function branch(name, { isList, entries, left, end }, open) {
  const gist = h("span", { class: "gist" }, ` ${number(entries.length)} ${isList ? "items" : "fields"} ${end}`);
  const inside = h("div", { class: "in" });
  const fill = (from) => {
    const last = entries.length - 1;
    entries.slice(from, from + MOST).forEach(([key, value], at) => {
      inside.append(node(isList ? null : key, value, open > 0 ? open - 1 : 1, from + at === last));
    });
    if (last >= from + MOST) inside.append(more(entries.length - from - MOST, () => fill(from + MOST)));
  };
  const fold = h("details", { open: open > 0 }, h("summary", {}, name, left, gist), inside, end);
  if (open > 0) fill(0);
  else fold.addEventListener("toggle", () => inside.childElementCount || fill(0));
  return fold;
}

function more(count, show) {
  const click = (event) => {
    event.target.remove();
    show();
  };
  return h("button", { class: "button tiny", type: "button", on: { click } }, `${number(count)} more`);
}

function leaf(value) {
  if (typeof value === "string") return textLeaf(value);
  return h("span", { class: value === null ? "nil" : "v" }, isRaw(value) ? value.rawJSON : String(value));
}

function textLeaf(value) {
  if (value === MASK) return h("span", { class: "mask", title: "A secret, masked by the server" }, `"${MASK}"`);
  return text(value, "s");
}

/** A text in quotes. A long one is cut, and has a button for the rest, or for a part of a very long one. */
function text(whole, kind) {
  const shown = h("span", { class: kind });
  const show = (count) => put(shown, visible(JSON.stringify(whole.slice(0, count))));
  show(LONG);
  return whole.length > LONG ? h("span", {}, shown, " ", moreOf(whole.length, STEP, show)) : shown;
}
function moreOf(length, count, show) {
  const click = (event) => {
    show(count);
    event.target.replaceWith(count < length ? moreOf(length, count + STEP, show) : "");
  };
  const words = `${count < length ? `${number(count)} of` : "all"} ${number(length)} characters`;
  return h("button", { class: "button tiny", type: "button", on: { click } }, words);
}
