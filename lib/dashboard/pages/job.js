// #/jobs/<id>: how the job is, in a sentence; what happened; its payload, what came of it, attempts and log. Each
// transition is a message of the stream, after which it is read anew; while it runs, it and its log every 2 s.

import { actionsOf, ask, curlOf, editOf, hasEnded, showCurl } from "../actions.js";
import { get } from "../api.js";
import { keepsNumbers, MASK } from "../json.js";
import {
  button, copier, ghosts, h, hollow, icon, pageOf, panel, plural, progressBar, put, seconds, setText, shortId, state,
  trouble, visible, zoned,
} from "../kit.js";
import { Waterfall } from "../waterfall.js";
import { about, Attempts, data, gistOf, Log, outcome, sentence } from "./job_parts.js";

const PAUSES_MS = { active: 2000, completed: 30_000, dead: 30_000, cancelled: 30_000 };
const OTHERS_MS = 5000;
const LEAST_MS = 300;
const WHOLE = 20;

export function page(frame, { id }) {
  const shown = new JobPage(frame, id);
  const act = (name) => () => shown.act(name);
  const can = (name) => () => shown.acts.some((one) => one.name === name);
  const keys = {
    r: ["run the job again", act("retry"), can("retry")],
    c: ["cancel the job", act("cancel"), can("cancel")],
    e: ["edit the job, or a new one like it", () => frame.go(shown.edit.href), () => Boolean(shown.edit)],
    y: ["the job as curl", () => shown.tellCurl(), () => Boolean(shown.job)],
  };
  return { title: `Job ${shortId(id)}`, element: shown.element, keys };
}

class JobPage {
  constructor(frame, id) {
    Object.assign(this, { frame, id, path: `api/jobs/${encodeURIComponent(id)}`, acts: [], text: "", trace: null });
    this.title = h("h1", { class: "titled" }, "Job");
    this.crumbs = h("p", { class: "crumbs" });
    this.gist = h("p", { class: "soft" });
    this.buttons = h("div", { class: "acts" });
    this.verdict = h("div", { class: "verdict", hidden: true });
    this.fall = new Fall(frame, id);
    this.attempts = new Attempts();
    this.log = new Log(() => this.wake());
    this.about = h("dl", { class: "facts" });
    this.payload = h("div", {});
    this.outcome = h("div", {});
    const facts = panel("About", null, this.about);
    const left = h("div", { class: "stack" }, this.attempts.element, this.log.element);
    this.halves = h("div", { class: "halves" });
    this.rest = h("div", { class: "stack", hidden: true }, h("div", { class: "split" }, left, facts));
    this.loading = ghosts(6, "panel");
    const head = h("div", { class: "head" }, h("div", {}, this.crumbs, this.title, this.gist), this.buttons);
    this.element = h("div", { class: "stack" }, head, this.verdict, this.loading, this.rest);
    frame.every(1, () => this._tick());
    this.wake = frame.watch((signal) => this._read(signal), {
      stream: () => `api/events?job=${encodeURIComponent(id)}`,
      rest_ms: () => PAUSES_MS[this.job?.state] ?? OTHERS_MS,
      least_ms: () => LEAST_MS,
      failed: (problem) => (problem.status === 404 ? this._gone() : put(this.loading, trouble(problem))),
    });
  }

  async _read(signal) {
    const [exact] = await Promise.all([get(this.path, { signal, exact: true }), this.log.read(this.path, signal)]);
    const text = JSON.stringify(exact);
    const isNew = text !== this.text;
    // The payload keeps its numbers as they were written; those of the job are for counting.
    const job = isNew ? JSON.parse(text) : this.job;
    const explained = hasEnded(job) ? null : await get(`${this.path}/explain`, { signal });
    if (isNew) this._show(job, exact);
    Object.assign(this, { text, job, exact, explained });
    this._tick();
    if (isNew) this._showActs();
    // A request that can't be read does not make the job's page any worse.
    await this.fall.read(job, isNew, signal).catch(() => {});
  }

  _show(job, exact) {
    const { frame } = this;
    const isFirst = !this.job;
    const type = visible(job.type ?? "Unreadable job");
    this.title.replaceChildren(h("span", {}, type), state(job.state, { pill: true }));
    frame.title(`${job.type ?? "Job"} ${shortId(job.id)}`);
    put(this.gist, visible(gistOf(job.payload)));
    const id = h("span", { class: "mono cut" }, job.id);
    const search = `#/jobs?queue=${encodeURIComponent(job.queue)}`;
    this.crumbs.replaceChildren(frame.link("#/jobs", {}, "Jobs"), icon("chevron"),
      frame.link(search, {}, job.queue), icon("chevron"), id, copier(id));
    this.attempts.show(job);
    this.about.replaceChildren(...about(job, frame));
    if (isFirst) this.payload.replaceChildren(data("Payload", exact.payload));
    this.outcome.replaceChildren(outcome(job, exact));
    // Who opens a dead job wants to know what went wrong, and with what: that comes before how it went.
    if (isFirst || (job.state === "dead") !== (this.job.state === "dead")) {
      const turned = (parts) => (job.state === "dead" ? parts.reverse() : parts);
      this.halves.append(...turned([this.payload, this.outcome]));
      this.rest.prepend(...turned([this.fall.element, this.halves]));
    }
    this.loading.remove();
    this.rest.hidden = this.verdict.hidden = false;
    this.log.tell(job);
  }

  _showActs() {
    const may = this.frame.can("write");
    this.acts = may ? actionsOf(this.job) : [];
    this.edit = may ? editOf(this.job) : null;
    const rows = this.acts.map(({ name, word, glyph, kind }) => {
      const main = name === "retry" && this.job.state === "dead" ? "main" : (kind ?? "");
      return button(word, { glyph, kind: main, "data-act": name, on: { click: () => this.act(name) } });
    });
    const copy = button("As curl", { glyph: "copy", "data-act": "curl", on: { click: () => this.tellCurl() } });
    const had = this.buttons.querySelector(":focus")?.dataset.act;
    const graph = this.job.type === "workflow" && button("Graph", { glyph: "workflows", href: pageOf(this.job) });
    const { word, ...how } = this.edit ?? {};
    const edit = word && !graph && button(word, how);
    put(this.buttons, rows.slice(0, 1), graph, edit, !graph && this.job.type && copy, rows.slice(1),
      this.frame.lack("write"));
    if (had) (this.buttons.querySelector(`[data-act="${had}"]`) ?? this.buttons.firstElementChild)?.focus();
  }

  act(name) {
    const chosen = this.acts.find((one) => one.name === name);
    if (chosen) ask(this.frame, { ...chosen, done: this.wake });
  }

  /** The same job once more, as curl. */
  tellCurl() {
    const { type, queue, priority, tags, group } = this.job;
    const rest = { queue, priority, ...(tags.length ? { tags } : {}), ...(group ? { group } : {}) };
    const body = JSON.stringify({ type, payload: this.exact.payload, ...rest });
    const masked = body.includes(MASK) ? " Secrets are masked in it: put them in." : "";
    const worn = keepsNumbers ? "" : " This browser may have changed the digits of long numbers.";
    const note = `It posts a new job with the same type and payload.${masked}${worn}`;
    showCurl("The job as curl", curlOf(this.frame, "POST", "api/jobs", body), note);
  }

  /** The sentence and the bars, as they are by now. */
  _tick() {
    if (!this.job) return;
    const { tone, strong, text, link } = sentence(this.job, this.explained, this.frame);
    const told = JSON.stringify([tone, strong, text]);
    if (told !== this.told) {
      this.told = told;
      const { progress } = this.job;
      const bar = progress && !hasEnded(this.job) && progressBar("Progress", progress.fraction);
      this.verdict.className = `verdict ${tone ?? ""}`;
      const said = h("p", {}, h("strong", {}, visible(strong)), " ", zoned(text), " ", link);
      const glyph = h("span", { class: this.job.state }, icon(this.job.state));
      put(this.verdict, glyph, h("div", {}, said, bar));
    }
    this.fall.tick();
  }

  _gone() {
    Object.assign(this, { acts: [], edit: null, job: null });
    const search = `grep -h ${this.id.replace(/[^\w-]/g, "")} logs/*.log`;
    const grep = h("pre", { tabindex: "0", "aria-label": "A search in the logs" }, search);
    const why = "It never was, or it is deleted, or its time is over: a job that has ended is kept for a while only " +
      "(RETAIN_COMPLETED_S, RETAIN_DEAD_S). The logs of the server and the workers still tell of it:";
    this.frame.title("No such job");
    this.title.replaceChildren("This job is gone");
    this.buttons.replaceChildren();
    this.element.replaceChildren(this.element.firstChild,
      h("section", { class: "panel" }, hollow("search", "There is no such job", why, grep, copier(grep))));
  }
}

/** The waterfall of the job's request, or of the job alone. */
class Fall {
  constructor(frame, id) {
    Object.assign(this, { id, trace: null, read_ms: 0, isWhole: null });
    const link = (job) => frame.link(`#/jobs/${job}`, { class: "link mono" }, job);
    this.fall = new Waterfall(({ job_id }) => job_id && job_id !== id && link(job_id));
    this.note = h("span", { class: "faint small" });
    const tab = (label, isWhole) => h("button", { type: "button", on: { click: () => this._choose(isWhole) } }, label);
    this.tabs = h("div", { class: "tabs", role: "group", "aria-label": "Of", hidden: true },
      tab("Whole request", true), tab("This job", false));
    this.element = h("section", { class: "panel", "aria-label": "What happened", hidden: true },
      h("header", {}, h("h2", {}, "What happened"), this.note, this.tabs), this.fall.parts);
  }

  /** Read the request, if the job has changed or its other jobs may have. A large one is read seldom. */
  async read(job, isNew, signal) {
    const jobs = this.trace?.jobs.length ?? 0;
    const age_ms = Date.now() - this.read_ms;
    const isDue = isNew || (this.trace?.state === "open" && age_ms > OTHERS_MS);
    if (!job.request_id || !isDue || age_ms < jobs * 20) return;
    this.read_ms = Date.now();
    const path = `api/requests/${encodeURIComponent(job.request_id)}`;
    let trace = await get(path, { signal });
    for (let tries = 0; tries < 3 && trace.next_cursor && !trace.jobs.some(({ id }) => id === this.id); tries += 1) {
      trace = await get(`${path}?cursor=${encodeURIComponent(trace.next_cursor)}`, { signal });
    }
    this.trace = trace;
    this.isWhole ??= trace.spans.length <= WHOLE;
    this.show();
  }

  _choose(isWhole) {
    this.isWhole = isWhole;
    this.show();
  }

  show() {
    const { request_id, jobs, spans, started_at, ended_at } = this.trace;
    const shown = this.isWhole ? spans : spans.filter(({ job_id }) => job_id === this.id);
    this.element.hidden = !shown.length;
    if (!shown.length) return;
    this.isOpen = shown.some(({ end }) => !end);
    this.fall.show(shown);
    const took = ended_at ? `, ${seconds((Date.parse(ended_at) - Date.parse(started_at)) / 1000)}` : "";
    setText(this.note, `request ${request_id}, ${plural(jobs.length, "job")}${took}`);
    this.tabs.hidden = jobs.length < 2;
    [...this.tabs.children].forEach((tab, at) => tab.setAttribute("aria-pressed", String((at === 0) === this.isWhole)));
  }

  tick() {
    if (this.isOpen && !this.element.matches(":hover")) this.show();
  }
}
