// #/schedules/nightly-cleanup: one schedule: how it is, in a sentence; what became of the last runs; what it makes; and
// the next runs. Buttons run, pause, edit and delete it.

import { curlOf, showCurl } from "../actions.js";
import { get } from "../api.js";
import { MASK } from "../json.js";
import {
  button, exactly, ghosts, h, heads, hollow, icon, keptParts, number, panel, plural, put, setText, shortId, state,
  trouble, visible, when,
} from "../kit.js";
import { data } from "./job_parts.js";
import {
  act, actionsOf, badge, hashOf, moment, nextRuns, notes, outcomesOf, OVERDUE, pathOf, rule, wishOf, ZONE,
} from "./schedule_parts.js";

const OVERLAP = { skip: "the run is skipped", allow: "they run side by side", queue: "the run waits for its end" };
const MISSED = { one: "one job for all of them", none: "nothing", all: "a job for each of the latest 100" };
const LATE_S = 5; // Whoever fires it has its own time for that.
const HEADS = [["For"], ["Outcome"], ["Job"], ["Why", "full"], ["At", "n"]];

export function page(frame, { name }) {
  const one = new Schedule(frame, name);
  const may = () => frame.can("write") && Boolean(one.schedule);
  const keys = {
    r: ["run the schedule now", () => one.act("run"), may],
    p: ["pause or resume the schedule", () => one.act("pause"), may],
    e: ["edit the schedule", () => frame.go(`${hashOf(name)}/edit`), may],
    y: ["the schedule as curl", () => one.tellCurl(), () => Boolean(one.schedule)],
  };
  return { title: name, element: one.element, keys };
}

class Schedule {
  constructor(frame, name) {
    Object.assign(this, { frame, name, _once: keptParts() });
    this.badge = h("span", {});
    this.gist = h("p", { class: "soft" });
    this.told = h("p", { class: "soft", role: "status" });
    this.buttons = h("div", { class: "acts" });
    this.verdict = h("div", { class: "verdict", hidden: true });
    this.warnings = h("div", { class: "stack", hidden: true });
    this.runs = h("tbody", {});
    this.next = h("div", { class: "pad" });
    this.about = h("dl", { class: "facts" });
    this.made = h("div", { class: "stack" });
    const table = h("table", { class: "cards outcomes" }, heads(HEADS), this.runs);
    const search = `#/jobs?${new URLSearchParams({ schedule: name })}`;
    const jobs = frame.link(search, { class: "button bare tiny" }, "All its jobs");
    const runs = panel("Last runs", h("div", { class: "acts" }, jobs), table);
    this.rest = h("div", { class: "split", hidden: true }, h("div", { class: "stack" }, runs, this.made),
      h("div", { class: "stack" }, panel("Next runs", null, this.next), panel("About", null, this.about)));
    this.loading = ghosts(6, "panel");
    const crumbs = h("nav", { class: "crumbs", "aria-label": "Above" }, frame.link("#/schedules", {}, "Schedules"));
    const title = h("h1", { class: "titled" }, h("span", {}, visible(name)), this.badge);
    const head = h("div", { class: "head" }, h("div", {}, crumbs, title, this.gist, this.told), this.buttons);
    this.element = h("div", { class: "stack" }, head, this.verdict, this.warnings, this.loading, this.rest);
    const failed = (problem) => this.loading.replaceChildren(trouble(problem));
    this.again = frame.repeat((signal) => this._read(signal), { busy_s: 5, calm_s: 30, failed });
  }

  async _read(signal) {
    try {
      this._show(await get(pathOf(this.name), { signal, exact: true }));
    } catch (problem) {
      if (problem.status !== 404) throw problem;
      this._gone(); // It is read again all the same: somebody may make it.
    }
  }

  _show(exact) {
    const text = JSON.stringify(exact);
    if (text === this.text) return;
    // The payload keeps its numbers as they were written; those of the schedule are for reading.
    Object.assign(this, { text, exact, schedule: JSON.parse(text) });
    const { schedule } = this;
    if (!this.rest.isConnected) this.element.append(this.rest);
    this.loading.hidden = true;
    this.rest.hidden = this.verdict.hidden = false;
    put(this.badge, badge(schedule));
    put(this.gist, schedule.words, " · ", rule(schedule));
    this._once("acts", [schedule.paused, this.frame.can("write")], () => this._showActs());
    const { next_run_at: next, overdue_s: overdue, reason, paused } = schedule;
    this._once("verdict", [next, overdue > LATE_S, reason, paused], () => this._tell());
    this._once("warnings", schedule.warnings, () => {
      this.warnings.hidden = !schedule.warnings.length;
      put(this.warnings, notes(schedule.warnings));
    });
    this._once("runs", [schedule.outcomes, schedule.last_runs], () => put(this.runs, this._rows()));
    this._once("next", schedule.next_runs, () => put(this.next, schedule.next_runs.length
      ? nextRuns(schedule.next_runs, schedule.cron ? schedule.timezone : ZONE)
      : h("p", { class: "faint" }, schedule.paused ? "None while it is paused." : "None: it has ended.")));
    put(this.about, this._facts());
    this._once("made", [schedule.version], () => put(this.made, this._made()));
  }

  _showActs() {
    const had = this.buttons.querySelector(":focus")?.dataset.act;
    const curl = button("As curl", { glyph: "copy", "data-act": "curl", on: { click: () => this.tellCurl() } });
    const made = actionsOf(this.schedule).map(({ name, word, glyph, kind = "" }) =>
      button(word, { glyph, kind, "data-act": name, on: { click: () => this.act(name) } }));
    const edit = button("Edit", { "data-act": "edit", href: `${hashOf(this.name)}/edit` });
    const [run, pause, gone] = made;
    put(this.buttons, this.frame.can("write") ? [run, pause, edit, curl, gone] : [curl, this.frame.lack("write")]);
    if (had) this.buttons.querySelector(`[data-act="${had}"]`)?.focus();
  }

  act(name) {
    if (!this.schedule) return;
    const changed = () => {
      if (name === "delete") this.frame.go("#/schedules");
      else this.again();
    };
    act(this.frame, this.schedule, name, this.told, changed);
  }

  tellCurl() {
    const body = JSON.stringify(wishOf(this.exact));
    const masked = body.includes(MASK) ? " Secrets are masked in it: here they stay as they are." : "";
    const note = `The whole schedule, but for a pause. The same PUT again changes nothing.${masked}`;
    showCurl("The schedule as curl", curlOf(this.frame, "PUT", pathOf(this.name), body), note);
  }

  _tell() {
    const [kind, glyph, strong, text] = this._verdict(this.schedule);
    this.verdict.className = `verdict ${kind}`;
    const tone = { delayed: "delayed", dead: "dead" }[kind] ?? "soft";
    put(this.verdict, h("span", { class: tone }, icon(glyph)), h("p", {}, h("strong", {}, strong), " ", text));
  }

  _verdict({ next_run_at: next, overdue_s: overdue, reason, paused }) {
    if (paused) return ["delayed", "pause", "Paused.", "It runs when somebody resumes it, or has it run once."];
    if (!next) return ["", "cancelled", "It has ended.", "No run lies between now and its end."];
    const time = when(next, moment(next));
    if (overdue <= LATE_S) return ["", "clock", ["Runs ", when(next), "."], time];
    const by = OVERDUE[reason] ?? "nothing has taken it yet";
    const text = reason ? "It stays due until there is room." : "Does a worker run?";
    return ["dead", "warn", ["Due since ", time, `: ${by}.`], text];
  }

  _rows() {
    const all = outcomesOf(this.schedule);
    if (!all.length) return h("tr", {}, h("td", { class: "full faint", colspan: 5 }, "None so far."));
    const link = (job) => this.frame.link(`#/jobs/${job}`, { class: "link mono" }, shortId(job));
    return all.map(({ kind, at, slot, job, why }) => h("tr", { class: job ? "go" : "" },
      h("td", { class: "num" }, slot ? when(slot, moment(slot)) : "by hand"), h("td", {}, state(kind)),
      h("td", { class: "id" }, job ? link(job) : h("span", { class: "zero" }, "–")),
      h("td", { class: "full small soft" }, visible(why)), h("td", { class: "n" }, when(at))));
  }

  _facts() {
    const { schedule, frame } = this;
    const { queue, job, cron, every_s: every, counts, owner } = schedule;
    const time = (t) => t && when(t, moment(t));
    const search = `#/queues/${encodeURIComponent(queue)}`;
    const rows = [
      ["Rule", h("span", {}, rule({ cron, every_s: every, timezone: schedule.timezone }))],
      ["Makes", job ? visible(job.type) : "a workflow"], ["Queue", frame.link(search, { class: "link" }, queue)],
      ["Jitter", schedule.jitter_s > 0 && `up to ${exactly(schedule.jitter_s)} late`],
      ["Not before", time(schedule.starts_at)], ["Not after", time(schedule.ends_at)],
      ["If one runs", OVERLAP[schedule.overlap]], ["If missed", MISSED[schedule.catch_up]],
      ["So far", `${plural(counts.fired, "run")}, ${number(counts.skipped)} skipped, ${number(counts.missed)} missed`],
      ["Owner", owner && h("span", { class: "mono" }, visible(owner))],
      ["Created", time(schedule.created_at)], ["Changed", time(schedule.changed_at)],
      ["Version", number(schedule.version)],
    ];
    return rows.filter(([, value]) => value).map(([label, value]) => [h("dt", {}, label), h("dd", {}, value)]);
  }

  _made() {
    const { job, workflow } = this.exact;
    if (workflow) return data("Workflow", workflow);
    const { payload, then, ...rest } = job;
    return [data("Payload", payload), then?.length ? data("Then", then) : null, data("Job, without its payload", rest)];
  }

  _gone() {
    Object.assign(this, { schedule: null, text: "", _once: keptParts() });
    this.loading.hidden = false;
    this.verdict.hidden = true;
    this.rest.remove();
    put(this.warnings);
    put(this.buttons);
    put(this.gist);
    put(this.badge);
    const back = button("All schedules", { kind: "tiny", href: "#/schedules" });
    const text = "It never was, or somebody has deleted it. Its jobs stay.";
    put(this.loading, hollow("search", "There is no such schedule", text, back));
    setText(this.told, "");
  }
}
