// #/schedules/+new and #/schedules/nightly-cleanup/edit: the editor. A page of its own, and no dialog: it has an
// address, Escape throws nothing away, and the next runs stand beside the fields. (`+new` can't be a schedule's name.)
//
// Saved by PUT with If-Match, so that nobody's change is lost: to the version that was opened, or with
// `If-None-Match: *` where there was none.

import { curlOf, problemBox, showCurl } from "../actions.js";
import { call, get, getText } from "../api.js";
import { parse, wears, WORN } from "../json.js";
import { button, ghosts, h, hollow, icon, panel, put, trouble, visible } from "../kit.js";
import { firstOf, payloadOf } from "../schema.js";
import { field, Preview, select, setTime, timesOf } from "./schedule_fields.js";
import { hashOf, pathOf, ZONE } from "./schedule_parts.js";

const OVERLAPS = { skip: "Skip the run", allow: "Run beside it", queue: "Wait for its end" };
const CATCH_UPS = { one: "Run once for all of them", none: "Skip what was missed", all: "Run each of the latest 100" };
const KINDS = { job: "A job", workflow: "A workflow" };
const WORKFLOW = { name: "letters", jobs: { first: { type: "email", payload: {} } } };
/** Where the API's pointers lead: the beginning of a pointer, and the field. The first that fits. */
const PLACES = [
  ["/cron", "when"], ["/every_s", "when"], ["/timezone", "zone"], ["/jitter_s", "jitter"], ["/starts_at", "starts"],
  ["/ends_at", "ends"], ["/overlap", "overlap"], ["/catch_up", "missed"], ["/owner", "owner"], ["/job/type", "type"],
  ["/job/queue", "queue"], ["/job/payload", "payload"], ["/workflow", "workflow"], ["/job/", "rest"],
  ["/job", "payload"],
];

export function page(frame, { name = null }) {
  const editor = new Editor(frame, name);
  return { title: name ? `Edit ${name}` : "New schedule", element: editor.element };
}

class Editor {
  constructor(frame, name) {
    Object.assign(this, { frame, name, known: null });
    const crumbs = h("nav", { class: "crumbs", "aria-label": "Above" }, frame.link("#/schedules", {}, "Schedules"),
      name && [" / ", frame.link(hashOf(name), {}, name)]);
    const title = h("h1", {}, name ? ["Edit ", visible(name)] : "New schedule");
    this.place = h("div", { class: "panel" }, ghosts(6));
    this.element = h("div", { class: "stack" }, h("div", { class: "head" }, h("div", {}, crumbs, title)), this.place);
    if (frame.can("write")) frame.once(() => this._open(), (problem) => put(this.place, trouble(problem)));
    else put(this.place, hollow("key", "This key may not write schedules", "It takes a key of scope write."));
  }

  async _open() {
    const { frame, name } = this;
    const how = { signal: frame.signal };
    const [types, text] = await Promise.all([get("api/types", how), name && getText(pathOf(name), how)]);
    if (text && wears(text)) {
      return put(this.place, hollow("warn", "This browser is too old for this schedule", WORN));
    }
    this.types = new Map(types.items.map((one) => [one.name, one]));
    this._make();
    this._fill(text ? parse(text) : { cron: "0 3 * * *", timezone: ZONE, overlap: "skip", catch_up: "one", job: {} });
    if (!name) this._sample();
  }

  _make() {
    const timed = { input: () => this.preview.ask() };
    const json = { rows: 8, spellcheck: "false", autocomplete: "off" };
    const plain = { spellcheck: "false", autocomplete: "off" };
    const names = ["UTC", ...Intl.supportedValuesOf("timeZone")];
    const zones = h("datalist", { id: "s-zones" }, names.map((value) => h("option", { value })));
    const types = Object.fromEntries([...this.types.keys()].map((type) => [type, type]));
    this.fields = {
      name: field("name", "Name", h("input", { ...plain, maxlength: 100, placeholder: "nightly-mail" }),
        "a-z, 0-9, dot, _ and -. It stays as it is."),
      when: field("when", "When", h("input", { ...plain, class: "mono", maxlength: 255, on: timed }),
        "Minute hour day month weekday; or a number: seconds between two runs."),
      zone: field("zone", "Time zone", h("input", { ...plain, list: "s-zones", on: timed }), zones),
      kind: field("kind", "Each run is", select(KINDS, { on: { change: () => this._turn() } })),
      type: field("type", "Type", select(types, { on: { change: () => this._sample() } }), ""),
      queue: field("queue", "Queue", h("input", { ...plain, maxlength: 64, placeholder: "that of its type" }),
        this.name && "A schedule stays in its queue."),
      payload: field("payload", "Payload, as JSON", h("textarea", json)),
      rest: field("rest", "Its other fields, as JSON", h("textarea", { ...json, rows: 6 }),
        "As for POST /api/jobs: priority, max_attempts, timeout_s, tags, group, then …"),
      workflow: field("workflow", "Workflow, as JSON", h("textarea", { ...json, rows: 14 }),
        "As for POST /api/workflows."),
      overlap: field("overlap", "If the run before still waits or runs", select(OVERLAPS)),
      missed: field("missed", "If runs were missed while nothing was up", select(CATCH_UPS)),
      jitter: field("jitter", "Jitter: late by up to so many seconds",
        h("input", { type: "number", min: 0, max: 86400, step: "any", placeholder: "0", on: timed })),
      starts: field("starts", "Not before, in your time", h("input", { type: "datetime-local", on: timed })),
      ends: field("ends", "Not after, in your time", h("input", { type: "datetime-local", on: timed })),
      owner: field("owner", "Owner", h("input", { ...plain, maxlength: 128 }), "Whose it is: a filter of lists."),
    };
    this._layOut();
  }

  _layOut() {
    const { fields: at } = this;
    this.preview = new Preview(this.frame, () => timesOf(at), (errors) => this._tellTimes(errors), at.zone.input);
    const summary = h("summary", {}, icon("chevron"), "More of the job");
    this.more = h("details", { class: "more-fields" }, summary, at.rest.row);
    const kind = h("div", { class: "halves" }, at.type.row, at.queue.row);
    this.job = h("div", { class: "form" }, kind, at.payload.row, this.more);
    this.told = h("div", { class: "told form" });
    const part = (title, kind, ...rows) => panel(title, null, h("div", { class: `${kind} pad` }, rows));
    const first = !this.name && at.name.row;
    const when = part("When it runs", "form", first, at.when.row, at.zone.row, this.preview.element);
    const what = part("What it makes", "form", at.kind.row, this.job, at.workflow.row);
    const rules = part("Rules", "thirds", at.overlap.row, at.missed.row, at.jitter.row, at.starts.row, at.ends.row,
      at.owner.row);
    this.save = button("Save", { kind: "main", type: "submit" });
    const curl = button("As curl", { glyph: "copy", on: { click: () => this._tellCurl() } });
    const back = button("Leave it", { href: this.name ? hashOf(this.name) : "#/schedules" });
    const form = h("form", { class: "stack", novalidate: true, on: { submit: (event) => this._submit(event) } },
      h("div", { class: "halves" }, when, what), rules, this.told, h("div", { class: "acts" }, this.save, back, curl));
    this.place.replaceWith(form);
  }

  /** exact: a schedule as GET shows one. */
  _fill(exact) {
    const plain = JSON.parse(JSON.stringify(exact));
    const { fields: at } = this;
    const { type, queue, payload, ...rest } = exact.job ?? {};
    const pretty = (value) => JSON.stringify(value, null, 2);
    if (type && !this.types.has(type)) at.type.input.append(h("option", { value: type }, type));
    const values = {
      when: plain.cron ?? plain.every_s, zone: plain.timezone, kind: exact.workflow ? "workflow" : "job",
      type: type ?? firstOf([...this.types.values()])?.name, queue, payload: pretty(payload ?? {}),
      rest: Object.keys(rest).length ? pretty(rest) : "",
      workflow: pretty(exact.workflow ?? WORKFLOW), overlap: plain.overlap, missed: plain.catch_up,
      jitter: plain.jitter_s || "", owner: plain.owner,
    };
    for (const [name, value] of Object.entries(values)) at[name].input.value = value ?? "";
    setTime(at.starts.input, plain.starts_at);
    setTime(at.ends.input, plain.ends_at);
    this.known = exact;
    this.more.open = Boolean(rest.then?.length);
    this._turn();
    this._tellType();
    this.preview.ask(0);
  }

  /** A job, or a workflow. */
  _turn() {
    const isJob = this.fields.kind.input.value === "job";
    this.job.hidden = !isJob;
    this.fields.workflow.row.hidden = isJob;
  }

  /** A payload to begin with, unless somebody has written one. */
  _sample() {
    const { type: { input: { value: name } }, payload } = this.fields;
    const isTouched = payload.input.value !== (this.sample ?? "{}");
    const type = this.types.get(name);
    this.sample = JSON.stringify(type ? payloadOf(type) : {}, null, 2);
    if (!isTouched) payload.input.value = this.sample;
    this._tellType();
  }

  _tellType() {
    const { description, payload_schema: schema } = this.types.get(this.fields.type.input.value) ?? {};
    const needs = schema?.required?.length ? `Its payload needs ${schema.required.join(", ")}.` : "";
    this.fields.type.say([description, needs].filter(Boolean).join(" "));
  }

  /** The body of the PUT; null where a field is no JSON, which is told there. */
  _wish() {
    const { fields: at } = this;
    let isWhole = true;
    const json = (one, empty) => {
      try {
        if (wears(one.input.value)) throw new SyntaxError(WORN);
        return one.input.value.trim() ? parse(one.input.value) : empty;
      } catch (fault) {
        isWhole = false;
        one.fault([fault.message]);
        if (one === at.rest) this.more.open = true;
      }
    };
    for (const one of Object.values(at)) one.fault([]);
    const { value: type } = at.type.input;
    const queue = at.queue.input.value.trim();
    const made = at.kind.input.value === "workflow" ? { workflow: json(at.workflow) }
      : { job: { ...json(at.rest, {}), type, ...(queue && { queue }), payload: json(at.payload) } };
    const owner = at.owner.input.value.trim();
    const rules = { overlap: at.overlap.input.value, catch_up: at.missed.input.value };
    return isWhole ? { ...timesOf(at), ...made, ...rules, ...(owner && { owner }) } : null;
  }

  async _submit(event) {
    event.preventDefault();
    put(this.told);
    const wish = this._wish();
    const name = this.name ?? this.fields.name.input.value.trim();
    if (!name) this.fields.name.fault(["is missing"]);
    if (!wish || !name) return this._toFault();
    this.save.disabled = true;
    try {
      const body = JSON.stringify(wish);
      await call("PUT", pathOf(name), { body, headers: this._match(), signal: this.frame.signal });
      this.frame.go(hashOf(name));
    } catch (problem) {
      if (!this.frame.signal.aborted) await this._refused(problem, name);
    } finally {
      this.save.disabled = false;
    }
  }

  /** What the change is made to: the version that is shown here, or no schedule. */
  _match() {
    return this.known?.version ? { "If-Match": `"${this.known.version}"` } : { "If-None-Match": "*" };
  }

  async _refused(problem, name) {
    const { fields: at } = this;
    if (problem.status === 412) return this._overtaken(name);
    if (problem.status === 404) at.name.fault([problem.message]);
    if (problem.slug === "schedule-elsewhere") at.queue.fault([problem.message]);
    const left = this._tellErrors(problem.errors);
    put(this.told, problemBox(problem, left));
    this._toFault();
  }

  /** Show each error at its field. Returns those that have none. */
  _tellErrors(errors) {
    const found = new Map();
    const left = [];
    for (const error of errors) {
      const [start, name] = PLACES.find(([one]) => error.pointer.startsWith(one)) ?? [];
      if (!name) left.push(error);
      const within = name && error.pointer.slice(start.length).replace(/^\//, "");
      if (name) found.set(name, [...(found.get(name) ?? []), `${within} ${error.detail}`.trim()]);
    }
    for (const [name, texts] of found) this.fields[name].fault(texts);
    if (found.has("rest")) this.more.open = true;
    return left;
  }

  /** What the preview says of the times; nothing where they are right. */
  _tellTimes(errors) {
    for (const name of ["when", "zone", "jitter", "starts", "ends"]) this.fields[name].fault([]);
    this._tellErrors(errors);
  }

  _toFault() {
    Object.values(this.fields).find((one) => one.isWrong)?.input.focus();
  }

  /** Somebody was quicker: it is another version by now, it is gone, or the name is taken. */
  async _overtaken(name) {
    const now = await get(pathOf(name), { signal: this.frame.signal, exact: true }).catch(() => null);
    if (!this.name) {
      const link = this.frame.link(hashOf(name), { class: "link" }, `Look at ${name}`);
      this.fields.name.fault(["is taken: there is a schedule of that name"]);
      put(this.told, h("p", { role: "alert" }, link, ", or take another name."));
      return this._toFault();
    }
    const over = button(now ? "Save mine over it" : "Make it anew", { kind: "tiny", on: { click: () => {
      this.known = now;
      this.save.click();
    } } });
    const theirs = now && button("Take theirs", { kind: "tiny", on: { click: () => {
      put(this.told);
      this._fill(now);
    } } });
    const text = now ? "Somebody has changed the schedule since you opened it; nothing is saved."
      : "Somebody has deleted the schedule meanwhile.";
    put(this.told, h("p", { class: "dead", role: "alert" }, text), h("div", { class: "acts" }, over, theirs));
    over.focus();
  }

  _tellCurl() {
    const wish = this._wish();
    const name = this.name ?? (this.fields.name.input.value.trim() || "nightly");
    if (!wish) return this._toFault();
    const text = curlOf(this.frame, "PUT", pathOf(name), JSON.stringify(wish), this._match());
    const note = this.known?.version ? "It changes this version, and no other." : "It makes no schedule over another.";
    showCurl("The schedule as curl", text, note);
  }
}
