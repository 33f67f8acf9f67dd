// #/workers: the processes that run jobs, by host: what each runs and for how long; and those that went within a day or
// are silent.

import { get } from "../api.js";
import { tellHealth } from "../bar.js";
import {
  button, clockOrDay, exactly, ghosts, h, heads, hollow, icon, now_ms, number, panel, plural, seconds, setText, sum,
  trouble, visible, when, workerOf,
} from "../kit.js";

const SHOWN = 5;
const HOW = {
  left: "left", crashed: "crashed", killed: "killed by its supervisor", lost: "its heartbeats stopped",
  silent: "silent: no worker has noticed",
};

export function page(frame) {
  const workers = new Workers(frame);
  return { title: "Workers", element: workers.element };
}

class Workers {
  constructor(frame) {
    this.frame = frame;
    this.opened = new Set();
    this.note = h("p", { class: "soft" }, "Looking…");
    this.alerts = h("ul", { class: "alerts", hidden: true, "aria-label": "What is wrong" });
    this.hosts = h("div", { class: "stack" }, ghosts(4, "panel"));
    this.gone = h("div", { hidden: true });
    const head = h("div", { class: "head" }, h("div", {}, h("h1", {}, "Workers"), this.note));
    this.element = h("div", { class: "stack" }, head, this.alerts, this.hosts, this.gone);
    const failed = (problem) => this.hosts.replaceChildren(h("section", { class: "panel" }, trouble(problem)));
    frame.repeat((signal) => this._read(signal), { busy_s: 2, calm_s: 5, failed });
  }

  async _read(signal) {
    if (!this.version) await this._readVersion(signal);
    const { items, gone } = await get("api/workers", { signal });
    const draining = items.filter((one) => one.state === "draining").length;
    const hosts = Map.groupBy(items, (one) => one.host ?? "unknown host");
    const active = plural(sum(items.map((one) => one.active)), "job");
    const some = draining ? `; ${number(draining)} draining` : "";
    setText(this.note, `${plural(items.length, "runner")} on ${plural(hosts.size, "host")}, ${active} in hand${some}.`);
    this._tellVersions(items);
    this._tellHosts(hosts);
    this._tellGone(gone);
  }

  async _readVersion(signal) {
    const health = await get("api/health", { signal });
    tellHealth(health);
    this.version = health.version;
  }

  _tellVersions(items) {
    const others = items.filter(({ version }) => version !== this.version);
    this.alerts.hidden = !others.length;
    if (!others.length) return this.alerts.replaceChildren();
    const names = [...new Set(others.map(({ version, host }) => `${version ?? "an unknown version"} on ${host}`))];
    const text = `The server is ${this.version}; of the workers there is ${names.join(", ")}. `
      + "That is how an upgrade looks while it goes on; afterwards restart those that were left.";
    const glyph = h("span", { class: "state pill retried" }, icon("warn"));
    this.alerts.replaceChildren(h("li", { class: "alert" }, glyph,
      h("div", {}, h("h2", {}, "More than one version runs"), h("p", {}, visible(text)))));
  }

  /** Panels that have not changed stay: what is in them may have the focus, or be read. */
  _tellHosts(hosts) {
    const text = hollow("workers", "No worker is there", "Jobs wait until one is: python worker.py starts it.");
    const panels = [...hosts].sort(([a], [b]) => a.localeCompare(b)).map(([host, items]) => this._host(host, items));
    if (this.hosts.contains(document.activeElement)) this.focused = document.activeElement.dataset.id;
    this.hosts.replaceChildren(...(panels.length ? panels : [h("section", { class: "panel" }, text)]));
    if (this.focused) this.hosts.querySelector(`[data-id="${CSS.escape(this.focused)}"]`)?.focus();
    this.focused = null;
  }

  _host(host, items) {
    const memory = sum(items.map((one) => one.rss_bytes ?? 0));
    const note = [plural(items.length, "runner"), memory && bytes(memory)].filter(Boolean).join(", ");
    const columns = [["Runner"], ["Jobs", "n"], ["Memory", "n"], ["Last beat", "n"], ["Since", "n wide-only"],
      ["Version", "n wide-only"]];
    return h("section", { class: "panel", "aria-label": host },
      h("header", {}, h("h2", {}, visible(host)), h("span", { class: "small faint" }, note)),
      h("div", { class: "scroll" }, h("table", { class: "cards stats workers" }, heads(columns),
        items.map((one) => this._runner(one)))));
  }

  _runner({ id, pid, version, started_at, state: doing, rss_bytes, last_beat_age_s: age_s, active, queues, jobs }) {
    const may = sum(queues.map(({ concurrency }) => concurrency ?? 0));
    const isAlone = id.endsWith(".alone");
    const badge = doing === "draining"
      ? h("span", { class: "state pill retried" }, icon("away"), "draining")
      : isAlone && h("span", { class: "state pill cancelled" }, icon("warn"), "jobs that two runners died of");
    const served = queues.map(({ queue, concurrency }) =>
      [" ", this.frame.link(`#/queues/${queue}`, { class: "tag" }, concurrency ? `${queue} ${concurrency}` : queue)]);
    const cell = (label, value, kind = "") => h("td", { class: `n ${kind}`, "data-label": label }, value);
    const isOther = version !== this.version;
    return h("tbody", { "data-runner": id }, h("tr", {},
      h("td", { class: "full", title: id }, h("strong", {}, visible(workerOf(id))), " ",
        pid && h("span", { class: "small faint wide-only" }, `process ${pid}`), " ", badge, served),
      cell("jobs", may ? `${active} of ${may}` : number(active), active ? "" : "zero"),
      cell("memory", rss_bytes == null ? "–" : bytes(rss_bytes)),
      cell("last beat", seconds(age_s)),
      cell("since", started_at ? when(started_at, clockOrDay(started_at)) : "–", "wide-only"),
      cell("version", visible(version ?? "–"), `wide-only ${isOther ? "retried" : ""}`)), this._jobs(id, jobs));
  }

  _jobs(id, jobs) {
    if (!jobs.length) return null;
    const most = this.opened.has(id) ? jobs.length : SHOWN;
    const open = () => this.opened.add(id) && list.replaceChildren(...jobs.map((job) => this._job(job)));
    const rest = jobs.length - most;
    const more = rest > 0 && button(`${number(rest)} more`, { kind: "tiny", "data-id": id, on: { click: open } });
    const shown = jobs.slice(0, most).map((job) => this._job(job));
    const list = h("ul", { class: "runs-list" }, shown, more && h("li", {}, more));
    return h("tr", {}, h("td", { class: "full", colspan: 6 }, list));
  }

  _job({ id, queue, type, started_at, timeout_s, progress }) {
    const ran_s = started_at ? Math.max(0, (now_ms() - Date.parse(started_at)) / 1000) : null;
    const done = progress?.fraction != null ? `${Math.round(progress.fraction * 100)} %` : "";
    const note = [type && type !== queue ? queue : "", done, progress?.note].filter(Boolean).join(" · ");
    const isLong = timeout_s && ran_s > timeout_s * 0.8;
    const took = h("span", { class: `num ${isLong ? "retried" : "soft"}` },
      ran_s === null ? "claimed" : seconds(ran_s), timeout_s && ` of ${exactly(timeout_s)}`);
    const rest = h("span", { class: "faint" }, " ", visible(note));
    const name = h("span", { class: "cut" }, h("strong", {}, visible(type ?? queue)), rest);
    return h("li", {}, this.frame.link(`#/jobs/${id}`, { class: "run", "data-id": id },
      h("span", { class: "active" }, icon("active", "spin")), name, took));
  }

  _tellGone(gone) {
    const text = JSON.stringify(gone);
    if (text === this.told) return;
    this.told = text;
    this.gone.hidden = !gone.length;
    const row = ({ id, pid, how, jobs_returned: returned, ended_at }) => {
      const why = h("span", { class: how === "left" ? "faint" : "retried" }, HOW[how] ?? how ?? "gone");
      const isSilent = how === "silent";
      const went = returned && ` · back in their queues: ${plural(returned, "job")}`;
      const back = isSilent ? " · its jobs go back to their queues once a worker is there" : went || "";
      const at = isSilent ? ["last beat ", when(ended_at, clockOrDay(ended_at))] : when(ended_at);
      return h("li", { title: id }, h("strong", {}, visible(workerOf(id))), " ", why,
        h("p", { class: "small soft" }, at, pid && ` · process ${pid}`, back));
    };
    const title = gone.some(({ how }) => how === "silent") ? "Silent, or gone within a day" : "Gone within a day";
    this.gone.replaceChildren(panel(title, null, h("ul", { class: "list" }, gone.map(row))));
  }
}

/** 48234496 -> "46 MB". */
function bytes(n) {
  return n < 1024 ** 3 ? `${Math.round(n / 1024 ** 2)} MB` : `${(n / 1024 ** 3).toFixed(1)} GB`;
}
