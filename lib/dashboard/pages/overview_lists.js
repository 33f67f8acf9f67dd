// The lists of the overview: queues with the worst first, what fails, and what has run longest.

import { spark } from "../charts.js";
import {
  h, heads, hollow, icon, now_ms, number, plural, progressBar, seconds, setText, short, visible, when, workerOf,
} from "../kit.js";
import { oldestAge_s } from "../live.js";
import { worstFirst } from "./verdict.js";

const AMBER_S = 60;
const RED_S = 600;
export const HEAD = [
  ["Queue"], ["30 min", "wide-only extra"], ["Ready", "n"], ["Active", "n wide-only"], ["Delayed", "n wide-only"],
  ["Dead", "n"], ["Oldest", "n"], ["Per min", "n wide-only"], ["Wait p95", "n wide-only"], ["Run p95", "n wide-only"],
];
const BADGES = {
  unserved: ["dead", "warn", "no worker"], paused: ["retried", "pause", "paused"], dying: ["dead", "warn", "dying"],
  failing: ["retried", "warn", "failing"], backlog: ["retried", "warn", "behind"],
};

/** The marks beside a queue's name, as a list: what is wrong with it, and that it is paused. */
export function badges({ trouble, paused }) {
  const codes = new Set([trouble?.code, paused && "paused"]);
  const known = [...codes].map((code) => BADGES[code]).filter(Boolean);
  return known.map(([kind, glyph, word]) => h("span", { class: `state pill ${kind}` }, icon(glyph), word));
}

/** The table of queues. Rows stay where they are while the pointer is over them; their numbers change in place. */
export class Queues {
  constructor(frame) {
    this.frame = frame;
    this.rows = new Map();
    this.note = h("span", { class: "small faint" });
    this.body = h("tbody", {});
    this.table = h("table", { class: "cards stats queues" }, heads(HEAD), this.body);
    const all = more(frame, "#/queues", "All queues");
    this.element = h("section", { class: "panel", "aria-label": "Queues" },
      h("header", {}, h("h2", {}, "Queues"), this.note, all), h("div", { class: "scroll" }, this.table));
  }

  show({ items, total, lately }) {
    const some = total > items.length ? `${number(items.length)} of ` : "";
    setText(this.note, `${some}${number(total)}, in trouble first`);
    const of = new Map(lately.map((one) => [one.queue, one]));
    const names = new Set(items.map((queue) => queue.name));
    for (const name of [...this.rows.keys()].filter((one) => !names.has(one))) this._remove(name);
    for (const queue of items) this._row(queue.name).learn(queue, of.get(queue.name));
    this._order();
  }

  _order() {
    const rows = [...this.rows.values()].sort((a, b) => worstFirst(a.queue, b.queue));
    if (this.table.matches(":hover, :focus-within") && this.body.childElementCount === rows.length) return;
    rows.forEach(({ element }, at) => {
      if (this.body.children[at] !== element) this.body.insertBefore(element, this.body.children[at] ?? null);
    });
  }

  /** What the stream says of the queues that are shown. */
  update(queues) {
    for (const [name, row] of this.rows) row.update(queues.get(name) ?? row.queue);
    this._order();
  }

  _row(name) {
    if (!this.rows.has(name)) this.rows.set(name, new QueueRow(this.frame, name));
    return this.rows.get(name);
  }
  _remove(name) {
    this.rows.get(name).element.remove();
    this.rows.delete(name);
  }
}

/** One queue in a table, under HEAD. */
export class QueueRow {
  constructor(frame, name) {
    this.badge = h("span", {});
    this.line = h("td", { class: "wide-only extra" });
    const cell = (label, kind = "") => h("td", { class: `n ${kind}`, "data-label": label });
    this.cells = {
      ready: cell("ready"), active: cell("active", "wide-only"), delayed: cell("delayed", "wide-only"),
      dead: cell("dead"), oldest: cell("oldest"), rate: cell("a minute", "wide-only"),
      wait: cell("wait p95", "wide-only"), run: cell("run p95", "wide-only"),
    };
    const link = frame.link(`#/queues/${name}`, {}, h("strong", {}, name));
    const title = h("td", { class: "full name", role: "rowheader" }, link, this.badge);
    this.element = h("tr", { class: "go" }, title, this.line, Object.values(this.cells));
  }

  learn(queue, lately) {
    if (lately) this._lately(queue.name, lately);
    this.update({ ...queue, taken_ms: Date.now() });
  }

  _lately(name, { completed, wait_p95_s, run_p95_s }) {
    const isQuiet = !completed.some(Boolean);
    const label = `${name}: completed a minute, last half hour; most: ${number(Math.max(...completed))}`;
    const size = { kind: isQuiet ? "quiet" : "", height: 20, width: 72, top: Math.max(...completed, 4) };
    this.line.replaceChildren(spark(completed, { label, ...size }));
    setText(this.cells.wait, seconds(wait_p95_s));
    setText(this.cells.run, seconds(run_p95_s));
  }

  update(queue) {
    this.queue = queue;
    const { counts, per_minute, trouble, paused } = queue;
    const mark = `${trouble?.code} ${paused}`;
    if (this.mark !== mark) this.badge.replaceChildren(...badges(queue));
    this.mark = mark;
    for (const name of ["ready", "active", "delayed"]) this._set(name, short(counts[name]), counts[name] ? "" : "zero");
    this._set("dead", short(counts.dead), counts.dead ? "dead" : "zero");
    this._set("rate", short(per_minute.completed), per_minute.completed ? "" : "zero");
    const age_s = oldestAge_s(queue);
    const colour = age_s > RED_S ? "dead" : age_s > AMBER_S ? "retried" : age_s == null ? "zero" : "";
    this._set("oldest", seconds(age_s), colour);
  }

  _set(name, text, colour) {
    const cell = this.cells[name];
    setText(cell, text);
    for (const one of ["zero", "dead", "retried"]) cell.classList.toggle(one, one === colour);
  }
}

/** The filter that finds the jobs of a kind of errors: those that are dead, if there were any. A kind without a job's
 * type is what was counted together, behind the first fifty. */
export const filterOf = ({ dead, job_type, type }) =>
  ({ ...(dead ? { state: "dead" } : {}), ...(job_type ? { type: job_type, error: type } : {}) });

/** Where the jobs of a kind are listed. queue: null for all queues. */
export const jobsOf = ({ queue, ...kind }) =>
  `#/jobs?${new URLSearchParams({ ...(queue ? { queue } : {}), ...filterOf(kind) })}`;

/** Kinds of errors of the last hour, worst first. */
export class Failing {
  /** queue: "" for all queues. */
  constructor(frame, queue = "") {
    this.frame = frame;
    this.items = [];
    this.list = h("ul", { class: "list" });
    const all = more(frame, `#/errors${queue && `?queue=${encodeURIComponent(queue)}`}`, "Errors");
    this.element = h("section", { class: "panel", "aria-label": "Failing, last hour" },
      h("header", {}, h("h2", {}, "Failing, last hour"), all), this.list);
  }

  show({ items, left_out }) {
    const text = JSON.stringify(items);
    if (text === this.text) return;
    Object.assign(this, { text, items });
    const rest = left_out ? [h("li", { class: "small faint" }, `and ${plural(left_out, "kind")} more`)] : [];
    const none = h("li", {}, hollow("completed", "Nothing failed", null));
    this.list.replaceChildren(...(items.length ? items.map((one) => this._item(one)) : [none]), ...rest);
  }

  /** As what most attempts of a queue failed, as a sentence; "" where that is not among what is shown. */
  whyOf(name) {
    const kinds = this.items.filter(({ queue }) => queue === name);
    const [most] = kinds.sort((a, b) => b.dead + b.retried - a.dead - a.retried);
    return most ? ` Most often ${most.type}: ${most.message || "no message"}.` : "";
  }

  _item({ type, message, dead, retried, queue, queues, job_type, last_at }) {
    const search = jobsOf({ queue, dead, job_type, type });
    const where = queue ?? plural(queues, "queue");
    const place = !job_type || job_type === queue ? where : `${job_type} in ${where}`;
    const died = h("span", { class: dead ? "dead" : "" }, `${number(dead)} died`);
    const counts = [died, ` · ${number(retried)} retried · `];
    return h("li", { class: this.frame.has("#/jobs") ? "go" : "" }, h("div", { class: "err" },
      this.frame.link(search, {}, h("h3", { class: "cut" }, visible(type))),
      h("p", { class: "soft small cut", title: message }, visible(message)),
      h("p", { class: "small faint" }, counts, place, " · ", when(last_at))));
  }
}

/** The five jobs that have run longest. */
export class Running {
  constructor(frame) {
    this.frame = frame;
    this.list = h("ul", { class: "list runs-list" });
    const workers = more(frame, "#/workers", "Workers");
    this.element = h("section", { class: "panel", "aria-label": "Running longest" },
      h("header", {}, h("h2", {}, "Running longest"), workers), this.list);
  }

  show(jobs) {
    const none = h("li", {}, hollow("ready", "Nothing runs", null));
    const had = this.list.contains(document.activeElement) && document.activeElement.hash;
    this.list.replaceChildren(...(jobs.length ? jobs.map((job) => this._item(job)) : [none]));
    if (had) [...this.list.querySelectorAll("a")].find(({ hash }) => hash === had)?.focus();
  }

  _item(job) {
    const place = job.worker_id ? ` on ${workerOf(job.worker_id)}` : "";
    const type = h("strong", {}, visible(job.type ?? job.queue));
    const name = h("span", { class: "cut" }, type, h("span", { class: "faint" }, place));
    const took = seconds(Math.max(0, now_ms() - Date.parse(job.started_at)) / 1000);
    const glyph = h("span", { class: "active" }, icon("active", "spin"));
    const age = h("span", { class: "num soft" }, took);
    const done = job.progress?.fraction != null && progressBar(`Progress of ${job.id}`, job.progress.fraction);
    return h("li", {}, this.frame.link(`#/jobs/${job.id}`, { class: "run" }, glyph, name, age), done);
  }
}

/** A link in a panel's head to the page that has all; nothing where there is no such page. */
function more(frame, hash, label) {
  return frame.has(hash) && h("div", { class: "acts" }, frame.link(hash, { class: "button bare tiny" }, label));
}
