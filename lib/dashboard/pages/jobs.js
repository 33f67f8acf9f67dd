// #/jobs?queue=…&state=…&q=…: the jobs that fit, 50 a page. The address has the parameters of GET /api/jobs. A
// search asks page after page until 50 are found, all has been looked at, or somebody stops it.

import { curlOf, showCurl } from "../actions.js";
import {
  button, capital, ghosts, h, heads, hollow, icon, Newer, number, plural, progressBar, put, setText, sum, trouble,
  turnsOf, visible,
} from "../kit.js";
import { pagesOf, REQUEST_ID, STATES, textOf, tokensOf } from "../search.js";
import { Bulk, Row, WHEN } from "./jobs_rows.js";

const LIMIT = 50;
/** What can be done to all jobs of a state: names of sweeps (queue_acts.js). */
const SWEEPS = {
  __proto__: null, // The states, filters and orders here are what somebody wrote into an address.
  dead: ["redrive", "delete"], cancelled: ["redrive", "delete"], completed: ["delete"],
  ready: ["cancel"], delayed: ["cancel"], blocked: ["cancel"],
};
/** Filters of a list by which no change of all jobs that fit is made, and why. */
const NO_FILTERS = {
  __proto__: null,
  q: "All that fit can't be changed by a text: it may stand in more jobs than you mean. Take it away, or choose rows.",
  id: "All that fit can't be changed by the begin of an id. Take it away, or choose rows.",
};
const ORDERS = {
  __proto__: null,
  newest: "Newest first.", oldest: "Oldest first.", next: "What runs next is first.",
  started: "What has run longest is first.",
};

export function page(frame, { query }) {
  const jobs = new Jobs(frame, query);
  const field = document.getElementById("find");
  field.value = textOf(query);
  const turn = (where) => () => frame.go(jobs.hashWith({ cursor: jobs[where] }));
  const keys = {
    ...jobs.bulk.keys,
    r: ["run the chosen jobs again", () => jobs.bulk.act("retry"), () => jobs.bulk.can],
    c: ["cancel the chosen jobs", () => jobs.bulk.act("cancel"), () => jobs.bulk.can],
    "[": ["older", turn("next"), () => jobs.next],
    "]": ["newer", turn("back"), () => jobs.back],
  };
  return { title: jobs.title, element: jobs.element, keys, stop: () => (field.value = "") };
}

class Jobs {
  constructor(frame, query) {
    Object.assign(this, { frame, query, rows: new Map(), next: null, back: null });
    const [queue, state] = [query.get("queue"), query.get("state")];
    this.isFiltered = [...query].some(([name]) => !["queue", "state", "cursor", "order"].includes(name));
    this.title = queue ? `Jobs in ${queue}` : "Jobs";
    this.order = h("p", { class: "soft" }, "Looking…");
    const add = frame.can("write") && button("New job", { glyph: "plus", href: "#/jobs/new" });
    const title = h("div", {}, h("h1", {}, visible(this.title)), this.order);
    const head = h("div", { class: "head" }, title, h("div", { class: "acts" }, add));
    this.looked = h("div", { class: "looked", hidden: true });
    const tabs = ["", ...STATES].map((name) => this._tab(name, state ?? ""));
    this.states = h("nav", { class: "states", "aria-label": "By state" }, tabs);
    this.bulk = new Bulk(frame, this.rows, () => this._read(frame.signal, true));
    this.body = h("tbody", {});
    this.table = this._table(WHEN[state] ?? ["Created"]);
    this.newer = new Newer(this.rows, (found) => this._replace(found));
    this.none = h("div", {});
    this.foot = h("footer", {});
    this.loading = ghosts(8);
    this.element = h("div", { class: "stack" }, head, h("section", { class: "panel", "aria-label": "Jobs" },
      this._tokens(), this.looked, this.states, this._fit(), this.newer.element, this.table, this.none, this.loading,
      this.bulk.element, this.foot));
    frame.live.addEventListener("queues", () => this._count(), { signal: frame.signal });
    this._count();
    frame.repeat((signal) => this._read(signal), { busy_s: 5, calm_s: 60, failed: (problem) => this._fail(problem) });
  }

  /** The address of this list with other parameters; null takes one away. */
  hashWith(changes) {
    const query = new URLSearchParams(this.query);
    query.delete("cursor");
    for (const [name, value] of Object.entries(changes)) value ? query.set(name, value) : query.delete(name);
    return `#/jobs${query.size ? `?${query}` : ""}`;
  }

  _tab(name, chosen) {
    const count = h("span", { class: "num", "data-count": name });
    const shape = name && h("span", { class: name }, icon(name));
    const word = capital(name || "all");
    // An order that one state alone has would be refused for another.
    const href = this.hashWith({ state: name, order: null });
    return h("a", { href, "aria-current": name === chosen ? "page" : null }, shape || "", word, count);
  }

  _tokens() {
    const all = tokensOf(this.query).filter(([name]) => name !== "state");
    const q = this.query.get("q");
    const token = (name, parameter, value) => {
      const link = { href: this.hashWith({ [parameter]: null }), "aria-label": `Without ${name || "the text"}` };
      return h("span", { class: "token" }, name && h("b", {}, `${name}:`), visible(value), h("a", link, icon("cross")));
    };
    const shown = [...all.map((one) => token(...one)), q && token("", "q", q)];
    return h("div", { class: "query pad", hidden: !all.length && !q }, shown);
  }

  /** What may be done to all jobs that fit, not the page's alone; or, in words, why it may not. */
  _fit() {
    const { frame, query } = this;
    const state = query.get("state");
    this.fit = h("div", { class: "fit", hidden: true });
    const acts = SWEEPS[state] ?? [];
    const isOffered = frame.can("admin") && (state ? acts.length || state.includes(",") : this.isFiltered);
    if (!isOffered) return null;
    const verbs = acts.map((name) => {
      const kind = `tiny ${name === "redrive" ? "" : "danger"}`;
      const on = { click: () => this._sweep(name) };
      return button(`${capital(name)} all that fit…`, { kind, "data-act": name, on });
    });
    const taken = [...query.keys()].find((name) => NO_FILTERS[name]);
    const why = !acts.length ? "To change all that fit, choose one state." : NO_FILTERS[taken];
    put(this.fit, why ? h("p", { class: "small soft" }, why) : verbs);
    return this.fit;
  }

  async _sweep(name) {
    const { cursor, order, queue, ...filter } = Object.fromEntries(this.query);
    const { sweep } = await import("./queue_acts.js");
    if (this.frame.signal.aborted) return;
    const again = () => this._read(this.frame.signal, true).catch(() => {});
    sweep(this.frame, name, { queues: queue ? [queue] : null, filter }, again);
  }

  _table([when]) {
    const pick = this.bulk.can ? [[this.bulk.all]] : [];
    const names = ["st", "ty", "what", "at extra", "rq extra", "tk extra", "cr"];
    const cols = [...(this.bulk.can ? ["pick"] : []), ...names].map((name) => h("col", { class: `col-${name}` }));
    const columns = [...pick, ["State"], ["Type and id"], ["What"], ["Try", "n wide-only extra"],
      ["Queue", "wide-only extra"], ["Took", "n wide-only extra"], [when, "n"]];
    return h("table", { class: "jobs rows", hidden: true }, h("colgroup", {}, cols), heads(columns), this.body);
  }

  /** Counts stand on the tabs where they are those of the list: of a queue or of all, with no other filter. */
  _count() {
    if (this.isFiltered) return;
    const { queues } = this.frame.live;
    const queue = this.query.get("queue");
    const all = queue ? [queues.get(queue)].filter(Boolean) : [...queues.values()];
    if (!all.length) return;
    const of = (name) => sum(all.map(({ counts }) => counts[name] ?? 0));
    for (const place of this.states.querySelectorAll("[data-count]")) {
      const name = place.dataset.count;
      setText(place, number(name ? of(name) : sum(STATES.map(of))));
    }
  }

  /** Read the page. Later, what is shown is changed in place while somebody is at it; new rows wait for a click. */
  async _read(signal, isAsked = false) {
    const isFirst = !this.hasRead;
    // A search that took several requests is not done again by itself.
    if (!isFirst && !isAsked && this.requests > 1) return;
    this.stopping?.abort();
    const mine = (this.stopping = new AbortController());
    let page = null;
    try {
      for await (page of pagesOf(this.query, LIMIT, AbortSignal.any([signal, mine.signal]))) {
        if (isFirst) this._tell(page, page.items, page.next && page.items.length < LIMIT);
        if (isFirst) this._replace(page.items);
      }
    } catch (fault) {
      if (signal.aborted || !mine.signal.aborted) throw fault;
    }
    if (this.stopping !== mine) return; // A newer one is under way.
    const { items: found, requests, back, next } = page;
    Object.assign(this, { hasRead: true, requests, back, next });
    this._tell(page, found, false);
    this.loading.remove();
    put(this.none, !found.length && this._nothing());
    this._turns(found);
    const isIdle = !this.table.matches(":hover, :focus-within") && !this.bulk.chosen.size;
    if (isFirst || isAsked || isIdle) this._replace(found);
    else this._merge(found, page.order);
  }

  _tell({ looked_at, of, order, warnings }, found, isGoing) {
    setText(this.order, [ORDERS[order], ...warnings].join(" "));
    this.looked.hidden = !this.isFiltered;
    const secrets = this.query.has("q") ? " Payloads and errors are searched; secrets are not." : "";
    const text = `${number(found.length)} found. Looked at ${number(looked_at)} of ${plural(of, "job")}.`;
    const stop = isGoing && button("Stop", { kind: "tiny", on: { click: () => this.stopping.abort() } });
    if (text === this.said && !isGoing && !this.wasGoing) return;
    Object.assign(this, { said: text, wasGoing: isGoing });
    const had = this.looked.contains(document.activeElement);
    const said = h("span", { class: "num", role: isGoing ? null : "status" }, text);
    put(this.looked, isGoing && progressBar("Searched", of ? Math.min(1, looked_at / of) : 1),
      h("p", { class: "small soft" }, said, h("span", { class: "faint" }, secrets), this._asRequest()), stop);
    if (had && stop) stop.focus();
  }

  /** What was typed may be the id of a request whose jobs are so old that search.js, which looks once, did not see. */
  _asRequest() {
    const q = this.query.get("q") ?? "";
    return REQUEST_ID.test(q) && [" ", this.frame.link(`#/requests/${q}`, { class: "link" }, "Look for the request")];
  }

  _nothing() {
    if (this.stopping.signal.aborted) return hollow("search", "Nothing so far", "The search was stopped.");
    const tokens = tokensOf(this.query);
    const [name, parameter] = this.query.has("q") ? ["the text", "q"] : (tokens.at(-1) ?? []);
    const less = name && button(`Without ${name}`, { kind: "tiny", href: this.hashWith({ [parameter]: null }) });
    const title = tokens.length || this.isFiltered ? "No job fits" : "There are no jobs";
    const how = this.query.has("q") ? " An id is found by its first 12 digits, words as they stand together." : "";
    return hollow("inbox", title, `A job that has ended is kept for a time only.${how}`, less);
  }

  _replace(found) {
    // On a phone the tab that is chosen may stand behind the edge.
    if (this.table.hidden) this.states.scrollLeft = (this.states.querySelector("[aria-current]")?.offsetLeft ?? 0) - 60;
    this.table.hidden = this.fit.hidden = !found.length;
    for (const job of found) this._row(job);
    this.body.replaceChildren(...found.map(({ id }) => this.rows.get(id).element));
    const ids = new Set(found.map(({ id }) => id));
    for (const id of [...this.rows.keys()].filter((one) => !ids.has(one))) this.rows.delete(id);
    this.bulk.keep(ids);
    this.newer.hide();
  }
  _row(job) {
    if (this.rows.has(job.id)) this.rows.get(job.id).show(job);
    else this.rows.set(job.id, new Row(this.frame, job, this.bulk, this.query.get("state")));
  }

  /** What is shown changes in place, and no row moves under who is at it: what has come or gone waits for a click. */
  _merge(found, order) {
    found.filter(({ id }) => this.rows.has(id)).forEach((job) => this._row(job));
    this.newer.tell(found, { order, limit: LIMIT });
  }

  _turns(found) {
    if (this.foot.contains(document.activeElement)) return;
    const curl = () => showCurl("The list as curl", curlOf(this.frame, "GET", `api/jobs?${this.query}`));
    const key = (name, does) => [h("kbd", {}, name), ` ${does} `];
    const keys = h("span", { class: "wide-only faint" }, key("j", ""), key("k", "walk ·"), key("Enter", "open"),
      this.bulk.can && [key("x", "choose"), key("Shift+x", "up to here")]);
    put(this.foot, turnsOf(this, found.length, LIMIT), keys, h("span", { class: "gap" }),
      button("As curl", { glyph: "copy", kind: "bare tiny", on: { click: curl } }));
  }

  _fail(problem) {
    setText(this.order, "");
    this.loading.replaceChildren(trouble(problem));
  }
}
