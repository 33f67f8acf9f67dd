// Charts as SVG, made by DOM calls. No styles in attributes: the policy lets none pass.

import { h, number, sum, svg } from "./kit.js";

/** A line of values, 0 at the bottom; null is a gap that is drawn as 0. label: what it shows, for a screen reader. */
export function spark(values, { label, kind = "", height = 28, width = 120, top = Math.max(...values, 1) } = {}) {
  const x = (at) => ((at * width) / Math.max(1, values.length - 1)).toFixed(1);
  const y = (value) => (height - 1.5 - ((value ?? 0) / top) * (height - 4)).toFixed(1);
  const line = values.map((value, at) => `${at ? "L" : "M"}${x(at)} ${y(value)}`).join("");
  const size = { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", width, height };
  const area = svg("path", { class: `area ${kind}`, d: `${line}V${height}H0Z` });
  const stroke = svg("path", { class: `line ${kind}`, d: line });
  return svg("svg", { ...size, role: "img", "aria-label": label }, area, stroke);
}

const ROUND = [1, 1.2, 1.6, 2, 3, 4, 6, 8, 10];
function roundTop(most) {
  const ten = 10 ** Math.floor(Math.log10(most || 1));
  return ROUND.map((factor) => factor * ten).find((value) => value >= most) ?? most;
}

const LEFT = 38;
const RIGHT = 2;
const BOTTOM = 20;
const SPACE = 18;
const BAND = 46;
const HEIGHT = 168;

/** Columns over time, of {above, below, times, say}. above, below: [{name, values}], stacked; those below have an axis
 * of their own, so that few failures are seen beside many successes. times: the words under the columns. say(at): the
 * sentence for one column, say(null) for all. The mouse and the arrow keys read a column. */
export class Columns {
  constructor(series) {
    const size = { width: "100%", height: HEIGHT + SPACE + BAND + BOTTOM };
    this.picture = svg("svg", { class: "chart", ...size, role: "img", tabindex: "0" });
    this.out = h("p", { class: "readout" });
    this.element = h("div", {}, this.picture, this.out);
    this.at = null;
    this._listen();
    this.update(series);
    new ResizeObserver(() => this._draw()).observe(this.picture);
  }

  update(series) {
    this.series = series;
    this.picture.setAttribute("aria-label", series.say(null));
    this._draw();
    this._show(this.at);
  }

  _listen() {
    this.picture.addEventListener("pointermove", (event) => {
      const box = this.picture.getBoundingClientRect();
      const part = (event.clientX - box.x - LEFT) / (box.width - LEFT - RIGHT);
      this._show(Math.floor(part * this.series.times.length));
    });
    for (const event of ["pointerleave", "blur"]) {
      this.picture.addEventListener(event, () => {
        this.out.ariaLive = null;
        this._show(null);
      });
    }
    this.picture.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move) return;
      event.preventDefault();
      this.out.ariaLive = "polite"; // It is read aloud to whom asks for it, and not with each minute that comes.
      this._show((this.at ?? this.series.times.length) + move);
    });
  }

  _draw() {
    const { times, above, below } = this.series;
    const whole = this.picture.clientWidth || 1000;
    this.step = (whole - LEFT - RIGHT) / times.length;
    const top = this._stack(above, 6, HEIGHT - 6, [0.5, 1, 0], whole);
    const under = this._stack(below, HEIGHT + SPACE, BAND, [1, 0], whole);
    this.picture.replaceChildren(...top, ...under, ...this._axis(times, whole));
    if (this.at != null) this._show(this.at);
  }

  _axis(times, whole) {
    const y = HEIGHT + SPACE + BAND + BOTTOM - 3;
    const every = Math.ceil(times.length / Math.max(2, Math.floor((whole - LEFT) / 90)));
    const words = [svg("text", { x: whole, y, "text-anchor": "end" }, "now")];
    for (let at = 0; at < times.length - every / 2; at += every) {
      words.push(svg("text", { x: LEFT + at * this.step, y, "text-anchor": at ? "middle" : "start" }, times[at]));
    }
    return words;
  }

  _stack(list, from, high, lines, whole) {
    const count = this.series.times.length;
    const totals = Array.from({ length: count }, (_, at) => sum(list.map((one) => one.values[at])));
    const top = roundTop(Math.max(...totals, 4));
    const y = (value) => from + high * (1 - value / top) + 0.5;
    const parts = lines.flatMap((share) => [
      svg("line", { class: share ? "grid" : "base", x1: LEFT, x2: whole, y1: y(top * share), y2: y(top * share) }),
      svg("text", { x: LEFT - 8, y: y(top * share) + (share ? 4 : 1), "text-anchor": "end" }, number(top * share)),
    ]);
    for (let at = 0; at < count; at += 1) parts.push(...this._column(list, at, y));
    return parts;
  }

  _column(list, at, y) {
    const gap = this.step > 5 ? 1.5 : 0.5;
    const place = { x: (LEFT + at * this.step + gap / 2).toFixed(2), width: Math.max(0.8, this.step - gap).toFixed(2) };
    let under = 0;
    return list.filter((one) => one.values[at]).map(({ name, values }) => {
      const tall = Math.max(1.5, y(under) - y(under + values[at]));
      const bar = { class: `c-${name}`, ...place, y: (y(under) - tall).toFixed(2), height: tall.toFixed(2), rx: 1 };
      under += values[at];
      return svg("rect", bar);
    });
  }

  _show(at) {
    this.picture.querySelector(".cursor")?.remove();
    this.at = at == null ? null : Math.max(0, Math.min(this.series.times.length - 1, at));
    this.out.textContent = this.series.say(this.at);
    if (this.at == null) return;
    const place = { x: LEFT + this.at * this.step, width: this.step, y: 0, height: HEIGHT + SPACE + BAND };
    this.picture.prepend(svg("rect", { class: "cursor", ...place }));
  }
}

/** Shares of one whole: mix({completed: 62, rest: 38}, "62 percent done"). */
export function mix(counts, label) {
  const total = sum(Object.values(counts)) || 1;
  let x = 0;
  const parts = Object.entries(counts).filter(([, n]) => n).map(([name, n]) => {
    const bar = svg("rect", { class: `c-${name}`, x, y: 0, width: (n / total) * 100, height: 6 });
    x += (n / total) * 100;
    return bar;
  });
  const size = { viewBox: "0 0 100 6", preserveAspectRatio: "none", width: "100%", height: 6 };
  return svg("svg", { class: "mix", ...size, role: "img", "aria-label": label }, parts);
}
