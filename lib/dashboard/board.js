// The next 24 hours of schedules as a board: a line each, a mark for each run, and a bar where runs are too close for
// marks of their own. Times are the reader's.

import { button, clock, day, h, now_ms, put, setText, svg, utc } from "./kit.js";

const DAY_MS = 86_400_000;
const QUARTER_MS = 900_000;
const ROW = 26;
const AXIS = 24;
const CLOSE = 12; // Marks that are closer than so many pixels are one bar.
const MOST = 12;

/** board.show(rows): rows of {name, href, words, next, runs}; runs: times of GET /api/schedules?day=true. */
export class Board {
  constructor(frame) {
    this.frame = frame;
    this.rows = [];
    this.names = h("ul", { class: "board-names" });
    this.picture = svg("svg", { class: "chart", role: "img" });
    this.all = button("", { kind: "tiny", hidden: true, on: { click: () => this._showAll() } });
    const body = h("div", { class: "board" }, this.names, h("div", {}, this.picture));
    this.element = h("section", { class: "panel", "aria-label": "Next 24 hours", hidden: true },
      h("header", {}, h("h2", {}, "Next 24 hours"), h("div", { class: "acts" }, this.all)), body);
    new ResizeObserver(() => this.draw()).observe(this.picture);
  }

  show(rows) {
    this.rows = rows;
    this.element.hidden = !rows.length;
    this.all.hidden = this.isAll || rows.length <= MOST;
    setText(this.all, `All ${rows.length}`);
    const shown = this._shown();
    const text = JSON.stringify(shown.map(({ name }) => name));
    const link = ({ name, href }) => h("li", {}, this.frame.link(href, { class: "cut", title: name }, name));
    if (text !== this.text) put(this.names, shown.map(link)); // Else a link would lose the focus.
    this.text = text;
    this.draw();
  }

  _showAll() {
    this.isAll = true;
    this.show(this.rows);
    this.names.querySelector("a")?.focus();
  }

  _shown() {
    return this.isAll ? this.rows : this.rows.slice(0, MOST);
  }

  draw() {
    const wide = this.picture.clientWidth;
    if (!wide || !this.rows.length) return;
    const from = now_ms();
    const rows = this._shown();
    const deep = rows.length * ROW;
    const x = (t) => (Math.max(0, t - from) / DAY_MS) * (wide - 8);
    const lines = rows.map((row, at) => line(row, at * ROW + ROW / 2, x, wide, from));
    this.picture.setAttribute("height", deep + AXIS);
    this.picture.setAttribute("aria-label", `The next 24 hours. ${rows.map(sentence).join("; ")}.`);
    const now = svg("line", { class: "now", x1: 1, x2: 1, y1: 0, y2: deep + 2 });
    this.picture.replaceChildren(...axis(from, x, wide, deep), ...lines.flat(), now);
  }
}

function axis(from, x, wide, deep) {
  const step = wide < 360 ? 12 : wide < 700 ? 6 : 3;
  const parts = [svg("text", { x: 0, y: deep + 18 }, "now")];
  const tick = new Date(from);
  tick.setMinutes(0, 0, 0);
  // By the clock's hands, not by hours that pass: on two days of the year they differ.
  tick.setHours(tick.getHours() - (tick.getHours() % step));
  for (;;) {
    tick.setHours(tick.getHours() + step);
    if (tick - from >= DAY_MS) return parts;
    const at = x(tick.getTime());
    const isMidnight = tick.getHours() === 0;
    const words = isMidnight ? day(tick).split(",")[0] : clock(tick);
    parts.push(svg("line", { class: isMidnight ? "base" : "grid", x1: at, x2: at, y1: 0, y2: deep + 2 }));
    if (at < 34 || at > wide - 20) continue;
    parts.push(svg("text", { x: at, y: deep + 18, "text-anchor": "middle" }, svg("title", {}, utc(tick)), words));
  }
}

function line({ name, words, next, runs }, y, x, wide, from) {
  const parts = [svg("line", { class: "grid", x1: 0, x2: wide, y1: y, y2: y })];
  if (!runs.length) {
    const title = svg("title", {}, utc(next));
    return [...parts, svg("text", { x: wide - 2, y: y - 4, "text-anchor": "end" }, title, `${day(next)} →`)];
  }
  for (const group of groups(runs.map((t) => x(Date.parse(t))))) {
    const [first, last] = [runs[group[0]], runs[group.at(-1)]];
    const [left, right] = [x(Date.parse(first)), x(Date.parse(last))];
    // Of a quarter of an hour only the first run is told.
    const end = Math.min(wide - 2, x(Date.parse(last) + QUARTER_MS));
    const isLate = Date.parse(first) < from;
    const title = (text) => svg("title", {}, `${name}: ${isLate ? "due since " : ""}${text}`);
    if (group.length < 3 && right - left < CLOSE) {
      parts.push(svg("circle", { class: isLate ? "c-dead" : "stop", cx: left, cy: y, r: 5 }, title(utc(first))));
    } else {
      const bar = { class: "band", x: left, y: y - 4, width: end - left, height: 8, rx: 4 };
      parts.push(svg("rect", bar, title(`${words}, from ${utc(first)} to ${utc(last)}`)));
    }
  }
  return parts;
}

/** Places that ascend -> lists of the indices of those that are close together. */
function groups(places) {
  const found = [];
  for (const [at, place] of places.entries()) {
    if (at && place - places[at - 1] < CLOSE) found.at(-1).push(at);
    else found.push([at]);
  }
  return found;
}

function sentence({ name, words, next, runs }) {
  if (!runs.length) return `${name}: not before ${day(next)}`;
  return runs.length > 4 ? `${name}: ${words.toLowerCase()}` : `${name}: at ${runs.map(clock).join(", ")}`;
}
