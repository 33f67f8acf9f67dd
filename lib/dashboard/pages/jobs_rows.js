// Rows of the list of jobs, and what is done to those that are chosen.

import { Ask, curlOf } from "../actions.js";
import { post } from "../api.js";
import { Choice } from "../choice.js";
import {
  h, now_ms, pageOf, plural, progressBar, put, seconds, setText, shortId, state, visible, when,
} from "../kit.js";

/** A state -> the time that its list is ordered by: its heading, and the field. */
export const WHEN = {
  __proto__: null, // The state is what somebody wrote into an address.
  completed: ["Ended", "finished_at"], dead: ["Ended", "finished_at"], cancelled: ["Ended", "finished_at"],
  delayed: ["Due", "run_at"], active: ["Began", "started_at"],
};

export class Row {
  constructor(frame, job, bulk, listed) {
    Object.assign(this, { frame, bulk, time: WHEN[listed]?.[1] ?? "created_at" });
    this.element = h("tr", { class: "go", "data-id": job.id });
    this.box = bulk.boxOf(job.id);
    this.show(job);
  }

  show(job) {
    const text = JSON.stringify(job);
    // An age grows though nothing has changed; a job that runs takes longer by now.
    if (text === this.text && job.state !== "active") return;
    Object.assign(this, { text, job });
    const { id, attempts, max_attempts, error, started_at, finished_at } = job;
    const end_ms = finished_at ? Date.parse(finished_at) : now_ms();
    const hasRun = started_at && (finished_at || job.state === "active");
    const took = hasRun ? seconds(Math.max(0, end_ms - Date.parse(started_at)) / 1000) : "–";
    const isFailed = error && job.state !== "completed";
    const failed = isFailed && h("span", { class: "cut dead small" }, visible(`${error.type}: ${error.message ?? ""}`));
    const gist = h("span", { class: "cut gist" }, h("bdi", {}, visible(job.gist || "no payload")));
    const had = this.element.contains(document.activeElement) && document.activeElement.closest(".what");
    const link = this.frame.link(pageOf(job), {}, gist, failed, job.state === "active" && done(job.progress));
    const kind = attempts > 1 ? "retried" : attempts ? "" : "zero";
    const type = h("strong", { class: "cut" }, visible(job.type ?? "unreadable"));
    const queue = this.frame.link(`#/jobs?queue=${job.queue}`, { class: "soft" }, job.queue);
    put(this.element,
      this.bulk.can && h("td", { class: "pick" }, this.box),
      h("td", { class: "st" }, state(job.state)),
      h("td", { class: "ty" }, h("span", { class: "kind" }, type, h("span", { class: "id" }, shortId(id)))),
      h("td", { class: "what" }, link),
      h("td", { class: `n wide-only extra ${kind}` }, `${attempts}/${max_attempts ?? "–"}`),
      h("td", { class: "wide-only extra cut" }, queue),
      h("td", { class: `n wide-only extra ${took === "–" ? "zero" : ""}` }, took),
      h("td", { class: "n" }, job[this.time] ? when(job[this.time]) : "–"));
    if (had) link.focus();
  }
}

/** How far a job is that runs, {fraction, note}; nothing where its handler does not tell. */
function done(progress) {
  if (progress?.fraction == null) return null;
  const note = progress.note ? [" · ", visible(progress.note)] : "";
  const words = h("span", { class: "cut small faint" }, `${Math.floor(progress.fraction * 100)} %`, note);
  return h("span", { class: "done" }, progressBar("Progress", progress.fraction), words);
}

const WORDS = {
  retry: ["Run again", "Each becomes ready in its queue, with its attempts at 0.", "main"],
  cancel: ["Cancel", "What waits does not run any more. What runs is asked to stop.", "main"],
  delete: ["Delete", "Their records, histories and logs are gone for good.", "danger"],
};
const FIT = { retry: ["dead", "cancelled", "completed"], cancel: ["ready", "delayed", "blocked", "active"] };
FIT.delete = FIT.retry;

/** What is done to the chosen jobs. changed(): what was done shows in the list. */
export class Bulk extends Choice {
  constructor(frame, rows, changed) {
    super(frame, rows, "jobs");
    this.changed = changed;
  }

  acts() {
    const states = new Set([...this.chosen].map((id) => this.rows.get(id).job.state));
    const acts = Object.keys(WORDS).filter((name) => FIT[name].some((one) => states.has(one)));
    return acts.map((name) => this.tiny(`${WORDS[name][0]}…`, () => this.act(name), name));
  }

  /** Ask, with what a dry run says would happen, and do it to the chosen jobs, or to the row at which the reader is. */
  async act(action) {
    const ids = this.chosen.size ? [...this.chosen] : [this.at()].filter(Boolean);
    if (!ids.length) return;
    const [word, words, kind] = WORDS[action];
    const path = "api/jobs/actions";
    const said = h("div", { class: "soft" }, "Asking what would happen…");
    const curl = curlOf(this.frame, "POST", path, JSON.stringify({ action, ids }));
    const title = `${word}: ${plural(ids.length, "job")}`;
    const asked = new Ask(this.frame, { title, label: word, kind, curl }, said);
    asked.does.disabled = true;
    asked.act = async () => {
      const refused = refusedOf(await post(path, { action, ids }, { signal: this.frame.signal }));
      this.whole(false);
      await this.changed();
      return refused.length ? reasons(refused) : undefined;
    };
    await asked.try(async () => {
      const tried = await post(path, { action, ids, dry_run: true }, { signal: asked.signal });
      const refused = refusedOf(tried);
      const count = tried.items.length - refused.length;
      put(said, h("p", {}, words), refused.length > 0 && reasons(refused));
      setText(asked.does, `${word}: ${count}`);
      asked.does.disabled = !count;
      asked.does.focus();
    });
  }
}

const refusedOf = ({ items }) => items.filter(({ problem }) => problem);

/** Why some were left as they are: each reason once. */
function reasons(refused) {
  const all = new Map();
  for (const { problem } of refused) all.set(problem.detail, (all.get(problem.detail) ?? 0) + 1);
  const rows = [...all].map(([detail, count]) => h("li", {}, `${count} × `, visible(detail)));
  const head = h("p", { class: "dead" }, `${plural(refused.length, "job")} left as before:`);
  return h("div", {}, head, h("ul", { class: "small" }, rows));
}
