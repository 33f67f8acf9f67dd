// What one does with queues: one is paused, or goes on, or gets limits, and all jobs that fit a filter run again, are
// deleted or cancelled.

import { Ask, ask, curlOf, curlOfEach, field } from "../actions.js";
import { get, patch, post } from "../api.js";
import { clockWithSeconds, h, now_ms, number, plural, progressBar, put, setText, visible } from "../kit.js";

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
const AT_ONCE = 4; // A browser has six connections to a server, and the live streams take up to two.

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
    const about = { title: `${kind.verb} ${filter.state} jobs`, label: kind.verb, kind: kind.kind };
    this.ask = new Ask(frame, about, this.sentence, this.sample);
    this.ask.act = () => this.act();
    this.ask.told.before(this.bar);
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
    for (let at = 0; at < this.queues.length; at += AT_ONCE) {
      if (at) setText(sentence, `Counting… ${at} of ${this.queues.length} queues`);
      const some = this.queues.slice(at, at + AT_ONCE);
      const answers = await Promise.all(some.map((queue) => this._post(queue, { dry_run: true })));
      for (const [i, { matched, followed, sample, more }] of answers.entries()) {
        if (matched) fitting.push(some[i]);
        found.matched += matched;
        found.followed += followed;
        found.sample.push(...sample.slice(0, SAMPLED - found.sample.length));
        found.isMore ||= more;
      }
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
    const path = `api/queues/${encodeURIComponent(queue)}/${this.kind.path}`; // The name may be of an address.
    return post(path, { ...this.body, ...more }, { signal: this.ask.signal });
  }
  _curl() {
    const path = (queue) => `api/queues/${queue}/${this.kind.path}`;
    return curlOfEach(this.frame, "POST", this.queues, path, JSON.stringify(this.body));
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

const PAUSE = "No worker begins a job of it until it is resumed. Jobs that run go on; new ones are taken in, and wait.";

/** Pause a queue, or let it go on. changed(queue): as it is then. */
export function pause(frame, { name, paused }, changed) {
  const label = paused ? "Resume" : "Pause";
  const words = paused ? "Workers begin its jobs again, in their order." : PAUSE;
  ask(frame, {
    title: `${label} the queue ${name}?`, words, label, method: "PATCH", path: `api/queues/${name}`,
    body: JSON.stringify({ paused: !paused }), done: changed,
  });
}

/** Set the limits of all jobs of a queue together, and those that each of its groups has. queue: as the API shows it.
 * changed(queue): as it is then. */
export function limit(frame, queue, changed) {
  return new Limits(frame, queue, changed);
}

class Limits {
  constructor(frame, queue, changed) {
    Object.assign(this, { frame, queue, changed, path: `api/queues/${queue.name}` });
    /** Where the API's pointers lead: "/groups/rate/limit" -> the field. */
    this.fields = new Map();
    const all = this._fields("All its jobs together", "", queue, "Run at once, over all workers",
      "Ready or delayed at most; then new jobs are refused");
    const each = this._fields("Each group", "/groups", queue.groups ?? {}, "Run at once, of one group",
      "Ready at most, of one group; then its new jobs are refused");
    this.ask = new Ask(frame, { title: `Limits of ${queue.name}`, label: "Set the limits" }, all, each);
    this.ask.act = () => this._set();
    this.ask.mark = (faults) => this._mark(faults);
    this._tell();
  }

  /** now: the limits as they are. pointer: where a request has them. */
  _fields(title, pointer, now, most, depth) {
    const one = (name, label, value, props = {}) => {
      const input = h("input", { type: "number", min: 1, placeholder: "no limit", value: value ?? "", ...props });
      const made = field(`q${pointer}${name}`.replaceAll("/", "-"), label, input);
      input.addEventListener("input", () => {
        made.fault([]); // What was wrong is said of what was sent.
        this._tell();
      });
      this.fields.set(`${pointer}${name}`, made);
      return made.row;
    };
    return h("fieldset", { class: "form" }, h("legend", {}, title),
      one("/concurrency", most, now.concurrency),
      h("div", { class: "halves" }, one("/rate/limit", "Start", now.rate?.limit),
        one("/rate/per_s", "in so many seconds", now.rate?.per_s, { min: 0.001, step: "any", placeholder: "60" })),
      one("/max_depth", depth, now.max_depth, { min: 0 }));
  }

  /** Only what differs is sent: what somebody else has set meanwhile stays. */
  get change() {
    const { groups = {}, ...all } = this.queue;
    const each = this._changeOf("/groups", groups);
    return { ...this._changeOf("", all), ...(Object.keys(each).length && { groups: each }) };
  }

  _changeOf(pointer, now) {
    const value = (name) => {
      const { input } = this.fields.get(`${pointer}${name}`);
      return input.value === "" ? null : Number(input.value);
    };
    const [starts, per_s] = [value("/rate/limit"), value("/rate/per_s")];
    const wish = {
      concurrency: value("/concurrency"),
      rate: starts === null ? null : { limit: starts, per_s: per_s ?? 60 },
      max_depth: value("/max_depth"),
    };
    const told = (one) => JSON.stringify(one?.per_s === undefined ? one : { limit: one.limit, per_s: one.per_s });
    return Object.fromEntries(Object.entries(wish).filter(([name, one]) => told(one) !== told(now[name] ?? null)));
  }

  _tell() {
    const { change, ask, frame, path } = this;
    const isWrong = [...this.fields.values()].some(({ input }) => input.validity.badInput);
    ask.does.disabled = !isWrong && !Object.keys(change).length;
    // What is no number reads as an empty field. The button is there for it: the browser says what is wrong.
    const none = isWrong ? "Not yet: a field has no number." : ask.does.disabled && "Nothing is changed yet.";
    setText(ask.curl, none || curlOf(frame, "PATCH", path, JSON.stringify(change)));
  }

  async _set() {
    this.changed(await patch(this.path, this.change, { signal: this.ask.signal }));
    return "They hold from now on, for jobs that wait already too.";
  }

  /** Show faults at their fields. Returns those that have none. */
  _mark(faults) {
    for (const { pointer, detail } of faults) this.fields.get(pointer)?.fault([detail]);
    [...this.fields.values()].find(({ isWrong }) => isWrong)?.input.focus();
    return faults.filter(({ pointer }) => !this.fields.has(pointer));
  }
}
