// #/requests/<id>: all that one request has caused, on one axis of time, and its jobs. Read anew when one of them has
// changed, at most once a second, or once in as many fiftieths of a second as it has jobs. An answer of the API looks
// for the jobs for a second at most, newest first: where there are 100,000 jobs, those of this request may be further
// down, so the page asks on until it has the call itself and nothing more comes behind it.

import { curlOf, showCurl } from "../actions.js";
import { get, Problem } from "../api.js";
import {
  button, copier, ghosts, h, hollow, icon, pageOf, panel, plural, put, seconds, setText, shortId, state, trouble,
  visible,
} from "../kit.js";
import { Waterfall } from "../waterfall.js";

const LEAST_MS = 1000;
const OPEN_MS = 5000;
const ENDED_MS = 60_000;
const MOST_JOBS = 200;

export function page(frame, { id }) {
  const shown = new Request(frame, id);
  return { title: `Request ${id}`, element: shown.element };
}

/** Pages of one trace, the newest first, as one trace. The call's span is on each page that has jobs of it. */
function joined(pages, isWhole) {
  if (pages.length === 1 && pages[0].complete) return pages[0];
  const spans = new Map();
  for (const span of pages.toReversed().flatMap((page) => page.spans)) {
    const had = spans.get(span.id) ?? span;
    spans.set(span.id, { ...had, end: had.end && span.end && (had.end > span.end ? had.end : span.end) });
  }
  const all = [...spans.values()];
  const ends = all.map(({ end }) => end);
  const ended_at = ends.every(Boolean) ? ends.reduce((last, end) => (end > last ? end : last)) : null;
  const jobs = pages.toReversed().flatMap((page) => page.jobs);
  const warnings = [...new Set(pages.flatMap((page) => page.warnings))];
  return { jobs, spans: all, started_at: all[0].start, ended_at, complete: isWhole, warnings };
}

class Request {
  constructor(frame, id) {
    Object.assign(this, { frame, id, path: `api/requests/${encodeURIComponent(id)}` });
    const jobs = frame.link("#/jobs", {}, "Jobs");
    const query = new URLSearchParams({ request_id: id });
    const list = button("Search its jobs", { href: `#/jobs?${query}` });
    const curl = () => showCurl("The request as curl", curlOf(frame, "GET", this.path));
    const acts = h("div", { class: "acts" }, list, button("As curl", { glyph: "copy", on: { click: curl } }));
    const name = h("span", { class: "mono cut" }, id);
    this.about = h("p", { class: "soft" }, "Looking…");
    const crumbs = h("p", { class: "crumbs" }, jobs, icon("chevron"), name, copier(name));
    this.head = h("div", { class: "head" }, h("div", {}, crumbs, h("h1", {}, "Request"), this.about), acts);
    const link = (job) => job && frame.link(`#/jobs/${job}`, { class: "link mono" }, job);
    this.fall = new Waterfall(({ job_id }) => link(job_id));
    this.note = h("span", { class: "faint small" });
    this.list = h("ul", { class: "list" });
    const search = `grep -h -e '${id.replace(/[^\w.-]/g, "")}' logs/*.log`;
    const grep = h("pre", { class: "curl", tabindex: "0", "aria-label": "A search in the logs" }, search);
    const logs = panel("In the logs", h("div", { class: "acts" }, copier(grep)), h("div", { class: "pad" }, grep));
    this.rest = h("div", { class: "stack", hidden: true },
      panel("What happened", null, this.fall.parts), panel("Jobs", this.note, this.list), logs);
    this.loading = ghosts(6, "panel");
    this.element = h("div", { class: "stack" }, this.head, this.loading, this.rest);
    frame.every(1, () => this.isOpen && this._draw());
    frame.watch(async (signal) => this._show(await this._read(signal)), {
      stream: () => `api/events?request_id=${encodeURIComponent(this.id)}`,
      rest_ms: () => (this.isOpen ? OPEN_MS : ENDED_MS),
      least_ms: () => Math.max(LEAST_MS, (this.trace?.jobs.length ?? 0) * 20),
      failed: (problem) => this._fail(problem),
    });
  }

  /** The trace, of as many answers as it takes; later of those alone that had jobs, and of the newest jobs. */
  async _read(signal) {
    const [places, pages] = [[""], []];
    for (const place of this.places ?? places) {
      const page = await get(place ? `${this.path}?cursor=${encodeURIComponent(place)}` : this.path, { signal });
      if (page.jobs.length || !pages.length) pages.push({ ...page, place });
      const isFound = !page.jobs.length && pages.some(({ spans }) => spans.some(({ kind }) => kind === "server"));
      if (page.next_cursor && !page.truncated && !isFound) places.push(page.next_cursor);
      else if (!this.places) this.isWhole = !page.next_cursor;
    }
    if (!pages.some(({ jobs }) => jobs.length)) throw new Problem(404, {});
    this.places ??= pages.map(({ place }) => place);
    return joined(pages, this.isWhole);
  }

  _show(trace) {
    const { jobs, spans, started_at, ended_at, complete, warnings } = trace;
    this.trace = trace;
    this.isOpen = spans.some(({ end }) => !end);
    const took_s = (Date.parse(ended_at) - Date.parse(started_at)) / 1000;
    const took = ended_at ? `${seconds(took_s)} from its beginning to its end` : "not ended yet";
    const some = complete ? "" : " Older jobs of it, if there are any, are not shown.";
    setText(this.about, `${plural(jobs.length, "job")}, ${took}.${some} ${warnings.join(" ")}`);
    const text = JSON.stringify(jobs);
    if (text !== this.text) put(this.list, jobs.slice(0, MOST_JOBS).map((job) => this._job(job)));
    this.text = text;
    setText(this.note, jobs.length > MOST_JOBS ? `the oldest ${MOST_JOBS}` : "oldest first");
    this.loading.remove();
    this.rest.hidden = false;
    this._draw();
  }
  _draw() {
    if (this.trace.spans.length) this.fall.show(this.trace.spans);
  }

  _job({ id, type, queue, state: how }) {
    const short = h("span", { class: "faint mono" }, ` ${shortId(id)}`);
    const name = h("span", { class: "cut" }, h("strong", {}, visible(type ?? "unreadable")), short);
    const place = h("span", { class: "soft small" }, queue);
    const link = this.frame.link(pageOf({ id, type }), { class: "titled" }, how && state(how), name, place);
    return h("li", { class: "go" }, link);
  }

  _fail(problem) {
    setText(this.about, "");
    if (problem.status !== 404) return put(this.loading, trouble(problem));
    this.isOpen = false;
    const why = "No job of it is known: none was queued, or all are deleted, or their time is over.";
    const none = h("section", { class: "panel" }, hollow("search", "There is no such request", why));
    this.element.replaceChildren(this.head, none, this.rest.lastElementChild); // The logs tell of it still.
  }
}
