// The picture of a workflow: a list of links, one for each node, which lie on the edges that are drawn below them. On a
// narrow screen, and for who hears the page, it is the list alone, indented by layers.

import { mix } from "../charts.js";
import { MOST_NODES, nodesOf, placed, SIZE } from "../graph.js";
import { h, icon, likeOf, now_ms, number, pageOf, put, seconds, setText, sum, svg, visible } from "../kit.js";

/** States of a workflow's jobs, the one first that a group of jobs has if one of them has it. */
export const STATES = [
  "dead", "active", "ready", "delayed", "blocked", "completed", "cancelled", "skipped", "gone",
];
export const OPEN = ["active", "ready", "delayed", "blocked"];
const RULES = { failed: "on failure", ended: "any end" };
const MOST_NAMED = 4;
/** Kinds of edges, the one first that an edge for several pairs has if one of them is of it. */
const KINDS = ["broken", "open", "met", "off"];

/** What became of an edge: broken, if for it the job behind is cancelled; off, if that job is not needed. */
function kindOf({ on, outcome }) {
  if (outcome === null) return "open";
  if (outcome === "gone") return "broken";
  if (on === "ended") return "met";
  if (outcome === "skipped") return "off";
  if (on === "failed") return outcome === "completed" ? "off" : "met";
  return outcome === "completed" ? "met" : "broken";
}

/** How many jobs are in which state. */
export const countsOf = (jobs) =>
  Object.fromEntries(STATES.map((name) => [name, sum(jobs.map((one) => Number(one.state === name)))]));

/** "400 completed, 12 ready" */
const countsText = (counts) =>
  STATES.filter((name) => counts[name]).map((name) => `${number(counts[name])} ${name}`).join(", ");

/** What there is to say of a job beside its state: how long it took, or when it goes on. */
export function timeOf({ state, run_at, started_at, finished_at, after }) {
  const apart = (from, to_ms) => seconds(Math.max(0, to_ms - Date.parse(from)) / 1000);
  if (state === "active" && started_at) return `for ${apart(started_at, now_ms())}`;
  if (state === "delayed" && run_at) return `in ${seconds(Math.max(0, Date.parse(run_at) - now_ms()) / 1000)}`;
  if (state === "blocked" && started_at) return "waits for a call";
  const left = after.filter(({ outcome }) => outcome === null).length;
  if (state === "blocked") return left ? `waits for ${number(left)}` : "";
  return started_at && finished_at ? apart(started_at, Date.parse(finished_at)) : "";
}

/** "after fetch and b (either way)", for who hears it and for the table; "" for a job that waits for none. */
export function afterText({ after }) {
  if (!after.length) return "";
  const one = ({ name, job, on }) => (name ?? job) + (RULES[on] ? ` (${RULES[on]})` : "");
  const named = after.slice(0, MOST_NAMED).map(one);
  const more = after.length > MOST_NAMED ? ` and ${number(after.length - MOST_NAMED)} more` : "";
  return named.join(", ") + more;
}

/** choose(ids, title): the jobs of a group are to be listed. */
export class Graph {
  constructor(frame, choose) {
    Object.assign(this, { frame, choose, shape: "" });
    this.picture = svg("svg", { "aria-hidden": "true" });
    this.list = h("ol", {});
    this.canvas = h("div", { class: "canvas" }, this.picture, this.list);
    this.element = h("div", { class: "flow scroll", role: "group", "aria-label": "Graph", tabindex: "0" }, this.canvas);
    this.foot = h("footer", {});
  }

  /** jobs: Map id -> job. Nodes change in place, unless jobs were added. */
  show(jobs) {
    this.jobs = jobs;
    const shape = JSON.stringify([...jobs.values()].map(({ id, type, after }) => [id, type, after.length]));
    if (shape !== this.shape) this._draw([...jobs.values()]);
    this.shape = shape;
    for (const node of this.nodes) node.show(node.ids.map((id) => jobs.get(id)));
    const shown = this.edges.map((edge) => edge.show(jobs));
    this._explain(new Set(shown));
  }

  /** Times go on. */
  tick() {
    for (const node of this.nodes ?? []) node.tick();
  }

  _draw(jobs) {
    this.graph = nodesOf(jobs);
    const { nodes, edges } = this.graph;
    const { width, height, at, ways } = placed(nodes, edges, SIZE);
    this.isGrouped = nodes.length < jobs.length;
    const inOrder = nodes.toSorted((a, b) => a.layer - b.layer || at.get(a.key).y - at.get(b.key).y);
    this.nodes = inOrder.map((node) => new Node(this.frame, node, at.get(node.key), this.choose));
    this.edges = edges.map(({ pairs }, index) => new Edge(pairs, ways[index]));
    put(this.list, this.nodes.map(({ element }) => element));
    this.picture.setAttribute("width", width);
    this.picture.setAttribute("height", height);
    put(this.picture, this.edges.map(({ element }) => element));
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
  }

  /** Bring the first job that has not ended into sight. */
  reveal() {
    const first = this.nodes.find(({ ids }) => ids.some((id) => OPEN.includes(this.jobs.get(id).state)));
    if (first && first.left > this.element.clientWidth / 2) this.element.scrollLeft = first.left - 2 * SIZE.apart;
  }

  _explain(kinds) {
    const all = [...this.jobs.values()];
    const parts = [
      kinds.has("broken") && "× stopped what comes behind.",
      all.some(({ optional }) => optional) && "A dashed frame: the whole may complete without it.",
      kinds.has("off") && "A dotted line: what comes behind was not needed.",
      this.isGrouped && `Of more than ${MOST_NODES} jobs, those that are alike are one node.`,
      all.some(({ type }) => type === null) && "Where a record is gone, it is not known what the job waited for.",
    ].filter(Boolean);
    setText(this.foot, parts.join(" "));
    this.foot.hidden = !parts.length;
  }
}

class Node {
  constructor(frame, { ids, layer }, { x, y }, choose) {
    Object.assign(this, { ids, left: x });
    this.name = h("span", { class: "first" });
    this.how = h("span", { class: "how" });
    this.time = h("span", { class: "cut" });
    this.more = h("span", { class: "unseen" });
    this.bar = h("span", {});
    const inside = [this.name, h("span", { class: "second" }, this.how, this.time), this.more, this.bar];
    const list = () => choose(this.ids, this.title);
    this.link = ids.length > 1 ? h("button", { type: "button", class: "node many", on: { click: list } }, inside)
      : h("a", { class: "node" }, inside);
    this.element = h("li", {}, this.link);
    Object.assign(this.element.style, { left: `${x}px`, top: `${y}px` });
    this.element.style.setProperty("--deep", layer);
  }

  show(jobs) {
    this.jobs = jobs;
    const text = JSON.stringify(jobs);
    if (text !== this.text) this._tell(jobs);
    this.text = text;
    this.tick();
  }

  _tell(jobs) {
    const [{ type, name, optional }] = jobs;
    const counts = countsOf(jobs);
    const state = STATES.find((one) => counts[one]);
    const isOne = jobs.length === 1;
    const types = new Set(jobs.map((one) => one.type));
    const many = types.size === 1 ? (type ?? "unknown") : `job of ${types.size} types`;
    this.title = isOne ? name : `${number(jobs.length)} × ${many}`;
    const kind = isOne && type !== name && h("span", { class: "faint cut" }, visible(type ?? "record gone"));
    put(this.name, h("strong", { class: "cut" }, h("bdi", {}, visible(this.title))), kind);
    const like = likeOf(state);
    const isNested = type === "workflow" && isOne;
    put(this.how, h("span", { class: `state ${like}` }, icon(like, like === "active" ? "spin" : ""), isOne && state),
      isNested && icon("workflows"));
    const after = afterText(jobs[0]);
    setText(this.more, isOne ? [optional && ", optional", after && `, after ${after}`].filter(Boolean).join("") : "");
    this.link.className = `node ${isOne ? "" : "many"} is-${state} ${optional ? "optional" : ""}`;
    this.link.title = isOne && type !== name ? `${name} · ${type ?? "record gone"}` : this.title;
    if (isOne) this.link.setAttribute("href", pageOf(jobs[0]));
    else put(this.bar, mix({ completed: counts.completed, dead: counts.dead,
      rest: jobs.length - counts.completed - counts.dead }, countsText(counts)));
    if (!isOne) setText(this.time, countsText(counts));
  }

  tick() {
    if (this.jobs.length > 1) return;
    const [job] = this.jobs;
    setText(this.time, [timeOf(job), job.optional && "optional"].filter(Boolean).join(" · "));
  }
}

class Edge {
  constructor(pairs, way) {
    this.pairs = pairs;
    const [from, to] = way.slice(-2);
    const middle = { x: (from[0] + to[0]) / 2, y: (from[1] + to[1]) / 2 };
    this.line = svg("path", { class: "edge", d: pathOf(way) });
    this.tip = svg("path", { class: "tip", d: `M${to[0] - 6} ${to[1] - 3.5}l6 3.5l-6 3.5` });
    this.cross = svg("path", { class: "cross", d: `M${middle.x - 4} ${middle.y - 4}l8 8m0-8l-8 8` });
    this.word = svg("text", { x: middle.x, y: middle.y - 4, "text-anchor": "middle" });
    this.element = svg("g", {}, this.line, this.tip, this.cross, this.word);
  }

  /** Returns the edge's kind. */
  show(jobs) {
    const all = this.pairs.map(([id, at]) => jobs.get(id).after[at]);
    const kinds = new Set(all.map(kindOf));
    const kind = KINDS.find((one) => kinds.has(one));
    const rules = new Set(all.map(({ on }) => on));
    this.element.setAttribute("class", kind);
    setText(this.word, rules.size === 1 ? (RULES[all[0].on] ?? "") : "");
    return kind;
  }
}

/** A line through all points that leaves and enters each node level. */
function pathOf([[x, y], ...rest]) {
  let d = `M${x} ${y}`;
  let last = [x, y];
  for (const [toX, toY] of rest) {
    const middle = (last[0] + toX) / 2;
    d += toY === last[1] ? `H${toX}` : `C${middle} ${last[1]} ${middle} ${toY} ${toX} ${toY}`;
    last = [toX, toY];
  }
  return d;
}
