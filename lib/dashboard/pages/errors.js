// #/errors?window=24h&by=queue: what failed in the last hour or day, by the error's type, the job's type and, with
// by=queue or queue=email, the queue, worst first. One filter of the list of jobs finds the jobs of a row, and runs the
// dead ones again.

import { get } from "../api.js";
import { spark } from "../charts.js";
import {
  button, clock, day, ghosts, h, heads, hollow, icon, number, plural, put, setText, sum, trouble, visible, when,
} from "../kit.js";
import { filterOf, jobsOf } from "./overview_lists.js";
import { sweep } from "./queue_acts.js";
import { WINDOWS } from "./throughput.js";

const WAYS = { error: "By error", queue: "By queue" };
const MESSAGES = 4;
const LEAST_SEARCHED = 3;
const HEAD = [
  ["Error"], ["When", "wide-only extra"], ["Died", "n"], ["Retried", "n"], ["Since", "n extra"], ["Last", "n extra"],
];
const COLS = ["what", "line extra", "n", "n", "since extra", "since extra"];

export function page(frame, { query }) {
  return { title: "Errors", element: new Errors(frame, query).element };
}

class Errors {
  constructor(frame, query) {
    const window = Object.hasOwn(WINDOWS, query.get("window")) ? query.get("window") : "1h";
    const queue = query.get("queue");
    Object.assign(this, { frame, window, queue, by: queue || query.get("by") === "queue" ? "queue" : "error" });
    this.told = h("p", { class: "soft" }, "Looking…");
    this.note = h("footer", { hidden: true });
    this.body = h("tbody", {});
    this.none = ghosts(5);
    this.canAct = frame.can("admin");
    const cols = [...COLS, ...(this.canAct ? ["acts"] : [])].map((name) => h("col", { class: `col-${name}` }));
    const acts = this.canAct ? [[h("span", { class: "unseen" }, "Actions")]] : [];
    this.table = h("table", { class: "cards stats errors", hidden: true }, h("colgroup", {}, cols),
      heads([...HEAD, ...acts]), this.body);
    const tab = (what, name, label) =>
      h("a", { href: this._hash({ [what]: name }), "aria-current": name === this[what] ? "true" : null }, label);
    const tabs = h("nav", { class: "tabs", "aria-label": "How far back" },
      Object.entries(WINDOWS).map(([name, [label]]) => tab("window", name, label)));
    const ways = !queue && h("nav", { class: "tabs", "aria-label": "What is a row" },
      Object.entries(WAYS).map(([name, label]) => tab("by", name, label)));
    const title = h("div", {}, h("h1", {}, "Errors"), this.told);
    this.element = h("div", { class: "stack" }, h("div", { class: "head" }, title, ways, tabs),
      h("section", { class: "panel", "aria-label": "Kinds of errors" },
        this._token(), this.table, this.none, this.note));
    const failed = (problem) => [setText(this.told, ""), put(this.none, trouble(problem))];
    this.again = frame.repeat((signal) => this._read(signal), { busy_s: 5, calm_s: 60, failed });
  }

  _hash(changes) {
    const { window, queue, by } = this;
    const all = Object.entries({ window, queue, by: queue ? null : by, ...changes }).filter(([, value]) => value);
    return `#/errors?${new URLSearchParams(all)}`;
  }

  _token() {
    if (!this.queue) return null;
    const link = { href: this._hash({ queue: null }), "aria-label": "Without queue" };
    const token = h("span", { class: "token" }, h("b", {}, "queue:"), visible(this.queue), h("a", link, icon("cross")));
    return h("div", { class: "query pad" }, token);
  }

  async _read(signal) {
    const some = this.queue ? { queue: this.queue } : { merged: this.by === "error" };
    const of = new URLSearchParams({ window: this.window, limit: 200, ...some });
    const found = await get(`api/errors?${of}`, { signal });
    const kinds = plural(grouped(found.items, this.by === "error").length + found.left_out, "kind");
    const failed = `${number(found.dead)} died, ${number(found.retried)} retried, of ${kinds}.`;
    const words = found.items.length ? failed : "nothing failed.";
    setText(this.told, [`${WINDOWS[this.window][1]}: ${words}`, ...found.warnings].join(" "));
    this._show(found);
  }

  /** What has not changed is not made anew; what has the focus has it again. */
  _show(found) {
    const text = JSON.stringify(found.items);
    if (text === this.text) return;
    this.text = text;
    const had = this.body.contains(document.activeElement) && document.activeElement;
    const [key, at] = had ? [had.closest("tr").dataset.key, focusable(had.closest("tr")).indexOf(had)] : [];
    const rows = grouped(found.items, this.by === "error").map((group) => this._row(group, found));
    // No row moves under who is at them: those that are new come last.
    const isAtThem = this.table.matches(":hover, :focus-within");
    const places = new Map([...this.body.children].map((row, place) => [row.dataset.key, place]));
    const place = (row) => places.get(row.dataset.key) ?? places.size;
    this.body.replaceChildren(...(isAtThem ? rows.sort((a, b) => place(a) - place(b)) : rows));
    if (had) focusable([...this.body.children].find((row) => row.dataset.key === key) ?? this.body)[at]?.focus();
    this.table.hidden = !found.items.length;
    const hint = "Attempts that fail are shown here by what went wrong.";
    put(this.none, !found.items.length && hollow("completed", "Nothing failed", hint));
    this.note.hidden = !found.left_out;
    setText(this.note, `${plural(found.left_out, "kind")} more, of none of which more died.`);
  }

  _row(group, { from, step_s }) {
    const { frame } = this;
    const { key, kinds, queue, job_type, type } = group;
    const line = kinds[0].line.map((_, at) => sum(kinds.map((one) => one.line[at])));
    const [dead, retried] = ["dead", "retried"].map((name) => sum(kinds.map((one) => one[name])));
    const last = kinds.reduce((a, b) => (a.last_at > b.last_at ? a : b));
    const name = frame.link(jobsOf({ queue, dead, job_type, type }), {}, h("strong", {}, visible(type)));
    const where = queue ? frame.link(`#/queues/${queue}`, {}, queue) : queuesOf(kinds);
    const place = h("span", { class: "small soft" }, " · ", job_type && [visible(job_type), " in "], where);
    const label = `${type}: failed attempts, ${WINDOWS[this.window][1].toLowerCase()}; most: ${Math.max(...line)}`;
    const cell = (label, value, kind = "") => h("td", { class: `n ${kind}`, "data-label": label }, value);
    const filter = filterOf({ dead, job_type, type });
    const act = () => sweep(frame, "redrive", { queues: queue ? [queue] : null, filter }, this.again);
    const redrive = dead > 0 && job_type &&
      button("Run these again…", { kind: "tiny", "data-act": "redrive", on: { click: act } });
    return h("tr", { class: "go", "data-key": key },
      h("td", { class: "full" }, h("div", { class: "cut" }, name, place), this._messages(group)),
      h("td", { class: "wide-only extra" }, spark(line, { label, kind: dead ? "dead" : "", height: 24, width: 120 })),
      cell("died", number(dead), dead ? "dead" : "zero"), cell("retried", number(retried), retried ? "" : "zero"),
      cell("since", sinceOf(line, from, step_s), "extra"),
      cell("last", frame.link(`#/jobs/${last.last_job_id}`, {}, when(last.last_at)), "extra"),
      this.canAct && h("td", { class: "act" }, h("div", { class: "acts end" }, redrive)));
  }

  _messages({ kinds, ...group }) {
    const count = (one) => h("span", { class: "num faint" }, `${number(one.dead + one.retried)} × `);
    const row = (one) => h("li", { class: "cut", title: one.message }, kinds.length > 1 && count(one),
      this._link({ ...group, ...one }));
    const rest = kinds.length - MESSAGES;
    return h("ul", { class: "small soft" }, kinds.slice(0, MESSAGES).map(row),
      rest > 0 && h("li", { class: "faint" }, `and ${plural(rest, "message")} more`));
  }

  _link({ message, ...kind }) {
    const [words, shown] = [wordsOf(message), visible(message || "no message")];
    if (words.length < LEAST_SEARCHED) return shown;
    return this.frame.link(`${jobsOf(kind)}&q=${encodeURIComponent(words)}`, {}, shown);
  }
}

/** The longest part of a message that stands in the job as well: # is for its numbers and addresses, the stars are for
 * its secrets, and JSON writes quotes in another way. */
const wordsOf = (message) => message.split(/[#"\\]|\*{8}/).reduce((a, b) => (a.length < b.length ? b : a)).trim();

const focusable = (place) => [...place.querySelectorAll("a, button")];

/** Kinds that one filter finds together, since it goes by no message: [{queue, job_type, type, kinds}]. isMerged: those
 * of all queues together; queue is null where they are of several. */
function grouped(items, isMerged) {
  const groups = new Map();
  for (const { queue, job_type, type, ...kind } of items) {
    const key = JSON.stringify([isMerged || queue, job_type, type]);
    if (!groups.has(key)) groups.set(key, { key, queue, job_type, type, kinds: [] });
    const group = groups.get(key);
    if (group.queue !== queue) group.queue = null;
    group.kinds.push(kind);
  }
  return [...groups.values()];
}

/** In how many queues kinds of several are. Those of different messages may be in the same queues. */
function queuesOf(kinds) {
  const most = Math.max(...kinds.map((one) => one.queues));
  if (kinds.length === 1) return plural(most, "queue");
  return most > 1 ? `${plural(most, "queue")} or more` : "several queues";
}

/** Since when there are any: the begin of the first step that has one. What is older than the window is not told. */
function sinceOf(line, from, step_s) {
  const at = line.findIndex(Boolean);
  const t = new Date(Date.parse(from) + at * step_s * 1000).toISOString();
  return at ? when(t, `about ${clock(t)}`) : h("span", { title: day(t) }, "before");
}
