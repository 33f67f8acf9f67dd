// The parts of a job's page: the sentence, attempts, log, facts, payload, and what came of it.

import { hasEnded } from "../actions.js";
import { get } from "../api.js";
import { tree } from "../json.js";
import {
  capital, clockWithSeconds, copier, day, exactly, h, heads, icon, now_ms, number, panel, plural, seconds, setText,
  state, sum, visible, when, workerOf,
} from "../kit.js";

const ORDINALS = ["", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"];
const ENDINGS = ["", "st", "nd", "rd"];
const ordinal = (n) => ORDINALS[n] ?? `${number(n)}${(Math.floor(n / 10) % 10 !== 1 && ENDINGS[n % 10]) || "th"}`;
const apart_s = (from, to) => (Date.parse(to) - Date.parse(from)) / 1000;

/** What a job is about, in a line: recipient and subject of a mail, URL of a webhook; else nothing. */
export function gistOf(payload) {
  const { to, subject, url } = payload ?? {};
  const list = [].concat(to ?? []);
  const first = typeof list[0] === "object" ? list[0]?.address : list[0];
  const more = list.length > 1 ? ` and ${number(list.length - 1)} more` : "";
  const parts = [first && `to ${first}${more}`, subject, url];
  return parts.filter((one) => typeof one === "string").join(" · ").slice(0, 300);
}

const WAITS = {
  waiting_for_jobs: "Waits for other jobs.",
  waiting_for_callback: "A service has the work, and is to call back.",
  unknown_type: "No worker knows how to run it.",
  queue_paused: "Its queue is paused.",
  group_paused: "Its group is paused.",
  no_worker: "Nobody serves its queue.",
  suspected: "Waits to run alone: it was aboard two runners that crashed.",
  held: "Its group rests.",
  concurrency_limited: "The limit is reached: as many run as may.",
  rate_limited: "As many were started as may be.",
  waiting_its_turn: "Waits its turn.",
};

// A worker is heard every few seconds: it is silent once that is ten seconds ago.
const SILENT = /its worker (is gone|was last heard of (?!\d\.))/;

const SENTENCES = {
  completed({ attempts, created_at, finished_at: end, history }) {
    const isAgain = history.slice(0, -1).some(({ outcome, attempt }, i) =>
      hasEnded({ state: outcome }) || (outcome === "retried" && history[i + 1].attempt <= attempt));
    if (isAgain) {
      const failed = history.filter(({ outcome }) => /retried|dead|crashed/.test(outcome)).length;
      const before = failed ? `; ${plural(failed, "attempt")} had failed before` : "";
      return { strong: `Completed after it was run again by hand${before}.`, text: "" };
    }
    const took_s = apart_s(created_at, end);
    const worked_s = sum(history.map((one) => Math.max(0, apart_s(one.started_at, one.finished_at) || 0)));
    const idle_s = took_s - worked_s;
    const text = idle_s > Math.max(worked_s, 1) ? `For ${seconds(idle_s)} of it nobody worked.` : "";
    return { strong: `Completed on the ${ordinal(attempts)} attempt, ${seconds(took_s)} after it was queued.`, text };
  },
  dead({ attempts, max_attempts, queue, error }, frame) {
    const all = plural(max_attempts ?? attempts, "attempt");
    const of = attempts ? `after ${attempts} of ${all}` : "before its first attempt";
    const search = new URLSearchParams({ queue, state: "dead", error: error?.type ?? "" });
    const link = error && frame.has("#/jobs") && frame.link(`#/jobs?${search}`, { class: "link" }, "Show all of these");
    const strong = `Dead ${of}: ${error?.type ?? "no error is kept"}.`;
    return { tone: "dead", strong, text: gistOfError(error), link };
  },
  cancelled({ error, history }) {
    const isOfAttempt = error && history.some((one) => one.error?.message === error.message);
    return { strong: "Cancelled.", text: `${isOfAttempt ? "Its last error: " : ""}${gistOfError(error)}` };
  },
  active({ started_at, progress, cancel_requested_at }, frame, explained) {
    const stop = cancel_requested_at ? ", and is asked to stop" : "";
    const since = seconds(Math.max(0, now_ms() - Date.parse(started_at)) / 1000);
    const note = progress?.note ? ` ${progress.note}` : "";
    const text = explained ? `${capital(explained.detail)}.` : "";
    if (SILENT.test(text)) return { tone: "dead", strong: `Began ${since} ago; its worker does not answer.`, text };
    return { strong: `Runs for ${since}${stop}.${note}`, text };
  },
};

/** The job in a sentence: {tone, strong, text, link}. explained: of /explain; null of one that has ended. */
export function sentence(job, explained, frame) {
  if (SENTENCES[job.state]) return SENTENCES[job.state](job, frame, explained);
  const { attempts } = job;
  const text = explained ? `${capital(explained.detail)}.` : "";
  const due = explained?.until ?? job.run_at;
  const due_s = Math.max(0, Date.parse(due) - now_ms()) / 1000;
  if (explained?.reason === "retry_backoff") {
    return { tone: "delayed", strong: `Waits for its ${ordinal(attempts + 1)} attempt, in ${seconds(due_s)}.`, text };
  }
  if (explained?.reason === "delayed") return { tone: "delayed", strong: `Begins in ${seconds(due_s)}.`, text };
  return { strong: WAITS[explained?.reason] ?? "Waits.", text };
}

function gistOfError(error) {
  return error?.message?.split("\n")[0].slice(0, 400) ?? "";
}

const HEAD = [["No."], ["Outcome"], ["Error"], ["Worker", "wide-only"], ["Began", "n"], ["Ran", "n"]];

/** The attempts that have ended, newest first, above them the one that runs. */
export class Attempts {
  constructor() {
    this.note = h("span", { class: "faint small" });
    this.body = h("tbody", {});
    this.traces = h("div", {});
    const table = h("table", { class: "cards tries" }, heads(HEAD), this.body);
    this.element = panel("Attempts", this.note, table, this.traces);
  }

  show({ attempts, max_attempts, history, state: now, started_at, worker_id }) {
    setText(this.note, `${attempts} of ${max_attempts ?? "–"}`);
    const running = { attempt: attempts, outcome: "active", started_at, worker_id, error: null };
    const all = [...history, ...(now === "active" ? [running] : [])].reverse();
    const none = h("tr", {}, h("td", { class: "faint full", colspan: 6 }, "None so far."));
    this.body.replaceChildren(...(all.length ? all.map(attemptRow) : [none]));
    const opened = new Set([...this.traces.querySelectorAll("[open]")].map((one) => one.dataset.at));
    const traced = all.filter(({ error }) => error && textOf(error));
    this.traces.replaceChildren(...traced.map(({ attempt, error, started_at: at }) =>
      h("details", { class: "stackbox", "data-at": at, open: opened.has(at) },
        h("summary", {}, icon("chevron"), `Traceback of attempt ${attempt}`), traceOf(error))));
  }
}

function attemptRow({ attempt, outcome, error, worker_id, started_at, finished_at }) {
  const none = h("span", { class: "zero" }, "–");
  const said = error ? [h("strong", {}, visible(error.type)), " ", visible(gistOfError(error))] : none;
  const ran = finished_at && started_at ? seconds(apart_s(started_at, finished_at)) : "–";
  return h("tr", {}, h("td", { class: "num faint" }, String(attempt)), h("td", {}, state(outcome)),
    h("td", { class: "soft small full" }, said), h("td", { class: "wide-only id" }, workerOf(worker_id) || "–"),
    h("td", { class: "n" }, started_at ? when(started_at, clockWithSeconds(started_at)) : "–"),
    h("td", { class: "n" }, ran));
}

/** An error's traceback, its answer's body, and the errors behind it; empty where it has nothing but a message. */
function textOf(error) {
  const parts = [];
  for (let one = error; one; one = one.cause) {
    const head = one === error ? [] : [`Caused by ${one.type}: ${one.message}`];
    const body = one.body === undefined ? [] : [`The answer, ${one.status}: ${one.body}`];
    parts.push(...head, ...(one.traceback ? [one.traceback] : []), ...body);
  }
  return parts.join("\n\n");
}
const traceOf = (error) =>
  h("pre", { class: "trace", tabindex: "0", "aria-label": "Traceback" }, visible(textOf(error)));

/** What the handler logged. Lines are added as they come, while it is followed. */
export class Log {
  constructor(wake) {
    this.next = 0;
    this.note = h("span", { class: "faint small" }, "what its handler said");
    this.list = h("ol", { class: "logs", tabindex: "0", "aria-label": "Log lines" });
    this.box = h("input", { type: "checkbox", class: "box", checked: true, id: "follow", on: { change: wake } });
    this.follow = h("label", { class: "small soft", for: "follow" }, this.box, " Follow");
    this.element = panel("Log", [this.note, h("div", { class: "acts" }, this.follow)], this.list);
  }

  async read(path, signal) {
    if (!this.box.checked) return;
    const after = this.next;
    const { items, next } = await get(`${path}/logs?after=${after}`, { signal });
    if (after !== this.next) return; // Another read, after one that failed, was quicker.
    const left_out = next - this.next - items.length;
    const row = (at, attempt, text) => h("li", {},
      h("span", { class: "faint" }, at && when(at, clockWithSeconds(at) + at.slice(19, 23))),
      h("span", { class: "faint", title: `attempt ${attempt}` }, String(attempt)), h("span", {}, visible(text)));
    if (left_out > 0) this.list.append(row(null, "", `${plural(left_out, "line")} before these: not kept`));
    this.next = next;
    this.list.append(...items.map(({ at, attempt, text }) => row(at, attempt ?? "", text)));
    if (items.length) this.list.scrollTop = this.list.scrollHeight;
  }

  tell(job) {
    this.follow.hidden = hasEnded(job);
    const none = hasEnded(job) ? "Its handler logged nothing." : "Nothing so far.";
    setText(this.note, this.next ? "what its handler said; the last 200 lines" : none);
  }
}

/** The facts of a job, as dt and dd. */
export function about(job, frame) {
  const mono = (text) => h("span", { class: "mono cut block", title: text }, visible(text));
  const jobs = (ids) => ids.map((id) => h("div", {}, frame.link(`#/jobs/${id}`, { class: "link mono cut block" }, id)));
  const list = (query, text, kind = "link") =>
    frame.link(`#/jobs?${new URLSearchParams(query)}`, { class: kind }, text);
  const time = (t) => t && when(t, day(t));
  const { queue, backoff, request_id, tags, schedule, worker_id: worker } = job;
  const flow = `#/workflows/${job.workflow}`;
  const request = request_id && `#/requests/${encodeURIComponent(request_id)}`;
  const rows = [
    ["Id", mono(job.id)], ["Queue", list({ queue }, queue)], ["Priority", job.priority],
    ["Request", request_id && frame.link(request, { class: "link mono" }, request_id)],
    ["Trace", job.trace_id && mono(job.trace_id)], ["Created", time(job.created_at)],
    ["Due", hasEnded(job) ? null : time(job.run_at)], ["Ended", time(job.finished_at)],
    ["Expires", time(job.expires_at)], ["Gives up", time(job.give_up_at)],
    ["Attempts", `${job.attempts} of ${job.max_attempts ?? "–"}`],
    ["Time-out", job.timeout_s && exactly(job.timeout_s)],
    ["Backoff", backoff && `${exactly(backoff.base_s)}, at most ${exactly(backoff.cap_s)}`],
    ["Worker", worker && h("span", { class: "mono", title: worker }, workerOf(worker))],
    ["Group", job.group], ["Unique", job.unique_key && mono(job.unique_key)],
    ["Schedule", schedule && frame.link(`#/schedules/${schedule}`, { class: "link" }, schedule)],
    ["Workflow", job.workflow && frame.link(flow, { class: "link mono cut block" }, job.workflow)],
    ["Queued by", job.by && jobs([job.by])],
    ["After", job.after.length > 0 && jobs(job.after.map((one) => one.job))],
    ["Then", job.then.length > 0 && jobs(job.then)],
    ["Callback", job.callback_url && mono(job.callback_url)],
    ["Tags", tags.length > 0 && h("span", { class: "tags" }, tags.map((tag) => list({ tag }, tag, "tag")))],
  ];
  return rows.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}

/** A panel with JSON. */
export function data(title, value) {
  const text = JSON.stringify(value, null, 2);
  const shown = value == null ? h("p", { class: "pad faint" }, "None.") : tree(value);
  const acts = value != null && h("div", { class: "acts" }, copier(shown, () => text));
  return panel(title, acts, shown);
}

/** What came of the job: its result, or its error. exact: the job with its numbers as they were written. */
export function outcome(job, exact) {
  if (job.result != null) return data("Result", exact.result);
  const { error } = job;
  if (!error || job.state === "completed") {
    const why = job.result_error ?? (hasEnded(job) ? "It returned nothing." : "None yet.");
    return panel("Result", null, h("p", { class: "pad faint" }, why));
  }
  const message = h("pre", {}, visible(error.message ?? ""));
  const all = `${error.type}: ${error.message}\n${textOf(error)}`;
  const head = h("div", { class: "acts" }, copier(message, () => all));
  const box = h("div", { class: "error-box" }, h("strong", { class: "dead" }, visible(error.type)), message);
  return panel("Error", head, box, textOf(error) && traceOf(error));
}
