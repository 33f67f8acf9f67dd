// The table of a workflow's jobs: all of them, those of one state, or those of one node of the graph.

import {
  button, capital, h, heads, icon, likeOf, number, pageOf, plural, put, setText, state, visible,
} from "../kit.js";
import { afterText, countsOf, STATES, timeOf } from "./workflow_graph.js";

const STEP = 100;

export class Members {
  constructor(frame, id) {
    Object.assign(this, { frame, id, state: "", ids: null, most: STEP, rows: new Map(), jobs: new Map() });
    this.group = h("span", { class: "token", hidden: true });
    this.search = h("div", { class: "acts" });
    this.states = h("div", { class: "states", role: "group", "aria-label": "By state" });
    this.body = h("tbody", {});
    const columns = [["State"], ["Job"], ["After"], ["Time", "n"]];
    this.foot = h("footer", { hidden: true });
    this.element = h("section", { class: "panel", "aria-label": "Jobs" },
      h("header", {}, h("h2", {}, "Jobs"), this.group, this.search), this.states,
      h("table", { class: "cards members" }, heads(columns), this.body), this.foot);
  }

  /** jobs: Map id -> job. Rows change in place. */
  show(jobs) {
    this.jobs = jobs;
    this._list();
  }

  /** List the jobs of a node of the graph, and bring them into sight. */
  choose(ids, title) {
    Object.assign(this, { ids: new Set(ids), state: "", most: STEP });
    const click = () => this._all();
    const all = button(icon("cross"), { kind: "bare tiny", "aria-label": "All jobs", on: { click } });
    put(this.group, visible(title), all);
    this._list();
    this.element.scrollIntoView({ block: "start" });
    all.focus({ preventScroll: true });
  }
  _all() {
    this.ids = null;
    this._list();
    this.element.querySelector(".states button").focus();
  }

  _list() {
    this.group.hidden = !this.ids;
    const some = [...this.jobs.values()].filter(({ id }) => !this.ids || this.ids.has(id));
    this._tabs(some);
    const wanted = some.filter((one) => !this.state || one.state === this.state);
    const shown = wanted.slice(0, this.most);
    for (const job of shown) this._row(job);
    const order = shown.map(({ id }) => id).join();
    if (order !== this.order) put(this.body, shown.map(({ id }) => this.rows.get(id).element));
    this.order = order;
    this._rest(wanted.length - shown.length);
  }

  _tabs(jobs) {
    const counts = countsOf(jobs);
    const there = ["", ...STATES.filter((name) => counts[name] || name === this.state)];
    const text = JSON.stringify([there, counts, this.state]);
    if (text === this.tabs) return;
    this.tabs = text;
    const had = this.states.contains(document.activeElement) ? document.activeElement.dataset.state : null;
    put(this.states, there.map((name) => {
      const like = likeOf(name);
      const count = h("span", { class: "num" }, number(name ? counts[name] : jobs.length));
      const props = { "aria-pressed": String(name === this.state), "data-state": name };
      return h("button", { type: "button", ...props, on: { click: () => this._choose(name) } },
        name && h("span", { class: like }, icon(like)), capital(name || "all"), count);
    }));
    if (had !== null) this.states.querySelector(`[data-state="${had}"]`)?.focus();
    const types = new Set(jobs.map(({ type }) => type));
    const query = new URLSearchParams({ workflow: this.id });
    if (this.ids && types.size === 1) query.set("type", [...types][0]);
    if (this.state) query.set("state", this.state === "skipped" ? "cancelled" : this.state);
    const search = button("Search them", { kind: "tiny", href: `#/jobs?${query}` });
    put(this.search, this.state !== "gone" && search);
  }
  _choose(name) {
    Object.assign(this, { state: name, most: STEP });
    this._list();
  }

  _row(job) {
    const time = timeOf(job);
    const text = JSON.stringify([job, time]);
    const row = this.rows.get(job.id) ?? { element: h("tr", { class: "go" }) };
    this.rows.set(job.id, row);
    if (row.text === text) return;
    const [{ type, name, optional }, had] = [job, row.element.contains(document.activeElement)];
    const known = h("strong", { class: "cut" }, h("bdi", {}, visible(name)));
    const link = this.frame.link(pageOf(job), { class: "titled" }, known,
      type !== name && h("span", { class: "faint cut" }, visible(type ?? "record gone")),
      optional && h("span", { class: "tag" }, "optional"));
    put(row.element, h("td", { class: "st" }, state(job.state)),
      h("td", { class: "who" }, link), h("td", { class: "soft small full" }, visible(afterText(job))),
      h("td", { class: `n ${time ? "" : "zero"}` }, time || "–"));
    row.text = text;
    if (had) link.focus();
  }

  _rest(left) {
    this.foot.hidden = left <= 0;
    if (left <= 0) return;
    const more = () => {
      this.most += 5 * STEP;
      this._list();
    };
    if (!this.foot.firstChild) this.foot.append(button("", { kind: "tiny", on: { click: more } }));
    setText(this.foot.firstChild, `${plural(left, "more job")}`);
  }
}
