// What one does with queues: one is paused, or goes on, and all jobs that fit a filter run again, deleted or cancelled.

import { Ask, ask, curlOfEach } from "../actions.js";
import { get, post } from "../api.js";
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
