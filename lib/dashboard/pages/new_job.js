// The dialog "New job": a type of /api/types, a payload that its schema lets pass, the same as curl, and the job as it
// runs.

import { curlBox, curlOf } from "../actions.js";
import { get, post } from "../api.js";
import { parse, tree } from "../json.js";
import { button, h, seconds, setText, showDialog, state } from "../kit.js";
import { keepFollowing } from "../live.js";

/** Payloads that do something at once, for the jobs that ship with Waybill. */
export const EXAMPLES = {
  email: { to: "test@gmail.com", subject: "Hi", text: "Hello" },
  webhook: { url: "https://example.com/hooks/orders", body: { order: 4711 } },
};
const EMPTY = { string: "", integer: 0, number: 0, boolean: false, array: [], object: {}, null: null };
const ENDED = new Set(["completed", "dead", "cancelled"]);

/** The curl that posts a job of this type. */
export const curlOfJob = (frame, type, payload) =>
  curlOf(frame, "POST", "api/jobs", JSON.stringify({ type, payload }));

/** A payload that has what the schema requires: the least that is worth editing. */
export function sampleOf(schema) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).filter(([name]) => required.has(name));
  return Object.fromEntries(rows.map(([name, one]) => [name, valueOf(one)]));
}

function valueOf(schema) {
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf) return valueOf(schema.anyOf[0]);
  return EMPTY[[].concat(schema.type)[0]] ?? {};
}

/** Open the dialog. */
export function newJob(frame) {
  new NewJob(frame).open();
}

class NewJob {
  constructor(frame) {
    this.frame = frame;
    this.controller = new AbortController();
    this.type = h("select", { id: "job-type", on: { change: () => this._choose() } });
    this.about = h("p", { class: "hint", id: "job-about" });
    const edited = { input: () => this._tellCurl() };
    this.payload = h("textarea", { id: "job-payload", rows: 7, spellcheck: "false", autocomplete: "off", on: edited });
    this.curl = curlBox("");
    this.told = h("div", { role: "status" });
    this.send = button("Post the job", { kind: "main", type: "submit" });
  }

  async open() {
    const row = (id, label, field, hint) => h("div", { class: "field" }, h("label", { for: id }, label), field, hint);
    const form = h("form", { class: "form", on: { submit: (event) => this._post(event) } },
      row("job-type", "Type", this.type, this.about), row("job-payload", "Payload, as JSON", this.payload),
      this.curl, this.told,
      h("div", { class: "acts" }, button("Close", { on: { click: () => this.dialog.close() } }), this.send));
    this.dialog = showDialog("New job", h("h2", {}, "New job"), form);
    this.dialog.addEventListener("close", () => this.controller.abort());
    this.frame.signal.addEventListener("abort", () => this.dialog.close(), { signal: this.controller.signal });
    try {
      this.types = (await get("api/types", { signal: this.controller.signal })).items;
    } catch (problem) {
      return this._tellProblem(problem);
    }
    this.type.append(...this.types.map(({ name }) => h("option", { value: name }, name)));
    if (this.types.some(({ name }) => name === "email")) this.type.value = "email";
    this._choose();
  }

  _choose() {
    const chosen = this.types.find(({ name }) => name === this.type.value);
    if (!chosen) return;
    setText(this.about, chosen.description ?? "");
    this.payload.value = JSON.stringify(EXAMPLES[chosen.name] ?? sampleOf(chosen.payload_schema ?? {}), null, 2);
    this._tellCurl();
  }

  /** The payload as it is typed, its numbers kept; undefined where it is no JSON. */
  _typed() {
    try {
      return parse(this.payload.value);
    } catch {
      return undefined;
    }
  }

  _tellCurl() {
    const payload = this._typed();
    this.send.disabled = payload === undefined;
    const isTold = payload !== undefined;
    setText(this.curl[1], isTold ? curlOfJob(this.frame, this.type.value, payload) : "The payload is no JSON yet.");
  }

  async _post(event) {
    event.preventDefault();
    this.send.disabled = true;
    const { signal } = this.controller;
    try {
      const body = JSON.stringify({ type: this.type.value, payload: this._typed() });
      const job = await post("api/jobs", body, { signal, exact: true });
      setText(this.send, "Post another");
      this._follow(job, signal);
    } catch (problem) {
      if (!signal.aborted) this._tellProblem(problem);
    } finally {
      this.send.disabled = false;
    }
  }

  _tellProblem(problem) {
    const rows = problem.errors.map(({ pointer, detail }) => h("li", {}, h("code", {}, pointer), ` ${detail}`));
    this.told.replaceChildren(h("p", { class: "dead" }, problem.sentence), h("ul", { class: "small soft" }, rows));
  }

  /** Show the job until it has ended: each transition is a message, after which the job is read. */
  async _follow(job, signal) {
    this.watched?.abort();
    this.watched = new AbortController();
    const watch = AbortSignal.any([signal, this.watched.signal]);
    const read = async () => this._show(await get(`api/jobs/${job.id}`, { signal: watch, exact: true }));
    this._show(job);
    keepFollowing(`api/events?job=${job.id}`, () => read().catch(() => {}), watch);
    await read().catch(() => {}); // What happened before the stream began.
    setTimeout(() => !watch.aborted && read().catch(() => {}), 1000);
  }

  _show(job) {
    if (ENDED.has(job.state)) this.watched.abort();
    const last = job.history.at(-1);
    const took_ms = last?.finished_at && Date.parse(last.finished_at) - Date.parse(last.started_at);
    const took = took_ms == null ? "" : `, ${seconds(took_ms / 1000)}`;
    const tries = job.attempts ? ` attempt ${job.attempts} of ${job.max_attempts}${took}` : "";
    const failed = job.error && h("p", { class: "dead small" }, `${job.error.type}: ${job.error.message}`);
    const found = failed || (job.result != null && tree(job.result));
    const name = this.frame.link(`#/jobs/${job.id}`, { class: "mono" }, job.id);
    const line = h("p", {}, state(job.state, { pill: true }), h("span", { class: "small soft" }, tries));
    this.told.replaceChildren(h("div", { class: "posted" }, line, name, ...(found ? [found] : [])));
    this.told.scrollIntoView({ block: "nearest" });
  }
}
