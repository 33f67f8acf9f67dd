// What one does with a queue: its limits, and its dead jobs run again or deleted. Each dialog says what will happen,
// has the same as curl, and one button that says what it does.

import { curlOf } from "../actions.js";
import { patch, post } from "../api.js";
import { button, copier, h, number, plural, setText, showDialog } from "../kit.js";

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

const SWEEPS = {
  redrive: {
    verb: "Redrive", body: {}, done: "redriven",
    says: (jobs) => `${jobs} will run again, the first to die first.`,
    did: (jobs) => `${jobs} will run again.`,
  },
  purge: {
    verb: "Delete", body: { state: "dead" }, done: "deleted", kind: "danger",
    says: (jobs) => `${jobs} will be deleted, payloads, errors and all. Nothing brings them back.`,
    did: (jobs) => `${jobs} ${jobs.startsWith("1 ") ? "is" : "are"} deleted.`,
  },
};

/** Dead jobs run again ("redrive") or deleted ("purge"), as a dry run has counted them. changed(): it is done. */
export async function sweep(frame, queue, name, changed) {
  const { verb, body, done, says, did, kind } = SWEEPS[name];
  const path = `api/queues/${queue}/${name}`;
  const sentence = h("p", { "aria-live": "polite" }, "Counting…");
  const ask = new Ask(frame, `${verb} dead jobs of ${queue}`, sentence);
  if (kind) ask.does.classList.replace("main", kind);
  setText(ask.curl, curlOf(frame, "POST", path, JSON.stringify(body)));
  setText(ask.does, verb);
  ask.isOnce = true;
  ask.act = async () => {
    let [count, cursor, skipped] = [0, null, []];
    do {
      const answer = await post(path, cursor ? { ...body, cursor } : body, { signal: ask.signal });
      count += answer[done];
      skipped = [...skipped, ...answer.skipped];
      cursor = answer.next_cursor;
      setText(ask.told, cursor ? `${number(count)} so far…` : "");
    } while (cursor);
    changed();
    const left = skipped.length ? ` ${plural(skipped.length, "job")} stayed: ${skipped[0].reason}.` : "";
    return did(plural(count, "job")) + left;
  };
  await ask.try(async () => {
    const { matched, more, followed } = await post(path, { ...body, dry_run: true }, { signal: ask.signal });
    const count = more ? `${number(matched)} or more` : number(matched);
    const after = followed ? ` Other jobs wait for the end of ${number(followed)} of them.` : "";
    const again = more ? " curl takes these many; with the answer's next_cursor as cursor it goes on." : "";
    setText(sentence, matched ? says(`${count} dead job${count === "1" ? "" : "s"} of ${queue}`) + after + again
      : `No job of ${queue} is dead.`);
    setText(ask.does, `${verb} ${count}`);
    ask.does.disabled = !matched;
  });
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
