// #/workflows?state=dead: the workflows, newest first, each with what holds it up, or what went wrong. They are jobs of
// the type `workflow`, found as any jobs are: in a search that tells how far it has looked.

import { curlOf } from "../actions.js";
import {
  copier, ghosts, h, heads, hollow, icon, Newer, now_ms, number, plural, put, seconds, setText, shortId, trouble,
  turnsOf, visible, when, zoned,
} from "../kit.js";
import { sampleOf } from "../schema.js";
import { pagesOf } from "../search.js";
import { explained, pill } from "./workflow_words.js";

const LIMIT = 25;
/** Half a second each. A list that has none by then goes on when somebody asks. */
const MOST_REQUESTS = 8;
const FEW_REQUESTS = 3;
const MOST_EXPLAINED = 10;
const TABS = [
  ["", "All"], ["blocked", "Running", "active"], ["completed", "Completed"], ["dead", "Dead"],
  ["cancelled", "Cancelled"],
];
const MAIL = { type: "email", payload: sampleOf("email") };
const EXAMPLE = { name: "two letters", jobs: { first: MAIL, second: { ...MAIL, after: ["first"] } } };

export function page(frame, { query }) {
  const list = new Workflows(frame, query);
  const turn = (where) => [() => frame.go(list.hashWith({ cursor: list[where] })), () => list[where]];
  const keys = { "[": ["older", ...turn("next")], "]": ["newer", ...turn("back")] };
  return { title: "Workflows", element: list.element, keys };
}

class Workflows {
  constructor(frame, query) {
    Object.assign(this, { frame, query, rows: new Map() });
    this.about = h("p", { class: "soft" }, "Looking…");
    this.states = h("nav", { class: "states", "aria-label": "By state" }, TABS.map((one) => this._tab(...one)));
    this.body = h("tbody", {});
    const columns = [["State"], ["Workflow"], ["Queue", "extra wide-only"], ["Took", "n"], ["Created", "n"]];
    this.table = h("table", { class: "cards flows", hidden: true }, heads(columns), this.body);
    this.newer = new Newer(this.rows, (shown) => {
      this._replace(shown);
      this._explain(shown, frame.signal).catch(() => {});
    });
    this.none = ghosts(5);
    this.foot = h("footer", { hidden: true });
    this.element = h("div", { class: "stack" }, h("div", {}, h("h1", {}, "Workflows"), this.about),
      h("section", { class: "panel", "aria-label": "Workflows" }, this.states, this.newer.element, this.table,
        this.none, this.foot));
    const failed = (problem) => {
      setText(this.about, "");
      put(this.none, trouble(problem));
    };
    frame.repeat((signal) => this._read(signal), { busy_s: 5, calm_s: 60, failed });
  }

  hashWith(changes) {
    const query = new URLSearchParams({ state: this.query.get("state") ?? "", ...changes });
    for (const [name, value] of [...query]) if (!value) query.delete(name);
    return `#/workflows${query.size ? `?${query}` : ""}`;
  }

  _tab(name, word, shape = name) {
    const chosen = name === (this.query.get("state") ?? "") ? "page" : null;
    const glyph = shape && h("span", { class: shape }, icon(shape));
    return h("a", { href: this.hashWith({ state: name }), "aria-current": chosen }, glyph || "", word);
  }

  async _read(signal) {
    // After a long search the first page alone is read again, for what is new.
    const most = this.requests > FEW_REQUESTS ? 1 : MOST_REQUESTS;
    let page = null;
    for await (page of pagesOf({ ...Object.fromEntries(this.query), type: "workflow" }, LIMIT, signal)) {
      if (page.requests === most) break;
    }
    let { items: found, requests, back, next } = page;
    if (most === 1) found = [...found, ...this.found.filter(({ id }) => !found.some((one) => one.id === id))];
    else Object.assign(this, { requests, back, next });
    this.found = found;
    this._show(found, page);
    await this._explain(found, signal);
  }

  _show(found, { looked_at, of, order, warnings }) {
    const looked = `Looked at ${number(looked_at)} of ${plural(of, "job")}.`;
    setText(this.about, ["Newest first.", looked, ...warnings].join(" "));
    const isIdle = !this.table.matches(":hover, :focus-within") || this.table.hidden;
    if (isIdle || !found.length) this._replace(found);
    else this._merge(found, order);
    this._turns(found.length);
  }

  _replace(found) {
    const ids = new Set(found.map(({ id }) => id));
    for (const id of [...this.rows.keys()].filter((one) => !ids.has(one))) this.rows.delete(id);
    for (const { id } of found) if (!this.rows.has(id)) this.rows.set(id, new Row(this.frame, id));
    for (const one of found) this.rows.get(one.id).show(one);
    this.body.replaceChildren(...found.map(({ id }) => this.rows.get(id).element));
    this.table.hidden = !found.length;
    put(this.none, !found.length && this._nothing());
    this.newer.hide();
  }

  /** While somebody is at a row it stays where it is; what has come or gone waits for a click. */
  _merge(found, order) {
    for (const one of found) this.rows.get(one.id)?.show(one);
    this.newer.tell(found, { order, limit: LIMIT });
  }

  _turns(count) {
    this.foot.hidden = !this.next && !this.query.has("cursor");
    if (this.foot.contains(document.activeElement)) return;
    put(this.foot, turnsOf(this, count, LIMIT));
  }

  _nothing() {
    if (this.next) return hollow("search", "None so far", "The jobs that were looked at are no workflows like this.");
    const kept = "A workflow that has ended is kept for a time only.";
    if (this.query.get("state")) return hollow("inbox", "There is none", kept);
    const text = "Jobs that wait for one another are posted as a workflow: in one request, all of them or none.";
    const curl = curlOf(this.frame, "POST", "api/workflows", JSON.stringify(EXAMPLE));
    const shown = h("pre", { tabindex: "0", "aria-label": "A workflow as curl" }, curl);
    return hollow("workflows", "No workflow so far", text, shown, copier(shown));
  }

  async _explain(found, signal) {
    for (const { id } of found.filter(({ state }) => state === "blocked").slice(0, MOST_EXPLAINED)) {
      this.rows.get(id)?.tell((await explained(id, signal))?.detail ?? "");
    }
  }
}

class Row {
  constructor(frame, id) {
    this.state = h("td", { class: "st" });
    this.name = h("strong", { class: "cut" });
    this.why = h("span", { class: "why small soft" });
    const link = frame.link(`#/workflows/${id}`, {}, this.name, h("span", { class: "faint mono extra" }, shortId(id)));
    this.took = h("td", { class: "n" });
    this.time = h("td", { class: "n" });
    this.queue = h("td", { class: "soft extra wide-only" });
    const who = h("td", { class: "who" }, link, this.why);
    this.element = h("tr", { class: "go" }, this.state, who, this.queue, this.took, this.time);
  }

  show(job) {
    const { state, gist, queue, created_at, finished_at, error } = job;
    const end_ms = finished_at ? Date.parse(finished_at) : now_ms();
    setText(this.took, seconds(Math.max(0, end_ms - Date.parse(created_at)) / 1000));
    const text = JSON.stringify(job);
    if (text === this.text) return;
    this.text = text;
    put(this.state, pill(state));
    put(this.name, h("bdi", {}, visible(gist.replace(/^name: /, "") || "no name")));
    setText(this.queue, queue);
    put(this.time, when(created_at));
    if (state !== "blocked") this.tell(error?.message ?? "");
  }

  tell(text) {
    if (text === this.told) return;
    this.told = text;
    put(this.why, zoned(text));
  }
}
