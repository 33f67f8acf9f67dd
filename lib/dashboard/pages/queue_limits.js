// The dialog of a queue's limits: those of all its jobs together, and those that each of its groups has.

import { Ask, curlOf, field } from "../actions.js";
import { patch } from "../api.js";
import { h, setText } from "../kit.js";

/** queue: as the API shows it. changed(queue): as it is then. */
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
