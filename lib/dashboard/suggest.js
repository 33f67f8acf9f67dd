// What the search field offers while somebody types: qualifiers, names that the server knows, the last searches of this
// tab. A combobox with a listbox: https://www.w3.org/WAI/ARIA/apg/patterns/combobox/
//
//   "ty"            ->  type:
//   "state:d"       ->  state:delayed  state:dead
//   "queue:email "  ->  (all qualifiers but queue:)
//
// Loaded when the field is first used. The last searches are kept by search.js.

import { get } from "./api.js";
import { h, visible } from "./kit.js";
import { QUALIFIERS, searched, STATES } from "./search.js";

const MOST = 10;
const MOST_RECENT = 4; // The qualifiers below them must be seen.
const KEPT_MS = 60_000;
const HINTS = {
  queue: "jobs of a queue", state: "dead, ready, active …", type: "jobs of a type", tag: "a tag of theirs",
  error: "their error's type: SMTPRefused", request: "all jobs of a request", worker: "what a worker ran last",
  group: "jobs of a group", schedule: "jobs of a schedule", workflow: "jobs of a workflow", by: "what a job queued",
  id: "the first digits of an id", after: "2h ago, today, 2026-11-30", before: "2h ago, today, 2026-11-30",
};
const TIMES = ["15m", "1h", "24h", "7d", "today"];
const names = (list, field) => [...new Set(list.map((one) => one[field]))].sort();
/** A qualifier -> its values, or what asks for them. */
const VALUES = {
  __proto__: null, // The name is what somebody types.
  state: STATES, after: TIMES, before: TIMES,
  type: () => get("api/types").then(({ items }) => names(items, "name")),
  worker: () => get("api/workers").then(({ items }) => names(items, "id")),
  error: () => get("api/errors?window=24h&merged=true&limit=200").then(({ items }) => names(items, "type")),
};

/** Offer something in the field from now on. queuesOf(): the names of the queues. */
export function suggest(field, queuesOf) {
  const list = h("ul", { id: "finds", role: "listbox", "aria-label": "Suggestions", hidden: true });
  const told = h("span", { class: "unseen", role: "status" });
  field.form.append(list, told);
  const props = { role: "combobox", "aria-autocomplete": "list", "aria-controls": "finds", "aria-expanded": "false" };
  for (const [name, value] of Object.entries(props)) field.setAttribute(name, value);
  const kept = {};
  let [options, at] = [[], -1];

  const close = () => show([]);
  const show = (found) => {
    options = found;
    list.replaceChildren(...found.map(row));
    list.hidden = !found.length;
    field.setAttribute("aria-expanded", String(!list.hidden));
    mark(-1);
  };
  const row = ({ label, note }, index) => h("li", { role: "option", id: `find-${index}`, on: {
    pointerdown: (event) => event.preventDefault(), // The field keeps the focus.
    click: () => choose(options[index]),
  } }, h("span", { class: "cut" }, visible(label)), note && h("span", { class: "small faint" }, note));
  const mark = (index) => {
    at = index;
    [...list.children].forEach((one, number) => one.setAttribute("aria-selected", String(number === at)));
    if (at < 0) return field.removeAttribute("aria-activedescendant");
    field.setAttribute("aria-activedescendant", `find-${at}`);
    list.children[at].scrollIntoView({ block: "nearest" });
  };
  const choose = ({ text, isWhole }) => {
    const behind = field.value.slice(field.selectionStart);
    field.value = isWhole ? text : text + behind.trimStart();
    field.setSelectionRange(text.length, text.length);
    close();
    if (isWhole) field.form.requestSubmit();
    else look();
  };

  /** The values that are known by now. Those that the server is asked for are shown once they come. */
  const valuesOf = (name) => {
    if (name === "queue") return [...queuesOf()].sort();
    const source = VALUES[name] ?? [];
    if (Array.isArray(source)) return source;
    const one = (kept[name] ??= { values: [], asked_ms: 0 });
    if (Date.now() - one.asked_ms < KEPT_MS) return one.values;
    one.asked_ms = Date.now();
    source().then((values) => {
      one.values = values;
      if (at < 0) look();
    }, () => {});
    return one.values;
  };
  const look = () => {
    if (document.activeElement !== field) return;
    show(offered(field.value.slice(0, field.selectionStart), valuesOf));
    told.textContent = options.length ? `${options.length} suggestions` : "";
  };

  field.addEventListener("input", look);
  field.addEventListener("focus", look);
  field.addEventListener("blur", close);
  field.form.addEventListener("submit", close);
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && list.hidden) look();
    else if (step) mark((at + step + options.length + (at < 0 && step < 0 ? 1 : 0)) % options.length);
    else if (event.key === "Enter" && at >= 0) choose(options[at]);
    else if (event.key === "Escape" && !list.hidden) close();
    else return;
    event.preventDefault();
  });
  look();
}

/** What is offered behind this text: [{text: of the field, label, note, isWhole: it is searched for at once}]. */
export function offered(before, valuesOf) {
  const [word] = /[^\s]*$/.exec(before);
  const head = before.slice(0, before.length - word.length);
  const [, name, begun] = /^([a-z]+):"?(.*)$/.exec(word) ?? [];
  const filled = (qualifier, value) => {
    const text = `${qualifier}:${/\s/.test(value) ? `"${value}"` : value}`;
    return { text: `${head}${text} `, label: text };
  };
  if (QUALIFIERS.includes(name)) {
    // Of `state:dead,re` the last one is completed.
    const [, first, last] = name === "state" ? /^(.*,)?(.*)$/.exec(begun) : [null, "", begun];
    const fitting = fit(valuesOf(name), last).filter((value) => value !== last);
    return fitting.slice(0, MOST).map((value) => filled(name, (first ?? "") + value));
  }
  const last = searched().filter((text) => !head && text.includes(word) && text !== word);
  const recent = last.map((text) => ({ text, label: text, note: "searched before", isWhole: true }));
  const free = QUALIFIERS.filter((one) => one.startsWith(word) && !head.includes(`${one}:`));
  const hints = free.map((one) => ({ text: `${head}${one}:`, label: `${one}:`, note: HINTS[one] }));
  if (!word) return [...recent.slice(0, MOST_RECENT), ...hints];
  const known = ["queue", "type"].flatMap((one) => fit(valuesOf(one), word).map((value) => filled(one, value)));
  return [...hints, ...known, ...recent].slice(0, MOST);
}

/** Those that begin so first, then those that have it within. */
function fit(values, begun) {
  const [low, all] = [begun.toLowerCase(), values.map((value) => [value, value.toLowerCase()])];
  const begin = all.filter(([, text]) => text.startsWith(low));
  const within = all.filter(([, text]) => !text.startsWith(low) && text.includes(low));
  return [...begin, ...within].map(([value]) => value);
}
