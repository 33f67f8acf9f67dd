// Elements, icons, and words for numbers and times. Text is set as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element: h("a", {href: "#/jobs", on: {click}}, "Jobs"). props are attributes, `on` listeners by event; true sets
 * an empty attribute, null and false leave it out. Children: nodes, texts, lists of them; null and false: none. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}
/** Put children, as h takes them, in the place of those that are there. */
export function put(element, ...children) {
  element.replaceChildren();
  fill(element, {}, children);
}
function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name === "on") for (const [event, heard] of Object.entries(value)) element.addEventListener(event, heard);
    else if (value === true) element.setAttribute(name, "");
    else if (value != null && value !== false) element.setAttribute(name, value);
  }
  for (const child of children.flat(4)) if (child != null && child !== false) element.append(child);
  return element;
}

/** An icon: the symbol `i-<name>` of index.html. */
export function icon(name, className = "") {
  const use = svg("use", { href: `#i-${name}` });
  return svg("svg", { class: `icon ${className}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, use);
}

/** A job's state, or the outcome of an attempt or of a schedule's run: its shape and its word. */
export function state(name, { pill = false, word = name } = {}) {
  const like = likeOf(name);
  return h("span", { class: `state ${like}${pill ? " pill" : ""}` }, icon(like, like === "active" ? "spin" : ""), word);
}
/** The state whose shape and colour it has. */
export const likeOf = (name) => LIKE[name] ?? name;
const LIKE = {
  snoozed: "delayed", released: "cancelled", crashed: "dead", missed: "retried", skipped: "cancelled",
  gone: "cancelled",
};

/** A button, or a link that looks like one if there is a href. kind: main, danger, bare, tiny. */
export function button(label, { glyph, kind = "", href, ...props } = {}) {
  const tag = href ? "a" : "button";
  return h(tag, { class: `button ${kind}`, type: href ? null : "button", href, ...props }, glyph && icon(glyph), label);
}

/** Bars in the place of what is read just now, seen only if it takes longer than a blink. kind: a class of it. */
export function ghosts(rows, kind = "") {
  const bar = (width) => {
    const one = h("span", { class: "ghost" });
    one.style.width = width;
    return one;
  };
  const row = (_, at) => h("li", {}, bar(`${[62, 48, 70, 55][at % 4]}%`));
  const list = { class: "list", "aria-busy": "true", "aria-label": "Loading" };
  return h("div", { class: `${kind} late` }, h("ul", list, Array.from({ length: rows }, row)));
}

/** The head of a table. columns: [["Queue"], ["Ready", "n"], …], a word or an element, and the class of its cell; or
 * the cell itself. */
export function heads(columns) {
  const cell = (one) => (Array.isArray(one) ? h("th", { scope: "col", class: one[1] }, one[0]) : one);
  return h("thead", {}, h("tr", {}, columns.map(cell)));
}
/** The cell of a head that sorts: its word is a button. */
export const sortHead = (label, kind, click) =>
  h("th", { scope: "col", class: kind, "data-sort": label }, h("button", { type: "button", on: { click } }, label));
/** Say in these cells by which of them the table is sorted. turn: 1 for ascending, -1 for descending. */
export function tellSort(cells, label, turn) {
  for (const cell of cells) {
    if (cell.dataset.sort !== label) cell.removeAttribute("aria-sort");
    else cell.setAttribute("aria-sort", turn > 0 ? "ascending" : "descending");
  }
}

/** once(part, about, make) makes a part of a page, and again if what it is about has changed: what has not is left as
 * it is, for a link in it may have the focus. */
export function keptParts() {
  const known = new Map();
  return (part, about, make) => {
    const text = JSON.stringify(about);
    if (known.has(part) && known.get(part) === text) return;
    known.set(part, text);
    make();
  };
}

/** What has come and gone in a list while somebody is at its rows: no row moves under them, a click shows it.
 * rows: Map id -> row, of those that are shown. show(found): shows a list. */
export class Newer {
  constructor(rows, show) {
    Object.assign(this, { rows, show });
    this.element = h("div", { class: "newer", hidden: true });
  }

  /** found: [{id}], the list as it is by now, of `limit` at most. order: "newest", or another one. */
  tell(found, { order, limit }) {
    this.found = found;
    const ids = new Set(found.map(({ id }) => id));
    const fresh = [...ids].filter((id) => !this.rows.has(id)).length;
    // Of a full page the last rows may but have been pushed behind its end.
    const isWhole = found.length < limit || order !== "newest";
    const gone = isWhole ? [...this.rows.keys()].filter((id) => !ids.has(id)).length : 0;
    const come = fresh && `${number(fresh)} ${order === "newest" ? "newer" : "more"}`;
    const label = [come, gone && `${number(gone)} gone`].filter(Boolean).join(", ");
    this.element.hidden = !label;
    if (!label || this.element.textContent === label) return;
    put(this.element, button(label, { kind: "tiny", glyph: "retried", on: { click: () => this.show(this.found) } }));
  }

  hide() {
    this.element.hidden = true;
  }
}

/** Below a page of a list of jobs: how many are shown, and the ways to the pages beside it. list: {query, back, next,
 * hashWith}. */
export function turnsOf(list, count, limit) {
  const to = (label, cursor) => button(label, { kind: "tiny", href: list.hashWith({ cursor }) });
  const { back, next, query } = list;
  return [h("span", { class: "num" }, `${number(count)} shown`), query.has("cursor") && !back && to("First", ""),
    back && to("Newer", back), next && to(count < limit ? "Search on" : "Older", next)];
}

/** A panel with a heading. head: what else stands in its head. */
export function panel(title, head, ...content) {
  return h("section", { class: "panel", "aria-label": title }, h("header", {}, h("h2", {}, title), head), content);
}

/** A bar of progress. fraction: 0 to 1. */
export function progressBar(label, fraction) {
  const bar = h("i", {});
  bar.style.width = `${fraction * 100}%`;
  const value = { "aria-valuenow": Math.round(fraction * 100), "aria-valuemin": 0, "aria-valuemax": 100 };
  return h("div", { class: "progress", role: "progressbar", "aria-label": label, ...value }, bar);
}

/** What stands where there is nothing: an icon, a heading, a sentence, and what one can do. */
export function hollow(glyph, title, text, ...rest) {
  return h("div", { class: "hollow" }, icon(glyph), h("h3", {}, title), text && h("p", {}, text), rest);
}

/** Say a problem, as api.js throws it, in the place of what could not be read. */
export function trouble(problem) {
  const isScope = problem.status === 403;
  // The title of this problem is that of what was posted.
  const title = problem.slug === "redis-unavailable" ? "It can't be read now" : problem.title;
  return hollow(isScope ? "key" : "warn", isScope ? "This key may not do that" : title, problem.sentence);
}

// Characters that are not seen, or that turn what follows round: a name must not look like another one.
const HIDDEN = new RegExp(
  "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u180e\\u200b-\\u200f" +
    "\\u2028-\\u202e\\u2060-\\u2069\\u2800\\u3164\\ud800-\\udfff\\ufeff\\uffa0\\ufff9-\\ufffb\\u{e0000}-\\u{e0fff}]+",
  "gu",
);
const codeOf = (one) => one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");

/** Text that somebody else wrote, with what is hidden in it made to be seen: "a\u200b\u200b" -> a, U+200B × 2. */
export function visible(text) {
  const parts = [];
  let from = 0;
  for (const { 0: run, index } of String(text ?? "").matchAll(HIDDEN)) {
    parts.push(text.slice(from, index), mark([...run]));
    from = index + run.length;
  }
  return from ? [...parts, text.slice(from)] : text;
}
function mark(run) {
  const isOne = run.length > 1 && run.every((one) => one === run[0]);
  const codes = isOne ? `U+${codeOf(run[0])} × ${number(run.length)}` : run.map((one) => `U+${codeOf(one)}`).join(" ");
  return h("span", { class: "odd", title: plural(run.length, "hidden character") }, codes);
}

/** A JSON text with what is hidden in it written as \u…, which means the same. */
export const escaped = (json) =>
  json.replace(HIDDEN, (run) => run.replace(/[^]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`));

/** A button that copies a text. Where the browser has no clipboard (http), the text is selected instead. */
export function copier(source, text = () => source.textContent) {
  const word = h("span", { "aria-live": "polite" }, "Copy");
  const click = async () => {
    try {
      await navigator.clipboard.writeText(text());
      word.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      word.textContent = "Press Ctrl+C";
    }
    setTimeout(() => (word.textContent = "Copy"), 3000);
  };
  return button(word, { glyph: "copy", kind: "tiny", on: { click } });
}

/** A text as one word of a POSIX shell. */
export const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** What is wrong with a field that is half filled, in a list. The browser gives it out as an empty one. */
export const halfOf = ({ type, validity }) =>
  (validity.badInput ? [`This ${type === "number" ? type : "date"} is not complete`] : []);
/** heard() is called when a field becomes half filled, and when it is so no more: there may be no `input` then. */
export function hearHalf(input, heard) {
  let was = 0;
  input.addEventListener("keyup", () => was !== (was = halfOf(input).length) && heard());
}

/** Show elements in a <dialog>. It is closed by Escape and by its `close`, and then thrown away. */
export function showDialog(label, ...content) {
  const dialog = h("dialog", { "aria-label": label }, h("div", { class: "sheet" }, content));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** "email-01a2074f9c0b80008000…" -> "01a2074f9c0b". */
export const shortId = (id) => id.split("-").at(-1).slice(0, 12);

/** Where a job has its page; a workflow is a job that has one with a graph. */
export const pageOf = ({ type, id }) => `#/${type === "workflow" ? "workflows" : "jobs"}/${id}`;

/** "app-1.4711.9f86d081" -> "app-1 · 4711.9f86d081"; "" for no worker. All runners of a worker.py have its pid. */
export const workerOf = (id) => (id ?? "").replace(/\.(?=\d+\.[0-9a-f]+(\.alone)?$)/, " · ");

// Words for numbers.
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const NUMBER = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
export const number = (n) => NUMBER.format(n);
export const short = (n) => (n < 10_000 ? NUMBER.format(n) : SHORT.format(n));
export const sum = (list) => list.reduce((a, b) => a + b, 0);
const WORDS = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"];
export const counted = (n, one, many) => `${WORDS[n] ?? number(n)} ${n === 1 ? one : many}`;
export const plural = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

/** 0.0123 -> "12 ms"; 840 -> "14 min"; null -> "–". */
export function seconds(s) {
  if (s == null) return "–";
  if (s < 0.001) return "<1 ms";
  if (s < 0.9995) return `${Math.round(s * 1000)} ms`;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} d`;
}

/** A time that somebody has set, as it is: 90 -> "90 s"; 5400 -> "90 min"; 3600 -> "1 h". */
export function exactly(s) {
  if (s < 1) return `${number(s * 1000)} ms`;
  const [length, unit] = [[86_400, "d"], [3600, "h"], [60, "min"]].find(([length]) => s % length === 0) ?? [1, "s"];
  return `${number(s / length)} ${unit}`;
}

// Times: in the reader's zone, with UTC in the title. A clock of the reader's that is off by more than half a minute
// does not make ages wrong: they are counted by the server's `Date` then.
let skew_ms = 0;
export function learnTime(serverDate) {
  const apart_ms = Date.parse(serverDate) - Date.now();
  if (!Number.isNaN(apart_ms)) skew_ms = Math.abs(apart_ms) > 30_000 ? apart_ms : 0;
}
export const now_ms = () => Date.now() + skew_ms;
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const CLOCK_S = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY_AND_TIME = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
const DAY = new Intl.DateTimeFormat("en-GB", DAY_AND_TIME);
export const clock = (t) => CLOCK.format(new Date(t));
export const clockWithSeconds = (t) => CLOCK_S.format(new Date(t));
export const day = (t) => DAY.format(new Date(t));
export const clockOrDay = (t) => (now_ms() - Date.parse(t) < 12 * 3_600_000 ? clock(t) : day(t));
export function ago(t) {
  const s = (now_ms() - Date.parse(t)) / 1000;
  if (s < -1) return `in ${seconds(-s)}`;
  return s < 5 ? "now" : `${seconds(s)} ago`;
}
export const utc = (t) => `${new Date(t).toISOString().replace("T", " ").replace("Z", "")} UTC · ${day(t)} here`;

/** A time as a field `datetime-local` has it, in the reader's zone: "2026-11-30T02:30:00". */
export function localTime(t) {
  const time = new Date(t);
  return new Date(time - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** A <time>. Without a text it is an age, which `tellTime` keeps true. */
export function when(t, text) {
  const shown = h("time", { datetime: t, title: utc(t), class: "num" }, text ?? ago(t));
  if (text === undefined) shown.dataset.age = "";
  return shown;
}
const TOLD =
  /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z|[a-z0-9][a-z0-9_-]*-[0-9a-f]{32}(?![0-9a-f])|POST .api.queues\S+resume)/;
/** A text of the API: the times in it are those of the reader's zone, the ids of jobs links to them, and a request that
 * resumes a queue is a link to its page, where the button is. */
export function zoned(text) {
  const near = (t) => Math.abs(now_ms() - Date.parse(t)) < 12 * 3_600_000;
  const time = (t) => (Date.parse(t) ? when(t, near(t) ? clockWithSeconds(t) : day(t)) : t);
  const job = (id) => h("a", { href: `#/jobs/${id}`, class: "link mono" }, id);
  // What the pattern has found stands at the odd places.
  const resume = (path) => h("a", { href: `#/queues/${path.split("/")[3]}`, class: "link" }, "Resume on its page");
  const made = (part) => (part.startsWith("POST") ? resume : part.includes(":") ? time : job)(part);
  return text.split(TOLD).map((part, at) => (at % 2 ? made(part) : visible(part)));
}
export function tellTime(root = document) {
  for (const one of root.querySelectorAll("time[data-age]")) setText(one, ago(one.dateTime));
}

/** Change a text only if it differs: an unchanged node costs no layout, and a screen reader says nothing. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
