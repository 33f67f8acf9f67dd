// The panel "Throughput": what happened in each minute of the last hour, or each quarter of an hour of the last day.

import { get } from "../api.js";
import { Columns } from "../charts.js";
import { clock, h, number, sum, trouble } from "../kit.js";

/** How far back charts reach: the window as the API takes it, its button, and its beginning in a sentence. */
export const WINDOWS = { "1h": ["1 hour", "Last hour"], "24h": ["24 hours", "Last 24 hours"] };

export class Throughput {
  /** queue: "" for all queues. */
  constructor(frame, queue = "") {
    this.frame = frame;
    this.of = queue && `&queue=${encodeURIComponent(queue)}`;
    this.window = "1h";
    this.place = h("div", { class: "pad" });
    const tab = ([window, [label]]) => {
      const click = () => this._choose(window);
      const props = { type: "button", "data-window": window, "aria-pressed": String(window === this.window) };
      return h("button", { ...props, on: { click } }, label);
    };
    const tabs = Object.entries(WINDOWS).map(tab);
    this.tabs = h("div", { class: "tabs", role: "group", "aria-label": "How far back" }, tabs);
    const key = (name) => h("span", {}, h("i", { class: `i-${name}` }), name);
    const legend = h("div", { class: "legend" }, ["completed", "retried", "dead"].map(key));
    this.element = h("section", { class: "panel", "aria-label": "Throughput" },
      h("header", {}, h("h2", {}, "Throughput"), legend, this.tabs), this.place);
  }

  /** Read what is shown, and show it. Returns the numbers of the last hour, which the tiles need as well. */
  async read(signal) {
    const hour = get(`api/stats?window=1h${this.of}`, { signal });
    const { window } = this;
    const shown = window === "1h" ? hour : get(`api/stats?window=${window}${this.of}`, { signal });
    const [ofHour, stats] = await Promise.all([hour, shown]);
    if (window === this.window) this._show(stats); // Somebody may have chosen the other one meanwhile.
    return ofHour;
  }

  async _choose(window) {
    this.window = window;
    for (const one of this.tabs.children) one.setAttribute("aria-pressed", String(one.dataset.window === window));
    try {
      const stats = await get(`api/stats?window=${window}${this.of}`, { signal: this.frame.signal });
      if (window === this.window) this._show(stats);
    } catch (problem) {
      if (!this.frame.signal.aborted) this.place.replaceChildren(trouble(problem));
      this.columns = null;
    }
  }

  _show(stats) {
    const series = seriesOf(stats);
    if (this.columns) return this.columns.update(series);
    this.columns = new Columns(series);
    this.place.replaceChildren(this.columns.element);
  }
}

function seriesOf({ window, from, step_s, series }) {
  const { completed, retried, dead } = series;
  const times = completed.map((_, at) => clock(Date.parse(from) + at * step_s * 1000));
  const unit = step_s === 60 ? "minute" : `${step_s / 60} minutes`;
  const tell = (count) => `${count(completed)} completed, ${count(retried)} retried, ${count(dead)} dead`;
  const say = (at) =>
    at == null
      ? `${WINDOWS[window][1]}: ${tell((values) => number(sum(values)))}`
      : `${times[at]}, in the ${unit}: ${tell((values) => number(values[at]))}`;
  const below = [{ name: "retried", values: retried }, { name: "dead", values: dead }];
  return { times, say, above: [{ name: "completed", values: completed }], below };
}
