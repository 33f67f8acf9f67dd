// #/workflows/<id>: the jobs of a workflow as a graph with their states, what holds it up in a sentence, and the jobs
// as a table. It is read anew when a job of its request has changed, at most once a second, or once in as many
// hundredths of a second as it has jobs.

import { ask, curlOf, hasEnded, showCurl } from "../actions.js";
import { get } from "../api.js";
import {
  button, capital, copier, day, ghosts, h, heads, hollow, icon, keptParts, likeOf, now_ms, number, pageOf, panel,
  plural, progressBar, put, setText, shortId, state, trouble, visible, when,
} from "../kit.js";
import { afterText, countsOf, Graph, STATES, timeOf } from "./workflow_graph.js";
import { actionsOf, explained, pill, sentence } from "./workflow_words.js";

const LEAST_MS = 1000;
const OPEN_MS = 5000;
const ENDED_MS = 60_000;
const MOST_AROUND = 5;
const AROUND_MS = 10_000;
const STEP = 100; // So many rows the table begins with.

export function page(frame, { id }) {
  const shown = new Workflow(frame, id);
  const act = (name) => [() => shown.act(name), () => shown.acts.some((one) => one.name === name)];
  const keys = {
    r: ["run the workflow again", ...act("retry")], c: ["cancel the workflow", ...act("cancel")],
    y: ["the workflow as curl", () => shown.tellCurl()],
  };
  return { title: `Workflow ${shortId(id)}`, element: shown.element, keys };
}

class Workflow {
  constructor(frame, id) {
    Object.assign(this, { frame, id, path: `api/workflows/${encodeURIComponent(id)}`, acts: [], jobs: new Map() });
    this._once = keptParts();
    this.title = h("h1", { class: "titled" }, "Workflow");
    this.crumbs = h("p", { class: "crumbs" });
    this.counts = h("p", { class: "soft" });
    this.buttons = h("div", { class: "acts" });
    this.verdict = h("div", { class: "verdict", hidden: true });
    this.members = new Members(frame, id);
    this.graph = new Graph(frame, (ids, title) => this.members.choose(ids, title));
    this.about = h("dl", { class: "facts" });
    this.note = h("span", { class: "faint small" });
    this.rest = h("div", { class: "stack", hidden: true },
      panel("Graph", this.note, this.graph.element, this.graph.foot),
      h("div", { class: "split" }, this.members.element, panel("About", null, this.about)));
    this.loading = ghosts(6, "panel");
    const head = h("div", { class: "head" }, h("div", {}, this.crumbs, this.title, this.counts), this.buttons);
    this.element = h("div", { class: "stack" }, head, this.verdict, this.loading, this.rest);
    frame.every(1, () => this.graph.tick());
    this.wake = frame.watch((signal) => this._read(signal), {
      stream: () => this.workflow.request_id && `api/events?request_id=${encodeURIComponent(this.workflow.request_id)}`,
      rest_ms: () => (this.workflow && hasEnded(this.workflow) ? ENDED_MS : OPEN_MS),
      least_ms: () => Math.max(LEAST_MS, this.jobs.size * 10),
      failed: (problem) => this._fail(problem),
    });
  }

  async _read(signal) {
    const workflow = await get(this.path, { signal });
    const jobs = new Map(workflow.jobs.map((job) => [job.id, this._known(job)]));
    this.jobs = jobs;
    this.members.show(jobs);
    this.graph.show(jobs);
    const told = await sentence(workflow, jobs, this.graph.nodes, this.frame);
    await this._readAround(workflow, signal);
    const isFirst = !this.workflow;
    this.workflow = workflow;
    this._show(workflow, told);
    if (isFirst) this.graph.reveal();
  }

  /** A job as it is, with what was known of it before its record went. */
  _known(job) {
    const before = this.jobs.get(job.id);
    return job.type === null && before?.type ? { ...job, type: before.type, after: before.after } : job;
  }

  _show(workflow, told) {
    const { frame } = this;
    const { name, jobs, progress, counts, workflow: above } = workflow;
    this.title.replaceChildren(h("span", {}, visible(name ?? "Workflow")), pill(workflow.state, told.tone));
    frame.title(`${name ?? "Workflow"} ${shortId(this.id)}`);
    const id = h("span", { class: "mono cut" }, this.id);
    const up = above && [frame.link(`#/workflows/${above}`, { class: "mono" }, shortId(above)), icon("chevron")];
    this._once("crumbs", above, () => put(this.crumbs, frame.link("#/workflows", {}, "Workflows"), icon("chevron"), up,
      id, copier(id)));
    const parts = Object.entries(counts).filter(([one, count]) => one !== "jobs" && count);
    const words = parts.map(([one, count]) => `${number(count)} ${one}`);
    setText(this.counts, [plural(jobs.length, "job"), ...words].join(", "));
    const note = this.graph.isGrouped ? "jobs that are alike are one node" : "each behind those that it waits for";
    setText(this.note, note);
    this._tell(workflow, told, progress);
    this._once("about", [workflow.finished_at, workflow.cancel_requested_at, this.around],
      () => this._showAbout(workflow, this.around));
    this._once("acts", [workflow.state, workflow.cancel_requested_at, counts], () => this._showActs());
    this.loading.remove();
    this.rest.hidden = this.verdict.hidden = false;
  }

  _tell({ state: how }, { tone = "", strong, text = [], list = null }, progress) {
    if (this.verdict.contains(document.activeElement)) return; // Somebody is at one of its links.
    const said = h("div", {}, h("p", {}, h("strong", {}, strong), " ", text), list);
    this._once("told", [tone, said.textContent, progress], () => {
      const like = how === "blocked" ? tone || "active" : how;
      if (how === "blocked") said.append(progressBar("Progress", progress));
      this.verdict.className = `verdict ${tone}`;
      put(this.verdict, h("span", { class: like }, icon(like)), said);
    });
  }

  /** States of the first of the jobs for which it waits, and of those that wait for it. */
  async _readAround({ state: how, after, then }, signal) {
    const about = JSON.stringify([how, after, then]);
    if (about === this.aroundOf && now_ms() - this.around_ms < AROUND_MS) return;
    const states = async (ids) => Promise.all(ids.slice(0, MOST_AROUND).map(async (id) =>
      [id, (await explained(id, signal))?.state ?? null]));
    const [before, behind] = await Promise.all([states(after.map(({ job }) => job)), states(then)]);
    this.around = { before, behind, more: [after.length - before.length, then.length - behind.length] };
    Object.assign(this, { aroundOf: about, around_ms: now_ms() });
  }

  _showAbout(workflow, { before, behind, more }) {
    const { frame } = this;
    const { request_id, created_at, finished_at, cancel_requested_at, callback_url, workflow: above } = workflow;
    const job = (id, how) => h("div", { class: "pair" }, frame.link(`#/jobs/${id}`, { class: "link mono cut" }, id),
      how && state(how));
    const jobs = (list, left) => list.length > 0 && [list.map(([id, how]) => job(id, how)),
      left > 0 && h("div", { class: "faint" }, `and ${number(left)} more`)];
    const time = (t) => t && when(t, day(t));
    const request = `#/requests/${encodeURIComponent(request_id)}`;
    const rows = [
      ["Job", frame.link(`#/jobs/${this.id}`, { class: "link" }, "its own page")],
      ["Queue", frame.link(`#/queues/${this.id.slice(0, -33)}`, { class: "link" }, this.id.slice(0, -33))],
      ["Request", request_id && frame.link(request, { class: "link mono" }, request_id)],
      ["Part of", above && frame.link(`#/workflows/${above}`, { class: "link mono cut block" }, above)],
      ["Created", time(created_at)], ["Asked to stop", time(cancel_requested_at)], ["Ended", time(finished_at)],
      ["After", jobs(before, more[0])], ["Then", jobs(behind, more[1])],
      ["Callback", callback_url && h("span", { class: "mono" }, visible(callback_url))],
    ];
    put(this.about, rows.filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  }

  _showActs() {
    const { request_id } = this.workflow;
    this.acts = this.frame.can("write") ? actionsOf(this.workflow) : [];
    const rows = this.acts.map(({ name, word, glyph, kind }) =>
      button(word, { glyph, kind, "data-act": name, on: { click: () => this.act(name) } }));
    const href = `#/requests/${encodeURIComponent(request_id)}`;
    const copy = button("As curl", { glyph: "copy", "data-act": "curl", on: { click: () => this.tellCurl() } });
    const hadFocus = this.buttons.contains(document.activeElement);
    put(this.buttons, rows, request_id && button("Timeline", { glyph: "clock", href }), copy, this.frame.lack("write"));
    if (hadFocus) this.buttons.firstElementChild.focus();
  }

  act(name) {
    const chosen = this.acts.find((one) => one.name === name);
    if (chosen) ask(this.frame, { ...chosen, done: this.wake });
  }
  tellCurl() {
    showCurl("The workflow as curl", curlOf(this.frame, "GET", this.path));
  }

  _fail(problem) {
    if (problem.status !== 404) return put(this.loading, trouble(problem));
    this.frame.title("No such workflow");
    this.title.replaceChildren("There is no such workflow");
    const list = h("div", { class: "acts" }, button("Its job", { kind: "tiny", href: `#/jobs/${this.id}` }));
    const why = "It never was, or it is deleted, or its time is over; or a job that is no workflow has this id.";
    this.buttons.replaceChildren();
    this.element.replaceChildren(this.element.firstChild,
      h("section", { class: "panel" }, hollow("search", "Nothing to draw", why, list)));
  }
}

/** The table of a workflow's jobs: all of them, those of one state, or those of one node of the graph. */
class Members {
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
