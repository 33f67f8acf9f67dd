// What the pages of schedules share: words for times and outcomes, the strip of the last ten, and what is done to one.

import { ask } from "../actions.js";
import { button, capital, counted, day, h, icon, now_ms, put, state, svg, utc, visible, when } from "../kit.js";

export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const WITH_YEAR = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" };
const YEAR = new Intl.DateTimeFormat("en-GB", { weekday: "short", ...WITH_YEAR });
const WITH_SECONDS = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" };
const SECONDS = new Intl.DateTimeFormat("en-GB", { weekday: "short", ...WITH_SECONDS });

export const pathOf = (name) => `api/schedules/${encodeURIComponent(name)}`;
export const hashOf = (name) => `#/schedules/${encodeURIComponent(name)}`;

/** "Mon 30 Nov, 02:30"; with seconds where it is not on the minute, with the year where it is far away. */
export function moment(t) {
  const time = new Date(t);
  if (Math.abs(time - now_ms()) > 300 * 86_400_000) return YEAR.format(time);
  return time % 60_000 >= 1000 && time - now_ms() < 5 * 86_400_000 ? SECONDS.format(time) : day(t);
}

/** What clocks of the schedule's zone show, where that is another one than the reader's: "08:00 in New York". */
function elsewhere(t, zone) {
  if (!zone || zone === ZONE) return "";
  try {
    const there = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
    const shown = there.format(new Date(t));
    return shown === moment(t).slice(-5) ? "" : `${shown} ${zone === "UTC" ? "UTC" : `in ${city(zone)}`}`;
  } catch {
    return ""; // A zone that the server knows and this browser does not.
  }
}
const city = (zone) => zone.split("/").pop().replaceAll("_", " ");

/** The next runs, as an <ol>. zone: of the schedule. */
export function nextRuns(times, zone) {
  const row = (t, at) => h("li", {}, h("span", { class: "faint num" }, String(at + 1)),
    h("span", {}, when(t, moment(t)), " ", h("span", { class: "faint small num" }, elsewhere(t, zone))),
    h("span", { class: "faint small" }, when(t)));
  return h("ol", { class: "next" }, times.map(row));
}

/** Sentences that somebody should read. */
export function notes(sentences) {
  const box = (text) => h("p", { class: "note-box" }, h("span", { class: "retried" }, icon("warn")),
    h("span", {}, visible(`${capital(text)}${text.endsWith(".") ? "" : "."}`)));
  return sentences.map(box);
}

/** The rule under its words: `30 2 * * *` · Europe/Berlin. */
export function rule({ cron, every_s: every, timezone }) {
  return [h("code", {}, cron ?? `every ${every} s`), cron ? ` · ${timezone}` : ""];
}

const KEPT = [
  "cron", "every_s", "timezone", "jitter_s", "starts_at", "ends_at", "job", "workflow", "overlap", "catch_up", "owner",
];
/** What PUT takes of a schedule that GET has given; for its curl, and for the editor. */
export const wishOf = (schedule) =>
  Object.fromEntries(KEPT.map((name) => [name, schedule[name]]).filter(([, value]) => value != null));

/** "noop → default" */
export const makes = ({ job, workflow, queue }) =>
  `${job ? job.type : `workflow ${workflow?.name ?? ""}`.trim()} → ${queue}`;

const HEIGHTS = { completed: 12, dead: 18, skipped: 9, missed: 15 };

/** What became of the last ten, the newest first: {kind, at, slot, job, why}. kind: the state of the job by now,
 * "gone" where no record of it is kept any more, "skipped", or "missed". */
export function outcomesOf({ outcomes, last_runs }) {
  const states = new Map(last_runs.map((run) => [run.job_id, run.state]));
  return outcomes.map(({ at, scheduled_for: slot, outcome, job_id: job, missed, reason }) => {
    const isMade = outcome === "fired" || outcome === "run";
    const kind = isMade ? (states.get(job) ?? "gone") : outcome;
    const many = missed === 1000 ? "1,000 runs or more" : counted(missed, "run", "runs");
    const told = reason?.replace(job, "this job") ?? "";
    const why = outcome === "run" ? "somebody had it run" : missed ? `${many}: ${reason}` : told;
    return { kind, at, slot, job, why };
  });
}

/** The last ten as bars, the newest on the right; each leads to its job. */
export function strip(schedule, frame) {
  const all = outcomesOf(schedule).reverse();
  const bar = ({ kind, at, job, why }, place) => {
    const tall = HEIGHTS[kind] ?? 12;
    const box = { x: place * 11 + 2, y: 20 - tall, width: 7, height: tall, rx: 1.5, class: `run-${kind}` };
    const title = svg("title", {}, `${kind}${why && `, ${why}`}: ${utc(at)}`);
    const hit = svg("rect", { x: place * 11, y: 0, width: 11, height: 24, class: "hit" });
    const href = job && frame.has(`#/jobs/${job}`) ? `#/jobs/${job}` : null;
    // The page of the schedule has these links for the keyboard, ten fewer stops a row.
    return svg(href ? "a" : "g", href ? { href, tabindex: -1 } : {}, title, hit, svg("rect", box));
  };
  const words = all.map(({ kind }) => kind).join(", ");
  const label = `${schedule.name}: the last ${all.length}, the newest at the end: ${words}`;
  const size = { width: 112, height: 24, viewBox: "0 0 112 24" };
  return svg("svg", { class: "strip", ...size, role: "img", "aria-label": label }, all.map(bar));
}

/** The words of a schedule's condition as a pill, and nothing for one that runs as it should. */
export function badge({ paused, next_run_at: next, overdue_s: overdue, orphaned }) {
  const pill = (word, kind) => state(kind, { pill: true, word });
  if (paused) return pill("paused", "delayed");
  if (!next) return pill("ended", "cancelled");
  if (overdue >= 60) return pill("overdue", "dead");
  return orphaned ? pill("orphaned", "retried") : null;
}

export const OVERDUE = {
  queue_full: "a queue has no room for its job (max_depth)",
  group_full: "its job's group has no room for it (max_depth of groups)",
};

/** What may be done to a schedule: [{name, word, …}] of `ask`. */
export function actionsOf(schedule) {
  const { name, paused, owner, last_runs: runs } = schedule;
  const path = pathOf(name);
  const isBusy = ["ready", "active", "delayed", "blocked"].includes(runs[0]?.state);
  const beside = isBusy ? ` The one before, ${runs[0].job_id}, has not ended.` : "";
  const run = `It queues its ${schedule.job ? "job" : "workflow"} once, now. Its times stay as they are.${beside}`;
  const stop = "It runs no more until somebody resumes it. Runs that come due meanwhile are skipped; its jobs stay.";
  const isCode = owner?.startsWith("code:");
  const code = isCode ? " Code declares it: it comes back when a worker starts, so pause it instead." : "";
  const gone = `It runs no more, and nothing brings it back. Jobs that it has queued stay.${code}`;
  const pause = paused
    ? { word: "Resume", glyph: "play", path: `${path}/resume`, words: "It runs at the first of its times from now on." }
    : { word: "Pause", glyph: "pause", path: `${path}/pause`, words: stop };
  return [
    { name: "run", word: "Run now", glyph: "play", path: `${path}/run`, words: run, label: "Run it now",
      title: `Run ${name} now?` },
    { ...pause, name: "pause", label: `${pause.word} it`, title: `${pause.word} ${name}?` },
    { name: "delete", word: "Delete", glyph: "trash", kind: "danger", method: "DELETE", path, words: gone,
      title: `Delete ${name}?`, label: "Delete the schedule" },
  ];
}

/** Ask, and do it. told: the element that says what came of it. changed(answer): it is done. */
export function act(frame, schedule, name, told, changed) {
  const chosen = actionsOf(schedule).find((one) => one.name === name);
  const done = (answer) => {
    const link = name === "run" && frame.link(`#/jobs/${answer.id}`, { class: "link mono" }, answer.id);
    if (link) put(told, `${schedule.name} has queued `, link);
    changed();
  };
  ask(frame, { ...chosen, done });
}

/** A button that opens the editor of a new schedule. */
export const newButton = (label = "New schedule") =>
  button(label, { glyph: "plus", kind: "main", href: "#/schedules/+new" });
