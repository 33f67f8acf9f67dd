// Rows of the list of schedules, and what is done to those that are chosen: one call after the other.

import { Ask, curlOfEach, problemBox } from "../actions.js";
import { call } from "../api.js";
import { Choice } from "../choice.js";
import { day, h, icon, number, plural, progressBar, put, setText, visible, when } from "../kit.js";
import { act, badge, hashOf, makes, pathOf, rule, strip, wishOf } from "./schedule_parts.js";

export class Row {
  constructor(list, name) {
    this.list = list;
    this.element = h("tr", { class: "go", "data-id": name });
    this.box = list.bulk.boxOf(name);
    this.box.dataset.act = "choose";
  }

  show(schedule) {
    const text = JSON.stringify(schedule);
    if (text === this.text) return;
    Object.assign(this, { text, schedule });
    const { frame } = this.list;
    const { name, next_run_at: next, last_runs: runs, outcomes, paused } = schedule;
    const had = this.element.contains(document.activeElement) && document.activeElement.dataset.act;
    const link = frame.link(hashOf(name), { "data-act": "open" }, h("strong", {}, name));
    const last = outcomes[0]?.at ?? runs[0]?.at;
    put(this.element,
      this.list.bulk.can && h("td", { class: "pick" }, this.box),
      h("td", { class: "name" }, link, paused ? null : badge(schedule),
        h("span", { class: "sub" }, visible(makes(schedule)))),
      h("td", { class: "full" }, schedule.words, h("span", { class: "sub" }, rule(schedule))),
      h("td", { class: "next-run" }, next ? [when(next), h("span", { class: "sub" }, when(next, day(next)))]
        : h("span", { class: "faint" }, paused ? "paused" : "ended")),
      h("td", { class: "last" }, last ? [strip(schedule, frame), h("span", { class: "sub wide-only" }, when(last))]
        : h("span", { class: "faint wide-only" }, "none so far")),
      h("td", { class: "n" }, this._acts(name, paused)));
    if (had) this.element.querySelector(`[data-act="${had}"]`)?.focus();
  }

  _acts(name, paused) {
    if (!this.list.frame.can("write")) return h("span", { class: "soft" }, paused ? "no" : "yes");
    const run = h("button", { class: "button bare tiny wide-only", type: "button", "data-act": "run",
      "aria-label": `Run ${name} now`, title: "Run now", on: { click: () => this.act("run") } }, icon("play"));
    const turn = h("button", { class: "switch", type: "button", role: "switch", "data-act": "pause",
      "aria-checked": String(!paused), "aria-label": `${name} is on`, on: { click: () => this.act("pause") } });
    return h("span", { class: "acts end" }, run, turn);
  }

  act(name) {
    act(this.list.frame, this.schedule, name, this.list.told, () => this.list.readAnew(false));
  }
}

const ACTS = {
  pause: { word: "Pause", did: "Paused", fits: ({ paused }) => !paused,
    words: "None runs until somebody resumes it. Runs that come due meanwhile are skipped; their jobs stay." },
  resume: { word: "Resume", did: "Resumed", fits: ({ paused }) => paused,
    words: "Each runs at the first of its times from now on." },
  run: { word: "Run now", did: "Ran", fits: () => true,
    words: "Each queues its job, or its workflow, once, now. Their times stay as they are." },
};
const MOST_NAMED = 8;
/** Problems of one schedule, by status or by kind: the others may do well all the same. */
const OF_ONE = [404, 409, 412, 422, "queue-full", "keys-broken"];
const isOfOne = ({ status, slug }) => OF_ONE.includes(status) || OF_ONE.includes(slug);
const gist = (schedule) => `${schedule.words}, ${makes(schedule)}`;
const isOther = (one, other) => JSON.stringify(wishOf(one)) !== JSON.stringify(wishOf(other));

/** What is done to the chosen schedules. told: the page's line for what came of it. changed(): it shows in the list. */
export class Bulk extends Choice {
  constructor(frame, rows, told, changed) {
    super(frame, rows, "schedules");
    Object.assign(this, { told, changed });
  }

  _fitting(name) {
    const chosen = [...this.chosen].map((one) => this.rows.get(one).schedule);
    return chosen.filter(ACTS[name].fits);
  }

  acts() {
    const count = (name) => this._fitting(name).length;
    const label = (name) => `${ACTS[name].word}: ${number(count(name))}…`;
    return Object.keys(ACTS).filter(count).map((name) => this.tiny(label(name), () => this.act(name), name));
  }

  /** A key: it is for the chosen ones, or else for the row at which the reader is. */
  press(name) {
    if (!this.chosen.size) this.rows.get(this.at())?.act(name);
    else this.act(name === "pause" && !this._fitting(name).length ? "resume" : name);
  }

  act(name) {
    const { word, words } = ACTS[name];
    const schedules = this._fitting(name);
    const names = schedules.map((one) => one.name);
    const title = `${word}: ${plural(names.length, "schedule")}`;
    const curl = curlOfEach(this.frame, "POST", names, (one) => `api/schedules/${one}/${name}`);
    const others = names.length - MOST_NAMED;
    const some = `${names.slice(0, MOST_NAMED).join(", ")}${others > 0 ? ` and ${plural(others, "other")}` : ""}.`;
    const about = { title, label: `${word}: ${names.length}`, curl };
    const asked = new Ask(this.frame, about, h("p", { class: "soft" }, words), h("p", { class: "small" }, some));
    this.bar = h("div", {});
    asked.told.before(this.bar);
    asked.act = () => this._each(asked, name, schedules);
    asked.does.focus();
  }

  /** Do it to one after the other. Closing the dialog, or leaving the page, stops it: what was sent is done. */
  async _each(asked, name, schedules) {
    const [left, changed] = [[], []];
    let [count, stop] = [0, null];
    setText(asked.shut, "Stop here");
    for (const [at, schedule] of schedules.entries()) {
      put(this.bar, progressBar("Done", at / schedules.length), h("p", {}, `${at} of ${schedules.length} so far`));
      try {
        const answer = await call("POST", `${pathOf(schedule.name)}/${name}`, { signal: this.frame.signal });
        count += 1;
        if (name !== "run" && isOther(answer, schedule)) changed.push([schedule.name, gist(answer)]);
        if (this.rows.has(schedule.name)) this.choose(schedule.name, false);
      } catch (problem) {
        if (!problem.sentence) throw problem;
        if (isOfOne(problem)) left.push([schedule.name, problem.sentence]);
        else stop = problem;
      }
      if (stop || asked.signal.aborted) break;
    }
    put(this.bar);
    const said = `${ACTS[name].did} ${count} of ${plural(schedules.length, "schedule")}.`;
    setText(this.told, said);
    this.changed();
    if (!left.length && !changed.length && !stop) return undefined;
    return h("div", {}, h("p", {}, said), stop && problemBox(stop), listOf("Left as it was:", left),
      listOf("Changed by somebody meanwhile, and done as it is now:", changed));
  }
}

function listOf(head, rows) {
  const row = ([name, why]) => h("li", {}, h("strong", {}, name), ": ", visible(why));
  return rows.length > 0 && [h("p", { class: "dead" }, head), h("ul", { class: "small" }, rows.map(row))];
}
