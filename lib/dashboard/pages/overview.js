// #/: what needs somebody, and how it goes. Read anew when something has changed, at most every 5 s (numbers of
// minutes: 10 s). Counts of queues come by the digest, as they change.

import { get } from "../api.js";
import { tellHealth } from "../bar.js";
import { spark } from "../charts.js";
import { button, clock, ghosts, h, icon, number, plural, seconds, setText, sum, trouble, visible } from "../kit.js";
import { oldestAge_s } from "../live.js";
import { Failing, Queues, Running } from "./overview_lists.js";
import { Throughput } from "./throughput.js";
import { heading, remainder, thingsOf } from "./verdict.js";

const QUEUES_SHOWN = 25;
const THINGS_SHOWN = 5;
const LEAST_ATTEMPTS = 10;

export function page(frame) {
  const overview = new Overview(frame);
  return { title: "Overview", element: overview.element };
}

class Overview {
  constructor(frame) {
    this.frame = frame;
    this.title = h("h1", {}, "Overview");
    this.rest = h("p", { class: "soft" }, "Looking…");
    this.things = h("ul", { class: "alerts", hidden: true, "aria-label": "What needs you" });
    this.tiles = new Tiles();
    this.queues = new Queues(frame);
    this.throughput = new Throughput(frame);
    this.failing = new Failing(frame);
    this.running = new Running(frame);
    const add = frame.can("write") && button("New job", { glyph: "plus", href: "#/jobs/new" });
    const acts = add && h("div", { class: "acts" }, add);
    const head = h("div", { class: "head" }, h("div", {}, this.title, this.rest), acts);
    const lists = h("div", { class: "stack" }, this.failing.element, this.running.element);
    this.busy = h("div", { class: "stack", hidden: true },
      this.tiles.element, this.throughput.element, h("div", { class: "split" }, this.queues.element, lists));
    this.loading = ghosts(5, "panel");
    this.element = h("div", { class: "stack overview" }, head, this.things, this.loading, this.busy);
    frame.live.addEventListener("queues", () => this._count(), { signal: frame.signal });
    frame.every(1, () => this._count());
    const failed = (problem) => this.loading.replaceChildren(trouble(problem));
    frame.repeat((signal) => this._read(signal), { busy_s: 5, calm_s: 60, failed });
    frame.repeat((signal) => this._readMinutes(signal), { busy_s: 10, calm_s: 60 });
  }

  async _read(signal) {
    const [health, queues, active] = await Promise.all([
      get("api/health", { signal }),
      get(`api/queues?sort=trouble&limit=${QUEUES_SHOWN}&lately=true`, { signal }),
      get("api/jobs?state=active&order=started&limit=5&fields=summary", { signal }),
    ]);
    tellHealth(health);
    Object.assign(this, { health, page: queues });
    this.queues.show(queues);
    this.running.show(active.items);
    this._count();
    this._uncover(queues);
    this._tellThings();
  }

  async _readMinutes(signal) {
    const errors = get("api/errors?merged=true&limit=6", { signal });
    const [stats, failed] = await Promise.all([this.throughput.read(signal), errors]);
    this.tiles.learn(stats);
    this.failing.show(failed);
    this.troubles = null; // They are told anew: by now it is known as what most attempts fail.
    this._count();
  }

  _tellThings() {
    const items = this._all();
    const things = thingsOf(this.health, items, this.failing);
    const total = Math.max(items.length, this.page.total);
    setText(this.title, this.empty && !things.length ? "Ready for the first job" : heading(things));
    setText(this.rest, remainder(things, this.health, { items, total }, this._counts("active")));
    const text = JSON.stringify(things);
    if (text === this.told) return; // What has not changed is not made anew: a button may have the focus.
    this.told = text;
    this.things.hidden = !things.length;
    this._list(things, THINGS_SHOWN);
  }

  _list(things, most) {
    const more = () => this._list(things, things.length);
    const rest = things.length - most;
    const last = h("li", { class: "more" }, button(`${number(rest)} more`, { kind: "tiny", on: { click: more } }));
    const shown = things.slice(0, most).map((one) => thing(this.frame, one));
    this.things.replaceChildren(...shown, ...(rest > 0 ? [last] : []));
  }

  /** The queues as the stream has them last; those of the page that was read while there is no stream. */
  _all() {
    const { queues } = this.frame.live;
    return queues.size ? [...queues.values()] : (this.page?.items ?? []);
  }
  _counts(state) {
    return sum(this._all().map((queue) => queue.counts[state]));
  }

  _count() {
    if (!this.page) return;
    const all = this._all();
    this.tiles.show(all);
    this.queues.update(this.frame.live.queues);
    if (this.empty && sum(all.map((queue) => queue.totals.enqueued ?? 0))) this._uncover({ items: all });
    // The stream has all queues, the page that was read only the worst, and as they were: the sentence must not say
    // that all is well above a row that is marked.
    const troubles = JSON.stringify(all.map(({ name, trouble }) => [name, trouble?.code]));
    if (troubles !== this.troubles) this._tellThings();
    this.troubles = troubles;
  }

  /** Show the numbers; or, where no job was ever posted, how the first one is. */
  _uncover(page) {
    const jobs = sum(page.items.map((queue) => (queue.totals.enqueued ?? 0) + sum(Object.values(queue.counts))));
    const isEmpty = !jobs && !page.next_cursor;
    this.loading.remove();
    this.busy.hidden = isEmpty;
    if (!isEmpty) this.empty?.remove();
    if (!isEmpty) this.empty = null;
    if (isEmpty && !this.empty) this.element.append((this.empty = this._nothingYet()));
  }

  _nothingYet() {
    const place = h("div", { class: "stack" });
    import("./first_job.js").then(({ showFirstJob }) => showFirstJob(this.frame, place));
    return place;
  }
}

/** One thing that needs somebody, as verdict.js has it. */
export function thing(frame, { kind, title, text, link }) {
  const [hash, label, name] = link ?? [];
  const way = hash && frame.link(hash, { class: "button tiny", "aria-label": name }, label);
  const acts = way && h("div", { class: "acts" }, way);
  const glyph = h("span", { class: `state pill ${kind}` }, icon("warn"));
  return h("li", { class: "alert" }, glyph, h("div", {}, h("h2", {}, title), h("p", {}, visible(text))), acts);
}

/** Five numbers of now, each with its last hour. */
export class Tiles {
  constructor() {
    this.places = ["Waiting", "Completed", "Failed", "Wait, p95", "Run, p95"].map((name) => {
      const [value, unit, note] = [h("span", {}), h("small", {}), h("dd", { class: "note" })];
      const picture = h("dd", {});
      const figure = h("dd", { class: "value" }, value, unit);
      const shown = h("div", { class: "tile" }, h("dt", {}, name), figure, note, picture);
      return { shown, value, unit, note, picture };
    });
    this.element = h("section", { class: "panel", "aria-label": "Now" },
      h("dl", { class: "tiles" }, this.places.map((one) => one.shown)));
  }

  /** stats: of an hour. */
  learn(stats) {
    this.stats = stats;
    const { enqueued, completed, retried, dead } = stats.series;
    const failed = retried.map((n, at) => n + dead[at]);
    const { wait_s, run_s } = stats.latencies;
    this._draw(0, enqueued, "quiet", "Enqueued a minute, last hour");
    this._draw(1, completed, "", "Completed a minute, last hour");
    this._draw(2, failed, "dead", "Failed attempts a minute, last hour");
    this._draw(3, wait_s.p95, "", "Wait, 95th percentile of five minutes, last hour");
    this._draw(4, run_s.p95, "", "Run, 95th percentile of five minutes, last hour");
  }

  _draw(at, values, kind, label) {
    const [least, said] = at < 3 ? [4, number] : [0.001, (s) => seconds(s || null)];
    const most = Math.max(...values);
    const about = { kind, label: `${label}; most: ${said(most)}`, top: Math.max(most, least) };
    this.places[at].picture.replaceChildren(spark(values, about));
  }

  show(queues) {
    const ages = queues.filter((queue) => queue.oldest_ready_age_s != null);
    const oldest = ages.sort((a, b) => oldestAge_s(b) - oldestAge_s(a))[0];
    const minute = (name) => sum(queues.map((queue) => queue.per_minute[name]));
    const [completed, failed] = [minute("completed"), minute("retried") + minute("dead")];
    const attempts = completed + failed;
    const ready = sum(queues.map((queue) => queue.counts.ready));
    const since = oldest && `oldest ${seconds(oldestAge_s(oldest))}, in ${oldest.name}`;
    // How many waited at a time is counted nowhere: starts, redrives and deletions have no series.
    const notes = [ready ? since : "nothing waits", "curve: arrivals"];
    this._set(0, number(ready), "", notes.filter(Boolean).join(" · "));
    const ofHour = this.stats ? `${number(this.stats.totals.completed)} in the last hour` : "";
    this._set(1, number(completed), "a minute", ofHour);
    const isShare = attempts >= LEAST_ATTEMPTS;
    const share = isShare ? (Math.round((failed / attempts) * 1000) / 10).toString() : number(failed);
    this._set(2, share, isShare ? "%" : "", `${number(failed)} of ${plural(attempts, "attempt")}, last minute`);
    this._percentile(3, "wait_s");
    this._percentile(4, "run_s");
  }

  _percentile(at, name) {
    if (!this.stats) return;
    const { from } = this.stats.lately;
    const { jobs, p50, p95 } = this.stats.lately[name];
    const [value, unit] = jobs ? seconds(p95).split(" ") : ["–", ""];
    const since = jobs ? `≈, since ${clock(from)} · p50 ${seconds(p50)}` : `no attempts since ${clock(from)}`;
    this._set(at, value, unit ?? "", since);
  }

  _set(at, value, unit, note) {
    const place = this.places[at];
    setText(place.value, value);
    setText(place.unit, unit);
    setText(place.note, note);
  }
}
