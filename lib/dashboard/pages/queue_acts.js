// What one does with queues: limits of one, and all jobs that fit a filter run again, deleted or cancelled. Each dialog
// says what will happen, has the same as curl, and one button that says what it does.

import { curlOf } from "../actions.js";
import { get, patch, post } from "../api.js";
import {
  button, clockWithSeconds, copier, h, now_ms, number, plural, progressBar, put, setText, showDialog, visible,
} from "../kit.js";

/** A dialog of one act. fill(this) makes it ready; act() does it and returns the sentence of what happened. */
class Ask {
  constructor(frame, title, ...content) {
    this.controller = new AbortController();
    this.signal = this.controller.signal;
    this.frame = frame;
    this.curl = h("pre", { class: "curl", tabindex: "0", "aria-label": "The same as curl" });
    this.told = h("div", { role: "status" });
    this.shut = button("Close", { on: { click: () => this.dialog.close() } });
    this.does = button("…", { kind: "main", type: "submit", disabled: true });
    const form = h("form", { class: "form", on: { submit: (event) => this._submit(event) } }, content,
      h("div", { class: "curl-bar" }, h("h3", {}, "The same as curl"), h("span", { class: "gap" }), copier(this.curl)),
      this.curl, this.told, h("div", { class: "acts" }, this.shut, this.does));
    this.dialog = showDialog(title, h("h2", {}, title), form);
    this.dialog.addEventListener("close", () => this.controller.abort());
    frame.signal.addEventListener("abort", () => this.dialog.close(), { signal: this.signal });
  }

  async _submit(event) {
    event.preventDefault();
    this.does.disabled = true;
    await this.try(async () => {
      this.told.replaceChildren(h("p", {}, await this.act()));
      if (this.isOnce) this.does.hidden = true;
      this.shut.focus();
    });
    this.does.disabled = false;
  }

  /** Do it; a problem is told, with the fields that it names. */
  async try(what) {
    try {
      await what();
    } catch (problem) {
      if (this.signal.aborted) return;
      if (!problem.sentence) throw problem;
      const rows = problem.errors.map(({ pointer, detail }) => h("li", {}, h("code", {}, pointer), ` ${detail}`));
      this.told.replaceChildren(h("p", { class: "dead" }, problem.sentence), h("ul", { class: "small soft" }, rows));
    }
  }
}

const FIRST = { dead: "to die", cancelled: "to be cancelled" };
const SWEEPS = {
  redrive: {
    verb: "Redrive", path: "redrive", done: "redriven",
    says: (jobs, state) => `${jobs} will run again, the first ${FIRST[state]} first.`,
    did: (jobs) => `${jobs} will run again.`,
  },
  delete: {
    verb: "Delete", path: "purge", done: "deleted", kind: "danger",
    says: (jobs) => `${jobs} will be deleted, payloads, errors and all. Nothing brings them back.`,
    did: (jobs) => `${jobs} ${jobs.startsWith("1 ") ? "is" : "are"} deleted.`,
  },
  cancel: {
    verb: "Cancel", path: "purge", done: "cancelled", kind: "danger",
    says: (jobs) => `${jobs} will not run any more. Jobs that wait for them are told.`,
    did: (jobs) => `${jobs} ${jobs.startsWith("1 ") ? "is" : "are"} cancelled.`,
  },
};
const SAMPLED = 3;

/** All jobs that fit are run again, deleted or cancelled, as a dry run has counted them. name: of SWEEPS. queues: their
 * names, or null for every queue. filter: {state: "dead", error: "X"}, as the API takes it. changed(): some were. */
export async function sweep(frame, name, { queues, filter }, changed) {
  const one = new Sweep(frame, SWEEPS[name], filter, changed);
  await one.ask.try(() => one.count(queues));
}

class Sweep {
  constructor(frame, kind, filter, changed) {
    Object.assign(this, { frame, kind, filter, changed });
    const rest = Object.entries(filter).filter(([field]) => field !== "state");
    this.by = rest.length ? ` with ${rest.map(([field, value]) => `${field} ${value}`).join(", ")}` : "";
    this.sentence = h("p", { "aria-live": "polite" }, "Counting…");
    this.sample = h("div", { class: "small soft" });
    this.bar = h("div", {});
    const ask = new Ask(frame, `${kind.verb} ${filter.state} jobs`, this.sentence, this.sample);
    Object.assign(ask, { isOnce: true, act: () => this.act() });
    ask.told.before(this.bar);
    if (kind.kind) ask.does.classList.replace("main", kind.kind);
    setText(ask.does, kind.verb);
    this.ask = ask;
  }

  get where() {
    const [first, ...others] = this.queues;
    return others.length ? ` in ${plural(this.queues.length, "queue")}` : first ? ` of ${first}` : "";
  }

  async count(queues) {
    const { kind, filter, ask, sentence } = this;
    this.queues = queues ?? (await queuesWith(filter.state, ask.signal));
    const found = { matched: 0, followed: 0, sample: [], isMore: false };
    const fitting = [];
    for (const [at, queue] of this.queues.entries()) {
      if (at) setText(sentence, `Counting… ${at} of ${this.queues.length} queues`);
      const { matched, followed, sample, more } = await this._post(queue, { dry_run: true });
      if (matched) fitting.push(queue);
      found.matched += matched;
      found.followed += followed;
      found.sample.push(...sample.slice(0, SAMPLED - found.sample.length));
      found.isMore ||= more;
    }
    if (fitting.length) this.queues = fitting;
    setText(ask.curl, this._curl());
    this.matched = found.isMore ? null : found.matched;
    const count = number(found.matched) + (found.isMore ? " or more" : "");
    this._tell(found, count);
    setText(ask.does, `${kind.verb} ${count}`);
    ask.does.disabled = !found.matched;
    if (found.matched && !kind.kind) ask.does.focus();
  }

  _tell({ matched, followed, sample, isMore }, count) {
    const { filter, kind } = this;
    const jobs = `${count} ${filter.state} ${count === "1" ? "job" : "jobs"}${this.where}${this.by}`;
    const after = followed > 0 && ` Other jobs wait for the end of ${number(followed)} of them.`;
    const again = isMore && " curl takes these many; with the answer's next_cursor as cursor it goes on.";
    const counted = ` Counted at ${clockWithSeconds(now_ms())}.`;
    const none = `No ${filter.state} job${this.where} fits${this.by}.`;
    put(this.sentence, visible(matched ? kind.says(jobs, filter.state) : none), after, counted, again);
    const link = ({ id }) => h("a", { class: "link mono cut block", href: `#/jobs/${id}`, target: "_blank" }, id);
    put(this.sample, sample.length > 0 && "Among them", sample.map(link));
  }

  async act() {
    const { kind, ask } = this;
    let [count, skipped] = [0, []];
    setText(ask.shut, "Stop here");
    try {
      for (const queue of this.queues) {
        let cursor = null;
        do {
          const answer = await this._post(queue, cursor ? { cursor } : {});
          count += answer[kind.done];
          skipped = [...skipped, ...answer.skipped];
          cursor = answer.next_cursor;
          const fraction = this.matched ? Math.min(1, count / this.matched) : null;
          put(this.bar, fraction !== null && progressBar("Done", fraction), h("p", {}, `${number(count)} so far`));
        } while (cursor);
      }
      this.bar.remove();
    } finally {
      setText(ask.shut, "Close");
      this.changed();
    }
    const left = skipped.length ? ` ${plural(skipped.length, "job")} stayed: ${skipped[0].reason}.` : "";
    return kind.did(plural(count, "job")) + left;
  }

  /** What is sent beside the cursor: redrive is for dead jobs unless the body says other ones. */
  get body() {
    const { state, ...rest } = this.filter;
    return this.kind.path === "redrive" && state === "dead" ? rest : this.filter;
  }
  _post(queue, more) {
    return post(`api/queues/${queue}/${this.kind.path}`, { ...this.body, ...more }, { signal: this.ask.signal });
  }
  _curl() {
    const path = (queue) => `api/queues/${queue}/${this.kind.path}`;
    const of = (queue) => curlOf(this.frame, "POST", path(queue), JSON.stringify(this.body));
    if (this.queues.length < 2) return this.queues.map(of).join("");
    return `for queue in ${this.queues.join(" ")}; do\n${of("$queue").replace("$queue", () => "'$queue'")}\ndone`;
  }
}

/** The names of the queues that have jobs in a state. */
async function queuesWith(state, signal) {
  const names = [];
  let cursor = "";
  do {
    const page = await get(`api/queues?limit=500${cursor}`, { signal });
    names.push(...page.items.filter(({ counts }) => counts[state]).map(({ name }) => name));
    cursor = page.next_cursor ? `&cursor=${encodeURIComponent(page.next_cursor)}` : "";
  } while (cursor);
  return names;
}

/** The limits of a queue. */
export function limit(frame, queue, changed) {
  const field = (id, label, value, props = {}) => {
    const input = h("input", { id, type: "number", min: 1, placeholder: "no limit", value: value ?? "", ...props });
    input.addEventListener("input", () => tell());
    return { input, row: h("div", { class: "field" }, h("label", { for: id }, label), input) };
  };
  const fields = {
    concurrency: field("q-most", "Run at once, over all workers", queue.concurrency),
    limit: field("q-limit", "Start", queue.rate?.limit),
    per_s: field("q-per", "in so many seconds", queue.rate?.per_s, { min: 0.001, step: "any", placeholder: "60" }),
    max_depth: field("q-depth", "Ready or delayed at most; then new jobs are refused", queue.max_depth, { min: 0 }),
  };
  const path = `api/queues/${queue.name}`;
  const value = (name) => (fields[name].input.value === "" ? null : Number(fields[name].input.value));
  const wish = () => ({
    concurrency: value("concurrency"),
    rate: value("limit") === null ? null : { limit: value("limit"), per_s: value("per_s") ?? 60 },
    max_depth: value("max_depth"),
  });
  /** Only what differs is sent: what somebody else has set meanwhile stays. */
  const change = () =>
    Object.fromEntries(Object.entries(wish()).filter(([name, one]) => JSON.stringify(one) !== told(queue[name])));
  const told = (one) => JSON.stringify(one?.per_s === undefined ? one : { limit: one.limit, per_s: one.per_s });
  const rows = [fields.concurrency.row, h("div", { class: "halves" }, fields.limit.row, fields.per_s.row),
    fields.max_depth.row];
  const ask = new Ask(frame, `Limits of ${queue.name}`, ...rows);
  const tell = () => {
    const body = change();
    ask.does.disabled = !Object.keys(body).length;
    const curl = () => curlOf(frame, "PATCH", path, JSON.stringify(body));
    setText(ask.curl, ask.does.disabled ? "Nothing is changed yet." : curl());
  };
  setText(ask.does, "Set the limits");
  ask.isOnce = true;
  ask.act = async () => {
    changed(await patch(path, change(), { signal: ask.signal }));
    return "They hold from now on, for jobs that wait already too.";
  };
  tell();
}

/** The same as the switch of pause: returns the queue as it is then. */
export const setPaused = (queue, paused, signal) => patch(`api/queues/${queue}`, { paused }, { signal });
