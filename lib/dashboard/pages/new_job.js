// #/jobs/new: a job to post, its type chosen from /api/types, its payload a form of that type's schema, the same as
// curl. #/jobs/new?like=<id>: the same with what another job has. #/jobs/<id>/edit: a job that waits is changed.

import { curlBox, curlOf, mayChange, problemBox } from "../actions.js";
import { call, get, getText } from "../api.js";
import { Fields, focusFault, objectOf, PayloadForm } from "../form.js";
import { parse, wears, WORN } from "../json.js";
import { button, ghosts, h, hollow, icon, put, setText, shortId, trouble, visible } from "../kit.js";
import { firstOf, masksIn, sampleOf } from "../schema.js";
import { changeFields, changeOf, likeOf, newFields } from "./job_fields.js";

const MOST_CURL = 100_000;
const TOO_LONG = "The job is longer than a command line may be: write it into a file, and use -d @file.";
const SECRETS = " Secrets are masked in it: type them anew.";

/** What was typed for a job that had begun meanwhile: {id, payload}, for the new job that is to be like it. */
let left = null;

export function page(frame, { id, query }) {
  const like = query.get("like");
  const title = id ? "Edit job" : like ? "Edit as new" : "New job";
  const form = new JobForm(frame, { id, like, title, type: query.get("type") });
  return { title, element: form.element };
}

class JobForm {
  constructor(frame, { id, like, title, type }) {
    Object.assign(this, { frame, id, like, wanted: type, drafts: {} });
    const source = id ?? like;
    this.about = h("p", { class: "soft" });
    const crumbs = h("nav", { class: "crumbs", "aria-label": "Above" }, frame.link("#/jobs", {}, "Jobs"),
      source && [icon("chevron"), frame.link(`#/jobs/${source}`, { class: "mono cut" }, source)]);
    const head = h("div", { class: "head" }, h("div", {}, crumbs, h("h1", {}, title), this.about));
    this.place = ghosts(6, "panel");
    this.element = h("div", { class: "stack" }, head, this.place);
    if (frame.can("write")) frame.once(() => this._load(source), (problem) => put(this.place, trouble(problem)));
    else this._say("key", "This key may only read", "A key of scope write posts and changes jobs.");
  }

  _say(glyph, title, text, ...rest) {
    this.place.className = "panel";
    this.place.replaceChildren(hollow(glyph, title, text, ...rest));
  }

  async _load(source) {
    const { signal } = this.frame;
    // The job as text: a browser that does not keep numbers must know that.
    const [{ items }, text] = await Promise.all([
      get("api/types", { signal, exact: true }),
      source && getText(`api/jobs/${encodeURIComponent(source)}`, { signal }),
    ]);
    this.types = items;
    this.job = text && parse(text);
    if (text && wears(text)) return this._say("warn", "This browser is too old for this job", WORN);
    if (this.id && !mayChange(this.job)) return this._tooLate();
    if (!items.length && !this.job?.type) {
      return this._say("warn", "No type of job is known", "Name Python modules with jobs in JOB_MODULES.");
    }
    this._make();
  }

  _tooLate() {
    const again = button("Edit as new", { kind: "tiny", href: `#/jobs/new?like=${this.job.id}` });
    this._say("warn", `The job is ${this.job.state}`, "Only a job that waits can be changed.",
      h("div", { class: "acts" }, again));
  }

  _make() {
    const changed = () => this.send && this._tellCurl();
    this.payload = new PayloadForm({ id: "payload", changed });
    this.options = new Fields({ id: "option", changed });
    const words = this.id ? "priority, time, attempts, tags" : "queue, priority, time, attempts, unique key, tags";
    this.more = h("details", { class: "more-fields" },
      h("summary", {}, icon("chevron"), `More: ${words}`), this.options.element);
    this.told = h("div", { class: "told form" });
    const type = this.id ? this._fillChange() : this._fillNew();
    const source = this.id ?? this.like;
    const back = this.frame.back(source ? `#/jobs/${source}` : "#/jobs");
    this.send = button(this.id ? "Change the job" : "Post the job", { kind: "main", type: "submit" });
    const payload = h("section", { class: "panel", "aria-label": "Payload" },
      h("header", {}, h("h2", {}, "Payload"), this.payload.tabs), h("div", { class: "pad" }, this.payload.element));
    const form = h("form", { class: "stack", novalidate: true, on: { submit: (event) => this._submit(event) } },
      type, payload, inset("More", this.more), this.told, h("div", { class: "acts" }, this.send, back));
    const [head, shown] = curlBox("");
    this.curl = shown;
    const beside = h("div", { class: "beside" }, inset("The same as curl", head, shown));
    this.place.replaceWith(h("div", { class: "split wide-side" }, form, beside));
    this._tellCurl();
    this.frame.keep(form);
  }

  /** The form has what the job has. */
  _fillChange() {
    const { job } = this;
    const masked = isMasked(job) ? " Secrets that are masked stay as they are." : "";
    put(this.about, "A job of the type ", visible(job.type ?? "–"), `, changed while it waits.${masked}`);
    this.payload.show(this._schemaOf(job.type), job.payload ?? {});
    this.options.show(changeFields, changeOf(job), { isWhole: true });
    this.more.open = true;
    this.before = plain(this.payload.read({ masks: true }).text);
    return null;
  }

  /** The form has a sample of the type, or what another job has. Returns the panel of the type. */
  _fillNew() {
    const { job } = this;
    const first = job?.type ?? (this._typeOf(this.wanted) ?? firstOf(this.types)).name;
    const names = [...new Set([...this.types.map(({ name }) => name), first])];
    this.hint = h("p", { class: "hint", id: "job-about" });
    this.type = h("select", { id: "job-type", on: { change: () => this._choose() }, "aria-describedby": "job-about" },
      names.map((name) => h("option", { value: name, selected: name === first }, name)));
    const taken = job ? likeOf(job, this._typeOf(first)) : {};
    this.options.show(newFields, taken, { isWhole: true });
    this.more.open = Object.keys(taken).length > 0;
    const kept = job && left?.id === job.id ? left.payload : job?.payload;
    left = null;
    this._choose(kept);
    if (job) {
      const link = this.frame.link(`#/jobs/${job.id}`, { class: "link mono" }, shortId(job.id));
      put(this.about, "A new job like ", link, ", which stays as it is.", isMasked(job) && SECRETS);
    }
    return inset("Type", h("div", { class: "field" }, h("label", { for: "job-type" }, "Type"), this.type, this.hint));
  }

  _typeOf(name) {
    return this.types.find((one) => one.name === name);
  }
  _schemaOf(name) {
    return this._typeOf(name)?.payload_schema ?? {};
  }

  /** The type that is selected, with this payload, or what was typed for that type before, or a sample. */
  _choose(payload) {
    const name = this.type.value;
    if (this.chosen) this.drafts[this.chosen] = this.payload.read({ masks: true });
    this.chosen = name;
    const type = this._typeOf(name);
    const takes = [type?.description, type?.payload_schema.description].filter(Boolean).join(" Its payload: ");
    setText(this.hint, type ? takes : "No job module of this server defines it (JOB_MODULES).");
    const draft = this.drafts[name];
    const typed = draft && !draft.faults.length ? parse(draft.text) : undefined;
    this.payload.show(this._schemaOf(name), payload ?? typed ?? sampleOf(name));
    const usual = ["queue", "max_attempts", "timeout_s"];
    for (const field of usual) this.options.suggest(field, shownOf(type?.[field]));
  }

  /** {body: JSON text, faults}; body: null where nothing is changed. */
  _read() {
    const { text, faults } = this.payload.read({ masks: Boolean(this.id) });
    const more = this.options.read({ isChange: Boolean(this.id) });
    const all = [...faults, ...more.faults];
    if (all.length) return { body: null, faults: all };
    const isKept = this.id && plain(text) === this.before;
    const pairs = isKept ? more.pairs : [["payload", text], ...more.pairs];
    if (!this.id) pairs.unshift(["type", JSON.stringify(this.chosen)]);
    return { body: pairs.length ? objectOf(pairs) : null, faults: [] };
  }

  _tellCurl() {
    const { body, faults } = this._read();
    this.send.disabled = !faults.length && body === null;
    if (faults.length) return setText(this.curl, `${faults[0].pointer} ${faults[0].detail}`);
    if (body === null) return setText(this.curl, "Nothing is changed yet.");
    setText(this.curl, body.length > MOST_CURL ? TOO_LONG : curlOf(this.frame, ...this._how(), body));
  }

  _how() {
    return this.id ? ["PATCH", `api/jobs/${this.id}`] : ["POST", "api/jobs"];
  }

  async _submit(event) {
    event.preventDefault();
    const { body, faults } = this._read();
    this.told.replaceChildren();
    if (this._mark(faults).length < faults.length) return focusFault(this.element);
    this.send.disabled = true;
    try {
      this._done(await call(...this._how(), { body, signal: this.frame.signal }));
    } catch (problem) {
      if (!this.frame.signal.aborted) this._tell(problem);
    } finally {
      this.send.disabled = false;
    }
  }

  /** Show faults at their fields. Returns those that have none here. */
  _mark(faults) {
    return this.options.tell(this.payload.tell(faults));
  }

  _tell(problem) {
    if (!problem.sentence) throw problem;
    const others = this._mark(problem.errors);
    this.told.replaceChildren(...problemBox(problem, others));
    const hasBegun = this.id && problem.status === 409;
    if (hasBegun) {
      left = { id: this.id, payload: parse(this.payload.read({ masks: true }).text) };
      this.told.append(button("Edit as new", { kind: "tiny", href: `#/jobs/new?like=${this.id}` }));
    }
    if (!focusFault(this.element)) this.told.scrollIntoView({ block: "nearest" });
  }

  _done(job) {
    if (job.outcome !== "duplicate") return this.frame.leave(`#/jobs/${job.id}`);
    const link = this.frame.link(`#/jobs/${job.id}`, { class: "link mono" }, visible(job.id));
    const words = "Nothing new is queued: this job has the unique key. ";
    this.told.replaceChildren(h("p", { role: "alert" }, words, link));
  }
}

/** A value as a placeholder: a text as it is, a number with its own digits. */
const shownOf = (value = "") => (typeof value === "string" ? value : JSON.stringify(value));

const inset = (label, ...inside) => h("section", { class: "panel inset form", "aria-label": label }, inside);

const isMasked = (job) => masksIn(job.payload, "").length > 0;

/** A JSON text without its white space. */
const plain = (text) => JSON.stringify(parse(text));
