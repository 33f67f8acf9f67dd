// #/schedules/+new and #/schedules/nightly-cleanup/edit: the editor. A page of its own, and no dialog: it has an
// address, Escape throws nothing away, and the next runs stand beside the fields. (`+new` can't be a schedule's name.)
//
// Saved by PUT with If-Match, so that nobody's change is lost: to the version that was opened, or with
// `If-None-Match: *` where there was none.

import { curlOf, problemBox, showCurl } from "../actions.js";
import { call, get, getText } from "../api.js";
import { focusFault, PayloadForm } from "../form.js";
import { MASK, parse, wears, WORN } from "../json.js";
import { button, capital, ghosts, h, halfOf, hollow, icon, panel, put, setText, trouble, visible } from "../kit.js";
import { firstOf, masksIn, sampleOf } from "../schema.js";
import { field, Preview, select, setTime, timesOf } from "./schedule_fields.js";
import { hashOf, pathOf, ZONE } from "./schedule_parts.js";

const OVERLAPS = { skip: "Skip the run", allow: "Run beside it", queue: "Wait for its end" };
const CATCH_UPS = { one: "Run once for all of them", none: "Skip what was missed", all: "Run each of the latest 100" };
const KINDS = { job: "A job", workflow: "A workflow" };
const WORKFLOW = { name: "letters", jobs: { first: { type: "email", payload: {} } } };
const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/;
const NAMED = "a-z, 0-9, dot, _ and -. ";
const PAYLOAD = "/job/payload"; // Its form has a field for each of its own.
/** Where the API's pointers lead: the beginning of a pointer, and the field. The first that fits. */
const PLACES = [
  ["/cron", "when"], ["/every_s", "when"], ["/timezone", "zone"], ["/jitter_s", "jitter"], ["/starts_at", "starts"],
  ["/ends_at", "ends"], ["/overlap", "overlap"], ["/catch_up", "missed"], ["/owner", "owner"], ["/job/type", "type"],
  ["/job/queue", "queue"], [PAYLOAD, null], ["/workflow", "workflow"], ["/job/", "rest"], ["/job", "kind"],
];

export function page(frame, { name = null }) {
  const editor = new Editor(frame, name);
  return { title: name ? `Edit ${name}` : "New schedule", element: editor.element };
}

class Editor {
  constructor(frame, name) {
    Object.assign(this, { frame, name, known: null, timed: [] });
    const crumbs = h("nav", { class: "crumbs", "aria-label": "Above" }, frame.link("#/schedules", {}, "Schedules"),
      name && [" / ", frame.link(hashOf(name), {}, name)]);
    const title = h("h1", {}, name ? ["Edit ", visible(name)] : "New schedule");
    this.about = h("p", { class: "soft" });
    this.place = ghosts(6, "panel");
    const head = h("div", { class: "head" }, h("div", {}, crumbs, title, this.about));
    this.element = h("div", { class: "stack" }, head, this.place);
    if (frame.can("write")) frame.once(() => this._open(), (problem) => put(this.place, trouble(problem)));
    else put(this.place, hollow("key", "This key may not write schedules", "It takes a key of scope write."));
  }

  async _open() {
    const { frame, name } = this;
    const how = { signal: frame.signal, exact: true };
    const [types, text] = await Promise.all([get("api/types", how), name && getText(pathOf(name), how)]);
    if (text && wears(text)) {
      return put(this.place, hollow("warn", "This browser is too old for this schedule", WORN));
    }
    this.types = new Map(types.items.map((one) => [one.name, one]));
    this._make();
    this._fill(text ? parse(text) : { cron: "0 3 * * *", timezone: ZONE, overlap: "skip", catch_up: "one", job: {} });
    if (!name) this._choose();
    this.known = frame.keep(this.form, this.known);
  }

  _make() {
    const timed = { input: () => this.preview.ask() };
    const plain = { spellcheck: "false", autocomplete: "off" };
    const names = ["UTC", ...Intl.supportedValuesOf("timeZone")];
    const zones = h("datalist", { id: "s-zones" }, names.map((value) => h("option", { value })));
    const types = Object.fromEntries([...this.types.keys()].map((type) => [type, type]));
    this.fields = {
      name: field("name", "Name", h("input", { ...plain, maxlength: 100, placeholder: "nightly-mail" }),
        `${NAMED}It stays as it is.`),
      when: field("when", "When", h("input", { ...plain, class: "mono", maxlength: 255, on: timed }),
        "Minute hour day month weekday; or a number: seconds between two runs."),
      zone: field("zone", "Time zone", h("input", { ...plain, list: "s-zones", on: timed }), zones),
      kind: field("kind", "Each run is", select(KINDS, { on: { change: () => this._turn() } })),
      type: field("type", "Type", select(types, { on: { change: () => this._choose() } }), ""),
      queue: field("queue", "Queue", h("input", { ...plain, maxlength: 64, placeholder: "that of its type" }),
        this.name && "A schedule stays in its queue."),
      rest: field("rest", "Its other fields, as JSON", h("textarea", { ...plain, rows: 6 }),
        "As for POST /api/jobs: priority, max_attempts, timeout_s, tags, group, then …"),
      workflow: field("workflow", "Workflow, as JSON", h("textarea", { ...plain, rows: 14 }),
        "As for POST /api/workflows."),
      overlap: field("overlap", "If the run before still waits or runs", select(OVERLAPS)),
      missed: field("missed", "If runs were missed while nothing was up", select(CATCH_UPS)),
      jitter: field("jitter", "Jitter: late by up to so many seconds",
        h("input", { type: "number", min: 0, max: 86400, step: "any", placeholder: "0", on: timed })),
      starts: field("starts", "Not before, in your time", h("input", { type: "datetime-local", on: timed })),
      ends: field("ends", "Not after, in your time", h("input", { type: "datetime-local", on: timed })),
      owner: field("owner", "Owner", h("input", { ...plain, maxlength: 128 }),
        "Who answers for it, as a team. The API lists schedules by it."),
    };
    this._layOut();
  }

  _layOut() {
    const { fields: at } = this;
    this.preview = new Preview(this.frame, () => timesOf(at), (errors) => this._tellTimes(errors), at.zone.input);
    const summary = h("summary", {}, icon("chevron"), "More of the job");
    this.more = h("details", { class: "more-fields" }, summary, at.rest.row);
    const kind = h("div", { class: "halves" }, at.type.row, at.queue.row);
    this.payload = new PayloadForm({ id: "s-payload", pointer: PAYLOAD, changed: () => {} });
    const bar = h("div", { class: "curl-bar" }, h("h2", {}, "Payload"), h("span", { class: "gap" }), this.payload.tabs);
    const payload = h("section", { class: "form", "aria-label": "Payload" }, bar, this.payload.element);
    this.job = h("div", { class: "form" }, kind, payload, this.more);
    this.told = h("div", { class: "told form" });
    const part = (title, kind, ...rows) => panel(title, null, h("div", { class: `${kind} pad` }, rows));
    const first = !this.name && at.name.row;
    const when = part("When it runs", "form", first, at.when.row, at.zone.row, this.preview.element);
    const what = part("What it makes", "form", at.kind.row, this.job, at.workflow.row);
    const rules = part("Rules", "thirds", at.overlap.row, at.missed.row, at.jitter.row, at.starts.row, at.ends.row,
      at.owner.row);
    this.save = button("Save", { kind: "main", type: "submit" });
    const curl = button("As curl", { glyph: "copy", on: { click: () => this._tellCurl() } });
    const back = this.frame.back(this.name ? hashOf(this.name) : "#/schedules");
    this.form = h("form", { class: "stack", novalidate: true, on: { submit: (event) => this._submit(event) } },
      h("div", { class: "halves" }, when, what), rules, this.told, h("div", { class: "acts" }, this.save, back, curl));
    this.place.replaceWith(this.form);
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
      type: type ?? firstOf([...this.types.values()])?.name, queue,
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
    this.payload.show(this._tellType(), payload ?? {});
    this.sample = payload ? null : this._typed(); // What nobody has written: another type may have its own sample.
    setText(this.about, JSON.stringify(exact).includes(MASK) ? "Secrets that are masked stay as they are." : "");
    this.preview.ask(0);
  }

  /** A job, or a workflow. */
  _turn() {
    const isJob = this.fields.kind.input.value === "job";
    this.job.hidden = !isJob;
    this.fields.workflow.row.hidden = isJob;
  }

  /** Another type: fields of its own, with what somebody has typed, or else with a sample. */
  _choose() {
    const schema = this._tellType();
    if (this._typed() !== this.sample) return this.payload.recast(schema);
    this.payload.show(schema, sampleOf(this.fields.type.input.value));
    this.sample = this._typed();
  }
  _typed() {
    return this.payload.read({ masks: true }).text;
  }

  /** Say what the type is for. Returns the schema of its payload. */
  _tellType() {
    const type = this.types.get(this.fields.type.input.value);
    const takes = [type?.description, type?.payload_schema.description].filter(Boolean).join(" Its payload: ");
    this.fields.type.say(type ? takes : "No job module of this server defines it (JOB_MODULES).");
    return type?.payload_schema ?? {};
  }

  /** The body of the PUT; null where something is wrong or half filled, which is told at its field. */
  _wish() {
    const { fields: at } = this;
    const faults = [];
    const json = (text, pointer, empty) => {
      try {
        if (wears(text)) throw new SyntaxError(WORN);
        return text.trim() ? parse(text) : empty;
      } catch ({ message: detail }) {
        faults.push({ pointer, detail });
      }
    };
    const payload = this.payload.read({ masks: true });
    const { value: type } = at.type.input;
    const queue = at.queue.input.value.trim();
    const isJob = at.kind.input.value === "job";
    if (isJob) faults.push(...payload.faults);
    const made = isJob
      ? { job: { ...json(at.rest.input.value, "/job/", {}), type, ...(queue && { queue }),
        payload: payload.faults.length ? null : json(payload.text, PAYLOAD) } }
      : { workflow: json(at.workflow.input.value, "/workflow") };
    faults.push(...this._strayMasks(made));
    for (const one of Object.values(at)) one.fault(halfOf(one.input));
    const isHalf = Object.values(at).some(({ isWrong }) => isWrong);
    const left = this._tellErrors(this.payload.tell([...faults, ...this.timed]));
    put(this.told, left.map(({ detail }) => h("p", { class: "dead", role: "alert" }, capital(detail))));
    const owner = at.owner.input.value.trim();
    const rules = { overlap: at.overlap.input.value, catch_up: at.missed.input.value };
    return isHalf || faults.length ? null : { ...timesOf(at), ...made, ...rules, ...(owner && { owner }) };
  }

  /** Masks where the schedule has no secret that the server could keep: they would be sent in place of one. */
  _strayMasks(made) {
    const { version, job, workflow } = this.known ?? {};
    const kept = new Set(version ? masksIn({ job, workflow }, "").map(({ pointer }) => pointer) : []);
    return masksIn(made, "").filter(({ pointer }) => !kept.has(pointer));
  }

  async _submit(event) {
    event.preventDefault();
    const wish = this._wish();
    const name = this.name ?? this.fields.name.input.value.trim();
    const isNamed = NAME.test(name);
    if (!isNamed) this.fields.name.fault([name ? `takes ${NAMED}First a letter or digit.` : "is missing"]);
    if (!wish || !isNamed) return focusFault(this.element);
    this.save.disabled = true;
    try {
      const body = JSON.stringify(wish);
      await call("PUT", pathOf(name), { body, headers: this._match(), signal: this.frame.signal });
      this.frame.leave(hashOf(name));
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
    const left = this._tellErrors(this.payload.tell(problem.errors));
    put(this.told, problemBox(problem, left));
    focusFault(this.element);
  }

  /** Show each error at its field, unless it is one of the payload. Returns those that have none. */
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

  /** What the preview says of the times; nothing where they are right. A save that is not sent says it too. */
  _tellTimes(errors) {
    this.timed = errors;
    for (const name of ["when", "zone", "jitter", "starts", "ends"]) {
      const one = this.fields[name];
      one.fault(one.isWrong ? halfOf(one.input) : []);
    }
    this._tellErrors(errors);
  }

  /** Somebody was quicker: it is another version by now, it is gone, or the name is taken. */
  async _overtaken(name) {
    const now = await get(pathOf(name), { signal: this.frame.signal, exact: true }).catch(() => null);
    if (!this.name) {
      const link = this.frame.link(hashOf(name), { class: "link" }, `Look at ${name}`);
      this.fields.name.fault(["is taken: there is a schedule of that name"]);
      put(this.told, h("p", { role: "alert" }, link, ", or take another name."));
      return focusFault(this.element);
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
    if (!wish) return focusFault(this.element);
    const text = curlOf(this.frame, "PUT", pathOf(name), JSON.stringify(wish), this._match());
    const note = this.known?.version ? "It changes this version, and no other." : "It makes no schedule over another.";
    showCurl("The schedule as curl", text, note);
  }
}
