// A request as a waterfall: what happened when, from the call to the mail. Spans are those of GET /api/requests/{id}.
//
// An attempt of 80 ms after a pause of 40 s would be too thin to see. So a time in which nobody works is folded where
// it is long beside the work: drawn as wide as the square root of what it lasts. The times that are said are true.

import {
  capital, clockWithSeconds, h, icon, now_ms, number, plural, put, seconds, shortId, state, sum, svg, utc, visible,
} from "./kit.js";

const IDLE = new Set(["wait", "backoff"]);
const WORDS = {
  wait: "Waited for a worker", delay: "Delayed", snooze: "Snoozed", blocked: "Waited for other jobs",
  ended: "Ended, until it was run again",
};
const GLYPHS = { server: "arrow", mail: "mail", webhook: "arrow", wait: "ready", backoff: "delayed", job: "jobs" };
const TONES = { server: "http", webhook: "mail", snoozed: "delayed", released: "cancelled", crashed: "dead" };
const MOST_ROWS = 60;
const DEEPEST = 5;

/** Spans in the order of rows, each with its `depth` and its times in s since the first began: {from, to, isOpen}. */
export function rowsOf(spans, until_ms = now_ms()) {
  const begin_ms = Math.min(...spans.map((span) => Date.parse(span.start)));
  const ids = new Set(spans.map((span) => span.id));
  const under = Map.groupBy(spans, (span) => (ids.has(span.parent) ? span.parent : null));
  const rows = [];
  const walk = (parent, depth) => {
    for (const span of under.get(parent) ?? []) {
      const from = (Date.parse(span.start) - begin_ms) / 1000;
      const to = Math.max(from, ((span.end ? Date.parse(span.end) : until_ms) - begin_ms) / 1000);
      rows.push({ ...span, depth, from, to, isOpen: !span.end });
      walk(span.id, Math.min(DEEPEST, depth + (span.kind !== "server")));
    }
  };
  walk(null, 0);
  return { rows, begin_ms };
}

/** Where each time stands, 0 to 1: {pieces: [{from, to, x, width, isFolded}], at(s)}. */
export function scale(rows) {
  const edges = [...new Set(rows.flatMap(({ from, to }) => [from, to]))].sort((a, b) => a - b);
  const working = rows.filter(({ kind }) => !IDLE.has(kind) && kind !== "job");
  const pieces = edges.slice(1).map((to, at) => {
    const from = edges[at];
    const isWork = working.some((row) => row.from < to && row.to > from);
    return { from, to, isWork, length: to - from };
  });
  const work = sum(pieces.filter((one) => one.isWork).map((one) => one.length)) || 1e-3;
  for (const one of pieces) {
    one.isFolded = !one.isWork && one.length > work * 2;
    one.weight = one.isFolded ? work * Math.sqrt(one.length / work / 8) : one.length;
  }
  // Folded waits together take three fifths of the width at most, so that the work beside them can be seen.
  const folded = pieces.filter((one) => one.isFolded);
  const most = (sum(pieces.filter((one) => !one.isFolded).map((one) => one.weight)) * 1.5) / folded.length;
  for (const one of folded) one.weight = Math.min(one.weight, most || 1);
  const all = sum(pieces.map((one) => one.weight)) || 1;
  let x = 0;
  for (const one of pieces) {
    Object.assign(one, { x: x / all, width: one.weight / all });
    x += one.weight;
  }
  const at = (s) => {
    const one = pieces.find(({ to }) => s <= to) ?? pieces.at(-1);
    return one ? Math.min(1, one.x + (one.width * Math.max(0, s - one.from)) / (one.length || 1)) : 0;
  };
  return { pieces, at };
}

/** The picture. show(spans) draws it anew; rows that were opened stay open. `parts` go into a panel.
 * link(span) is a link to its job, or null. */
export class Waterfall {
  constructor(link) {
    this.link = link;
    this.opened = new Set();
    this.most = MOST_ROWS;
    this.fall = h("div", { class: "fall", role: "group", "aria-label": "Timeline" });
    const words = "Hatched: nobody worked. Long waits are folded; their times are true.";
    this.foot = h("footer", {}, h("span", { class: "hatched" }), words);
    this.parts = [this.fall, this.foot];
  }

  show(spans) {
    this.spans = spans;
    this.foot.hidden = !spans.some(({ kind }) => IDLE.has(kind));
    const { rows: all, begin_ms } = rowsOf(spans);
    // What is not shown has no place on the axis: a request may have thousands of spans.
    const rows = all.slice(0, this.most);
    const { pieces, at } = scale(rows);
    const focused = this.fall.contains(document.activeElement) ? document.activeElement.dataset.span : null;
    const head = [h("div", { class: "corner" }, plural(all.length, "step")), axis(rows, pieces, at, begin_ms)];
    const shown = rows.map((row, index) => this._row(row, index, pieces, at));
    const more = () => {
      this.most += 500;
      this.show(this.spans);
    };
    const rest = all.length - rows.length;
    const last = rest > 0 && h("div", { class: "more" }, h("button", { class: "button tiny", type: "button",
      on: { click: more } }, `${number(rest)} more`));
    head.push(h("div", { class: "corner took axis-end" }));
    put(this.fall, head, shown, last);
    if (focused) this.fall.querySelector(`[data-span="${focused}"]`)?.focus({ preventScroll: true });
  }

  _row(row, index, pieces, at) {
    const { kind, depth, outcome } = row;
    const isIdle = IDLE.has(kind);
    const took = seconds(row.to - row.from);
    const [name, error] = [nameOf(row), row.attributes.error];
    const glyph = kind === "attempt" ? (TONES[outcome] ?? outcome ?? "active") : (GLYPHS[kind] ?? "ready");
    const tone = isIdle ? "faint" : (TONES[outcome] ?? outcome ?? (kind === "attempt" ? "active" : "soft"));
    const rails = Array.from({ length: depth }, () => h("i", { class: "rail" }));
    const spins = kind === "attempt" && row.isOpen ? "spin" : "";
    const shape = h("span", { class: tone }, icon(glyph, spins));
    const label = `${name}, ${outcome ?? ""} ${row.isOpen ? "so far" : ""} ${took}, ${seconds(row.from)} in`;
    const isOpened = this.opened.has(row.id);
    const more = h("div", { class: "more", hidden: !isOpened }, detailsOf(row, this.link(row)));
    const line = h("button", { class: "row", type: "button", "aria-expanded": String(isOpened), "aria-label": label,
      "data-span": row.id, on: { click: () => this._turn(row.id, line, more) } },
      h("span", { class: "name" }, rails, shape, h("span", { class: isIdle ? "soft cut" : "cut" }, visible(name),
        error && [" · ", visible(error.type)])),
      h("span", { class: "track" }, picture(row, index, pieces, at)), h("span", { class: "time" }, took));
    return [line, more];
  }

  _turn(id, line, more) {
    more.hidden = !more.hidden;
    line.setAttribute("aria-expanded", String(!more.hidden));
    if (more.hidden) this.opened.delete(id);
    else this.opened.add(id);
  }
}

function nameOf({ kind, name, job_id, attributes }) {
  if (kind === "job") return `${name} · ${shortId(job_id)}`;
  if (kind === "attempt") return `Attempt ${attributes.attempt ?? ""}`;
  if (kind === "backoff") return "Backoff";
  return kind === "wait" ? (WORDS[name] ?? name) : capital(name);
}

function detailsOf(row, link) {
  const { worker_id, error, ...rest } = row.attributes;
  const facts = [["Began", utc(row.start)], [row.isOpen ? "So far" : "Took", seconds(row.to - row.from)]];
  if (row.outcome) facts.push([row.kind === "job" ? "State" : "Outcome", state(row.outcome)]);
  if (worker_id) facts.push(["Worker", worker_id]);
  if (error) facts.push(["Error", [h("strong", {}, visible(error.type)), " ", visible(error.message ?? "")]]);
  for (const [name, value] of Object.entries(rest)) facts.push([name.replaceAll("_", " "), visible(String(value))]);
  if (link) facts.push(["Job", link]);
  return h("dl", { class: "facts plain" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** Times at the begin, at the end, and where a folded wait begins or ends, as far as their words do not touch. */
function axis(rows, pieces, at, begin_ms) {
  const end = Math.max(...rows.map(({ to }) => to));
  const folds = pieces.filter((one, index) => one.isFolded || pieces[index - 1]?.isFolded).map(({ from }) => from);
  const ticks = [0];
  for (const s of folds) if (at(s) - at(ticks.at(-1)) > 0.12 && at(s) < 0.88) ticks.push(s);
  const marks = [...ticks, end].map((s, index) => {
    const isEnd = index === ticks.length;
    const mark = h("span", { class: isEnd ? "end" : "" }, index ? `+${seconds(s)}` : clockWithSeconds(begin_ms));
    mark.style.left = `${(isEnd ? 1 : at(s)) * 100}%`;
    return mark;
  });
  return h("div", { class: "axis" }, marks);
}

function picture({ kind, outcome, from, to }, index, pieces, at) {
  const shown = svg("svg", { "aria-hidden": "true" });
  const box = (x, y, width, height, more) =>
    svg("rect", { x: `${x}%`, y: `${y}%`, width: `${width}%`, height: `${height}%`, ...more });
  for (const one of pieces) {
    const x = `${one.x * 100}%`;
    if (one.isFolded) shown.append(svg("line", { class: "fold", x1: x, x2: x, y1: 0, y2: "100%" }));
  }
  const x = Math.min(at(from) * 100, 99.6);
  const width = Math.max(at(to) * 100 - x, 0.4);
  if (IDLE.has(kind)) {
    const [id, tone] = [`hatch-${index}`, kind === "wait" ? "" : "delayed"];
    const line = svg("line", { class: `hatch ${tone}`, x1: 0, y1: 0, x2: 0, y2: 6 });
    const size = { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
    shown.append(svg("defs", {}, svg("pattern", size, line)), box(x, 32, width, 36, { rx: 3, fill: `url(#${id})` }),
      box(x, 32, width, 36, { rx: 3, class: `edge ${tone}` }));
  } else {
    const isJob = kind === "job";
    const tone = TONES[outcome ?? kind] ?? outcome ?? (kind === "attempt" ? "active" : kind);
    shown.append(box(x, isJob ? 42 : 25, width, isJob ? 16 : 50, { class: `bar ${tone}`, opacity: isJob ? 0.45 : 1 }));
  }
  return shown;
}
