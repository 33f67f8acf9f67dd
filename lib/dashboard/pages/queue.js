// #/queues/email shows one queue: its numbers and charts, its limits, its workers, and the buttons that change it.

import { get } from "../api.js";
import {
  button, capital, clockWithSeconds, exactly, ghosts, h, heads, hollow, keptParts, number, panel, plural, setText,
  state, trouble, visible, when, workerOf,
} from "../kit.js";
import { STATES } from "../search.js";
import { thing, Tiles } from "./overview.js";
import { badges, Failing } from "./overview_lists.js";
import { Limits, pause, sweep } from "./queue_acts.js";
import { Throughput } from "./throughput.js";
import { troubleOf } from "./verdict.js";

const EVENTS = ["enqueued", "completed", "retried", "dead"];
const GROUPS = 50;
const LINK = { class: "button bare tiny" };
const WAITS = {
  concurrency: "as many run as may", rate: "the rate limit is used up", paused: "it is paused", hold: "it rests",
};
const waits = ({ by, until }) => `${WAITS[by] ?? by}${until ? ` until ${clockWithSeconds(until)}` : ""}`;
const figure = (n) => h("span", { class: n ? "" : "zero" }, number(n));

export function page(frame, { queue }) {
  const one = new Queue(frame, queue);
  return { title: queue, element: one.element, keys: one.keys };
}

/** A table of texts and numbers; the first column names the row. */
function table(labels, rows) {
  const cell = (value, at) => at
    ? h("td", { class: "n", "data-label": labels[at].toLowerCase() }, value)
    : h("td", { class: "full" }, h("strong", {}, value));
  const head = heads(labels.map((label, at) => [label, at ? "n" : ""]));
  const body = h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell))));
  return h("div", { class: "scroll" }, h("table", { class: "cards stats" }, head, body));
}

class Queue {
  constructor(frame, name) {
    Object.assign(this, { frame, name, _once: keptParts() });
    this.badge = h("span", {});
    this.alerts = h("ul", { class: "alerts", hidden: true, "aria-label": "What is wrong" });
    this.tiles = new Tiles();
    this.throughput = new Throughput(frame, name);
    this.failing = new Failing(frame, name);
    this.counts = h("ul", { class: "list counts" });
    this.limits = h("dl", { class: "facts" });
    this.types = h("div", {});
    this.workers = h("ul", { class: "list" });
    this.groups = h("div", { hidden: true });
    /** The cursors of the pages of groups, up to that which is shown. */
    this.places = [""];
    this.quarantine = h("div", { hidden: true });
    const all = h("nav", { class: "crumbs", "aria-label": "Above" }, frame.link("#/queues", {}, "Queues"));
    const title = h("h1", { class: "titled" }, visible(name), this.badge);
    const changed = (now) => this._changed(now);
    const change = frame.can("admin") && this._act("Change…", () => new Limits(frame, this.queue, changed));
    const side = [
      panel("Jobs now", null, this.counts),
      panel("Limits", change && h("div", { class: "acts" }, change), this.limits),
      panel("Workers", null, this.workers), this.failing.element,
    ];
    this.busy = h("div", { class: "stack", hidden: true }, this.tiles.element, h("div", { class: "split" },
      h("div", { class: "stack" }, this.throughput.element, panel("By type, ever", null, this.types), this.groups,
        this.quarantine), h("div", { class: "stack" }, side)));
    this.loading = ghosts(5, "panel");
    const head = h("div", { class: "head" }, h("div", {}, all, title), this._acts());
    this.element = h("div", { class: "stack" }, head, this.alerts, this.loading, this.busy);
    this._begin();
  }

  _begin() {
    const { frame } = this;
    frame.live.addEventListener("queues", () => this._count(), { signal: frame.signal });
    frame.every(1, () => this._count());
    const failed = (problem) => this.loading.replaceChildren(trouble(problem));
    this.again = frame.repeat((signal) => this._read(signal), { busy_s: 5, calm_s: 30, failed });
    frame.repeat((signal) => this._readMinutes(signal), { busy_s: 10, calm_s: 60 });
  }

  _act(label, click, kind = "tiny") {
    return button(label, { kind, disabled: true, on: { click } });
  }

  /** What the key may do. The buttons can be pressed once the queue is known. */
  _acts() {
    const { frame, name } = this;
    if (!frame.can("admin")) return h("div", { class: "acts" }, frame.lack("admin"));
    const again = () => this.again();
    const toggle = () => this._pause();
    this.pause = this._act("Pause", toggle, "");
    this.keys = { p: ["pause or resume the queue", toggle] };
    const dead = { queues: [name], filter: { state: "dead" } };
    this.redrive = this._act("Run dead again…", () => sweep(frame, "redrive", dead, again), "");
    this.purge = this._act("Delete dead…", () => sweep(frame, "delete", dead, again), "danger");
    return h("div", { class: "acts" }, this.pause, this.redrive, this.purge);
  }

  _pause() {
    if (this.queue) pause(this.frame, this.queue, (now) => this._changed(now));
  }

  /** now: the queue, as the answer to a change shows it. */
  _changed(now) {
    this._show(now);
    this.again();
  }

  async _read(signal) {
    const path = `api/queues/${encodeURIComponent(this.name)}`;
    const queue = await get(path, { signal });
    const place = this.places.at(-1);
    const [groups, workers] = await Promise.all([
      get(`${path}/groups?limit=${GROUPS}${place}`, { signal }), get("api/workers", { signal }),
    ]);
    this.loading.hidden = true;
    this.busy.hidden = false;
    this._show(queue);
    this._showWorkers(workers.items);
    if (place === this.places.at(-1)) this._showGroups(groups);
  }

  async _readMinutes(signal) {
    const errors = get(`api/errors?queue=${encodeURIComponent(this.name)}`, { signal });
    const [stats, failed] = await Promise.all([this.throughput.read(signal), errors]);
    this.tiles.learn(stats);
    this.failing.show(failed);
    this._count();
  }

  /** queue: as GET shows one. What it lacks (a digest lacks types and quarantine) stays as it was. */
  _show(queue) {
    this.queue = { ...this.queue, ...queue, taken_ms: queue.taken_ms ?? Date.now() };
    for (const one of this.element.querySelectorAll("button[disabled]")) one.disabled = false;
    const { paused, quarantine, totals_by_type: types, trouble: wrong } = this.queue;
    if (this.pause) setText(this.pause, paused ? "Resume" : "Pause");
    const why = this.failing.whyOf(this.name);
    this._once("trouble", [wrong, paused, why], () => {
      this.badge.replaceChildren(...badges(this.queue));
      this.alerts.hidden = !wrong;
      this.alerts.replaceChildren(...(wrong ? [thing(this.frame, troubleOf(this.name, wrong, why))] : []));
    });
    this._once("counts", this.queue.counts, () => this._showCounts());
    this._once("limits", [this.queue.concurrency, this.queue.rate, this.queue.max_depth, this.queue.groups,
      this.queue.limited, paused], () => this._showLimits());
    this._once("types", types, () => this._showTypes(types));
    this._once("quarantine", quarantine, () => this._showQuarantine(quarantine));
    this.tiles.show([this.queue]);
  }

  /** What the stream says. */
  _count() {
    if (!this.queue) return;
    const told = this.frame.live.queues.get(this.name);
    if (told && told.taken_ms > this.queue.taken_ms) this._show(told);
    else this.tiles.show([this.queue]);
  }

  _showCounts() {
    const row = (name) => {
      const count = this.queue.counts[name];
      const shown = h("span", { class: `num ${count ? "" : "zero"}` }, number(count));
      const link = this.frame.link(`#/jobs?queue=${this.name}&state=${name}`, { class: "pair" }, state(name), shown);
      return h("li", {}, link);
    };
    this.counts.replaceChildren(...STATES.map(row));
  }

  _showLimits() {
    const { concurrency, rate, max_depth: depth, groups, limited } = this.queue;
    const rated = (one) => one && `${plural(one.limit, "start")} in ${exactly(one.per_s)}`;
    const each = [groups?.concurrency && `${number(groups.concurrency)} at once`, rated(groups?.rate),
      groups?.max_depth != null && `${number(groups.max_depth)} ready`].filter(Boolean);
    const facts = [
      ["At once", concurrency && plural(concurrency, "job")], ["Rate", rated(rate)],
      ["Waiting", depth != null && `${plural(depth, "job")} at most`], ["Each group", each.join(", ")],
    ];
    if (limited) facts.push(["Now", h("span", { class: "retried" }, `${capital(waits(limited))}.`)]);
    const value = (text) => h("dd", { class: text ? "" : "faint" }, text || "no limit");
    const fact = ([label, text]) => [h("dt", {}, label), value(text)];
    this.limits.replaceChildren(...facts.flatMap(fact));
  }

  _showTypes(types = {}) {
    const all = Object.entries(types).sort(([, a], [, b]) => (b.enqueued ?? 0) - (a.enqueued ?? 0));
    const rows = all.map(([type, counts]) => [visible(type), ...EVENTS.map((name) => figure(counts[name] ?? 0))]);
    const labels = ["Type", "Enqueued", "Completed", "Retried", "Dead"];
    this.types.replaceChildren(rows.length ? table(labels, rows) : hollow("inbox", "No job so far", null));
  }

  _showQuarantine(items = []) {
    this.quarantine.hidden = !items.length;
    const row = ({ id, reason, found_at }) => h("li", {}, h("code", {}, visible(id)),
      h("p", { class: "small soft" }, visible(reason), " · ", when(found_at)));
    const why = h("p", { class: "pad soft" }, "Left out of the queue, for they are no jobs that can run.");
    this.quarantine.replaceChildren(panel("Quarantine", null, why, h("ul", { class: "list" }, items.map(row))));
  }

  _showWorkers(workers) {
    const serving = workers.map((worker) => [worker, worker.queues.find(({ queue }) => queue === this.name)]);
    const row = ([{ id, state: doing }, { concurrency, active }]) => {
      const name = this.frame.link("#/workers", { title: id }, h("strong", {}, visible(workerOf(id))));
      const rest = doing === "draining" ? h("span", { class: "state pill retried" }, "draining") : "";
      return h("li", { class: "pair" }, h("span", {}, name, " ", rest),
        h("span", { class: "num soft" }, concurrency ? `${active} of ${concurrency}` : `${active} run`));
    };
    const rows = serving.filter(([, mine]) => mine).map(row);
    const hint = `Name it in WORKER_QUEUES=…,${this.name}=5 and restart a worker.`;
    this.workers.replaceChildren(...(rows.length ? rows : [h("li", {}, hollow("warn", "Nobody serves it", hint))]));
  }

  _showGroups({ items, next_cursor }) {
    const before = (this.places.length - 1) * GROUPS;
    if (before && !items.length) return this.places.pop(); // They have gone meanwhile.
    this.groups.hidden = !items.length;
    const { limited } = this.queue;
    this._once("groups", [items, before, next_cursor, limited], () => {
      const why = ({ limited_by: by, until, strikes, ready }) =>
        by ? waits({ by, until }) : strikes ? plural(strikes.count, "strike")
          : ready && limited ? `of the whole queue ${waits(limited)}` : "–";
      const row = (one) => [visible(one.name), figure(one.ready), figure(one.running), why(one)];
      const link = this.name === "webhook" && this.frame.link("#/hosts", LINK, "Receivers");
      const hosts = link && h("div", { class: "acts" }, link);
      const labels = ["Group", "Ready", "Running", "Why it waits"];
      const had = this.groups.querySelector("footer :focus")?.textContent;
      this.groups.replaceChildren(panel("Groups", hosts, table(labels, items.map(row)),
        (before > 0 || next_cursor) && this._turns(before, items.length, next_cursor)));
      [...this.groups.querySelectorAll("footer button")].find((one) => one.textContent === had)?.focus();
    });
  }

  /** Under a page of groups: which ones it has, and the pages beside it. */
  _turns(before, count, next_cursor) {
    const turn = (label, change) => button(label, { kind: "tiny", on: { click: () => {
      change();
      this.again();
    } } });
    const next = () => this.places.push(`&cursor=${encodeURIComponent(next_cursor)}`);
    const which = `${number(before + 1)} to ${number(before + count)}, by name${next_cursor ? "; there are more" : ""}`;
    return h("footer", {}, h("span", { class: "num" }, which),
      before > 0 && turn("Previous page", () => this.places.pop()), next_cursor && turn("Next page", next));
  }
}
