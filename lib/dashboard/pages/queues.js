// #/queues: all queues in one table, made once and changed in place as the stream tells. Found by a part of the name,
// sorted by a column; where nobody has sorted, those in trouble come first, as the server has them.

import { get } from "../api.js";
import { ghosts, h, heads, hollow, icon, number, plural, setText, sortHead, tellSort, trouble } from "../kit.js";
import { oldestAge_s } from "../live.js";
import { HEAD, QueueRow } from "./overview_lists.js";

const MOST = 500;
const VALUES = {
  Ready: (queue) => queue.counts.ready,
  Active: (queue) => queue.counts.active,
  Delayed: (queue) => queue.counts.delayed,
  Dead: (queue) => queue.counts.dead,
  Oldest: (queue) => oldestAge_s(queue) ?? -1,
  "Per min": (queue) => queue.per_minute.completed,
  "Wait p95": (queue, lately) => lately?.wait_p95_s ?? -1,
  "Run p95": (queue, lately) => lately?.run_p95_s ?? -1,
  Workers: (queue) => queue.workers,
};

export function page(frame) {
  const all = new AllQueues(frame);
  return { title: "Queues", element: all.element, keys: all.keys };
}

class AllQueues {
  constructor(frame) {
    this.frame = frame;
    this.rows = new Map();
    this.sort = null;
    this.isMoved = true; // Is the next answer to bring an order too? Without that no row moves.
    this.note = h("p", { class: "soft", role: "status" }, "Looking…");
    this.find = h("input", { type: "search", placeholder: "Part of a name", maxlength: 64, spellcheck: "false",
      autocomplete: "off", on: { input: () => this._filter() } });
    const label = h("label", { class: "find short" }, icon("search"), h("span", { class: "unseen" }, "Find a queue"),
      this.find);
    const clear = h("button", { class: "button bare tiny", type: "button", hidden: true }, "In trouble first");
    clear.addEventListener("click", () => this._sortBy(null));
    this.clear = clear;
    this.body = h("tbody", {});
    const columns = [...HEAD, ["Workers", "n wide-only extra"]].map((one) => this._head(...one));
    const table = h("table", { class: "cards stats queues queues-all", hidden: true }, heads(columns), this.body);
    this.table = table;
    this.place = ghosts(8);
    const head = h("div", { class: "head" }, h("div", {}, h("h1", {}, "Queues"), this.note));
    this.element = h("div", { class: "stack" }, head,
      h("section", { class: "panel", "aria-label": "All queues" }, h("header", {}, h("h2", {}, "All"), clear, label),
        this.place, h("div", { class: "scroll" }, table)));
    this.keys = { f: ["find a queue", () => this.find.focus()] };
    frame.live.addEventListener("queues", () => this._update(), { signal: frame.signal });
    frame.every(1, () => this._update());
    const failed = (problem) => this.place.replaceChildren(trouble(problem));
    frame.repeat((signal) => this._read(signal), { busy_s: 30, calm_s: 60, failed });
  }

  _head(label, kind) {
    return label === "30 min" ? [label, kind] : sortHead(label, kind, () => this._sortBy(label));
  }

  async _read(signal) {
    const name = this.isPart ? this._wanted() : "";
    const mine = (this.reading = Symbol("the newest read"));
    const found = await get(`api/queues?sort=trouble&limit=${MOST}&lately=true${name && `&name=${name}`}`, { signal });
    if (this.reading !== mine) return;
    if (!name) this.total = found.total;
    const wasPart = this.isPart;
    this.isPart ||= found.next_cursor !== null;
    if (!wasPart && this.isPart && this._wanted()) this._readAnew(); // It was typed before that was known.
    const of = new Map(found.lately.map((one) => [one.queue, one]));
    for (const queue of found.items) this._row(queue.name).learn(queue, of.get(queue.name));
    const names = new Set(found.items.map((queue) => queue.name));
    for (const one of this.rows.keys()) if (!names.has(one)) this._remove(one);
    if (this.isMoved) this._order([...names]);
    else for (const { element } of this.rows.values()) if (!element.isConnected) this.body.append(element);
    this.isMoved = false;
    this.place.hidden = this.rows.size > 0;
    this.table.hidden = !this.rows.size;
    const text = "A queue begins with its first job, or its first worker.";
    if (!this.rows.size) this.place.replaceChildren(hollow("inbox", name ? "No such queue" : "No queue so far", text));
    this._tell();
  }

  _row(name) {
    if (!this.rows.has(name)) this.rows.set(name, new Row(this.frame, name));
    return this.rows.get(name);
  }

  _remove(name) {
    this.rows.get(name).element.remove();
    this.rows.delete(name);
  }

  /** What the stream says. Queues that it has begun to tell of come at the end; nothing moves. */
  _update() {
    if (this.total === undefined) return;
    const { queues } = this.frame.live;
    for (const [name, row] of this.rows) {
      const told = queues.get(name);
      if (!told && row.isTold) this._remove(name);
      else row.update(told ?? row.queue);
      row.isTold = told !== undefined;
    }
    if (this.isPart || this.frame.live.name !== "live") return;
    for (const [name, queue] of queues) {
      if (this.rows.has(name)) continue;
      const row = this._row(name);
      row.learn(queue);
      row.isTold = true;
      this.body.append(row.element);
      this.table.hidden = false;
      this.place.hidden = true;
    }
    this.total = this.rows.size;
    this._tell();
  }

  _sortBy(label) {
    const isSame = this.sort?.label === label;
    this.sort = label && { label, turn: isSame ? -this.sort.turn : label === "Queue" ? 1 : -1 };
    this.clear.hidden = !label;
    tellSort(this.table.querySelectorAll("th"), label, this.sort?.turn);
    if (label) this._order();
    else this._readAnew();
  }

  /** As somebody has sorted; else as the server has. */
  _order(names) {
    const { label, turn } = this.sort ?? {};
    const value = VALUES[label];
    const byName = (a, b) => a.queue.name.localeCompare(b.queue.name);
    const by = value ? (a, b) => turn * (value(a.queue, a.lately) - value(b.queue, b.lately)) || byName(a, b)
      : (a, b) => turn * byName(a, b);
    const rows = label ? [...this.rows.values()].sort(by) : names.map((name) => this.rows.get(name));
    this.body.append(...rows.map((row) => row.element));
  }

  _readAnew() {
    this.isMoved = true;
    this._read(this.frame.signal).catch(() => {});
  }

  _wanted() {
    return this.find.value.trim().toLowerCase().replace(/[^a-z0-9_-]/g, "");
  }

  _filter() {
    this._tell();
    if (!this.isPart) return;
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.frame.signal.aborted || this._readAnew(), 250);
  }

  /** Hide what does not fit, and say how many there are. */
  _tell() {
    const wanted = this._wanted();
    let [shown, troubled] = [0, 0];
    for (const { element, queue } of this.rows.values()) {
      const fits = queue.name.includes(wanted);
      if (element.hidden === fits) element.hidden = !fits;
      shown += fits;
      troubled += queue.trouble != null;
    }
    const some = `${shown < this.total ? `${number(shown)} of ` : ""}${plural(this.total, "queue")}`;
    const part = this.isPart && !wanted ? `; those in trouble first, find the others by name` : "";
    setText(this.note, `${some}${part}. ${troubled ? `${number(troubled)} in trouble.` : "Nothing is wrong."}`);
  }
}

/** A row of the overview, with the queue's workers. */
class Row extends QueueRow {
  constructor(frame, name) {
    super(frame, name);
    this.cells.workers = h("td", { class: "n wide-only extra", "data-label": "workers" });
    this.element.append(this.cells.workers);
  }
  learn(queue, lately) {
    this.lately = lately ?? this.lately;
    super.learn(queue, lately);
  }
  update(queue) {
    super.update(queue);
    this._set("workers", number(queue.workers), queue.workers ? "" : "zero");
  }
}
