// Fields of the editor of schedules, and the preview of the next runs.

import * as actions from "../actions.js";
import { pause, post } from "../api.js";
import { h, localTime, put, setText, visible } from "../kit.js";
import { nextRuns, notes } from "./schedule_parts.js";

const TYPING_MS = 250;
const IS_NUMBER = /^\d+(\.\d+)?$/;

/** As `field` of actions.js; its id begins with `s-`. */
export const field = (id, ...rest) => actions.field(`s-${id}`, ...rest);

/** A <select> of words by value. */
export const select = (words, props) =>
  h("select", props, Object.entries(words).map(([value, word]) => h("option", { value }, word)));

/** Put a time into a field of the reader's zone. One that nobody edits keeps its seconds. */
export function setTime(input, t) {
  input.value = input.dataset.was = t ? localTime(t).slice(0, 16) : "";
  input.dataset.exact = t ?? "";
}
function timeOf({ value, dataset }) {
  return value === dataset.was ? dataset.exact : value && new Date(value).toISOString();
}

/** When it runs, as PUT and the preview take it. fields: of the editor. A number is `every_s`, all else a cron. */
export function timesOf(fields) {
  const value = (name) => fields[name].input.value.trim();
  const when = value("when");
  const jitter = Number(value("jitter"));
  const [starts, ends] = [timeOf(fields.starts.input), timeOf(fields.ends.input)];
  return {
    ...(IS_NUMBER.test(when) ? { every_s: Number(when) } : { cron: when }),
    ...(value("zone") && { timezone: value("zone") }), ...(jitter && { jitter_s: jitter }),
    ...(starts && { starts_at: starts }), ...(ends && { ends_at: ends }),
  };
}

/** The next five runs of what is typed. One request at a time: what is typed meanwhile is asked about when it has come,
 * and an answer that is out of date by then is not shown. times(): of the fields. tell(errors): what is wrong. */
export class Preview {
  constructor(frame, times, tell, zone) {
    Object.assign(this, { frame, times, tell, zone, asked: 0 });
    this.words = h("p", { class: "completed", role: "status" });
    this.runs = h("div", {});
    this.notes = h("div", { class: "form" });
    const head = h("div", {}, h("h2", {}, "Next five runs"), this.words);
    this.element = h("div", { class: "form preview" }, head, this.runs, this.notes);
  }

  async ask(wait_ms = TYPING_MS) {
    const mine = (this.asked += 1);
    await pause(wait_ms, this.frame.signal).catch(() => {});
    if (mine !== this.asked || this.isAsking || this.frame.signal.aborted) return;
    this.isAsking = true;
    try {
      await this._read(mine);
    } finally {
      this.isAsking = false;
    }
    if (mine !== this.asked) this.ask(0);
  }

  async _read(mine) {
    const times = this.times();
    const isOld = () => mine !== this.asked || this.frame.signal.aborted;
    try {
      const found = await post("api/schedules/preview", times, { signal: this.frame.signal });
      if (!isOld()) this._show(found, times);
    } catch (problem) {
      if (!isOld()) this._fail(problem);
    }
  }

  _show({ words, next_runs: runs, notes: said, warnings }, { cron, timezone }) {
    this.tell([]);
    setText(this.words, `${words}.`);
    put(this.runs, nextRuns(runs, cron ? timezone : ""));
    put(this.notes, notes([...said, ...warnings]));
  }

  _fail(problem) {
    this.tell(problem.errors);
    setText(this.words, "");
    const text = problem.errors.length ? "Not yet: see what is said at the field." : problem.sentence;
    put(this.runs, h("p", { class: "faint" }, visible(text)));
    put(this.notes);
  }
}
