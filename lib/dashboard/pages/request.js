// #/requests/<id>: all that one request has caused, on one axis of time, and its jobs. Read anew when one of them has
// changed, at most once a second, or once in as many fiftieths of a second as it has jobs.

import { curlOf, showCurl } from "../actions.js";
import { get } from "../api.js";
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
    this.loading = h("div", { class: "panel late" }, ghosts(6));
    this.element = h("div", { class: "stack" }, this.head, this.loading, this.rest);
    frame.every(1, () => this.isOpen && this._draw());
    frame.watch(async (signal) => this._show(await get(this.path, { signal })), {
      stream: () => `api/events?request_id=${encodeURIComponent(this.id)}`,
      rest_ms: () => (this.isOpen ? OPEN_MS : ENDED_MS),
      least_ms: () => Math.max(LEAST_MS, (this.trace?.jobs.length ?? 0) * 20),
      failed: (problem) => this._fail(problem),
    });
  }

  _show(trace) {
    const { jobs, spans, started_at, ended_at, complete, warnings } = trace;
    this.trace = trace;
    this.isOpen = spans.some(({ end }) => !end);
    const took_s = (Date.parse(ended_at) - Date.parse(started_at)) / 1000;
    const took = ended_at ? `${seconds(took_s)} from its beginning to its end` : "not ended yet";
    const some = complete ? "" : " There are more jobs than are shown.";
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
