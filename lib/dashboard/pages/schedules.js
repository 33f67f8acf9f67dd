// #/schedules?name=…&queue=…&sort=name&cursor=…: the next 24 hours as a board, and the schedules, 50 a page: the one
// that runs next is first, or they stand by name. They are found by a part of the name, for which the server looks.

import { curlOf } from "../actions.js";
import { get } from "../api.js";
import { Board } from "../board.js";
import {
  button, counted, ghosts, h, heads, hollow, icon, number, plural, put, setText, sortHead, tellSort, trouble, when,
} from "../kit.js";
import { sampleOf } from "../schema.js";
import { hashOf, newButton, ZONE } from "./schedule_parts.js";
import { Bulk, Row } from "./schedules_rows.js";

const LIMIT = 50;
const DAY_READ_MS = 600_000; // To work out a day of many schedules is work for the server.
const EXAMPLE = { cron: "0 3 * * *", timezone: ZONE, job: { type: "email", payload: sampleOf("email") } };
/** An order -> the head of its column. The order is what somebody wrote into an address. */
const SORTS = { __proto__: null, name: "Name", next: "Next" };
const ORDERS = { __proto__: null, name: "by name", next: "the next to run first" };

export function page(frame, { query }) {
  const all = new Schedules(frame, query);
  const { bulk } = all;
  const canAct = () => bulk.can && (bulk.chosen.size || bulk.at());
  const keys = {
    f: ["find a schedule", () => all.find.focus()],
    ...bulk.keys,
    r: ["run the schedule now, or those that are chosen", () => bulk.press("run"), canAct],
    p: ["pause or resume the schedule, or those that are chosen", () => bulk.press("pause"), canAct],
    "[": ["next page", () => frame.go(all.nextHash), () => all.nextHash],
  };
  return { title: "Schedules", element: all.element, keys };
}

class Schedules {
  constructor(frame, query) {
    Object.assign(this, { frame, query: new URLSearchParams(query), rows: new Map(), names: [] });
    Object.assign(this, { days: new Map(), day_ms: 0 }); // Name -> {version, runs}, and when that was begun anew.
    this.note = h("span", { role: "status" }, "Looking…");
    this.next = h("span", {});
    this.wrong = h("p", { class: "dead" });
    this.told = h("p", { class: "soft", role: "status" });
    this.board = new Board(frame);
    this.bulk = new Bulk(frame, this.rows, this.told, () => this.readAnew(false));
    this.find = h("input", { type: "search", placeholder: "Part of a name", maxlength: 100, spellcheck: "false",
      autocomplete: "off", value: query.get("name") ?? "", on: { input: () => this._typed() } });
    const label = h("label", { class: "find short" }, icon("search"), h("span", { class: "unseen" }, "Find a schedule"),
      this.find);
    const title = h("div", {}, h("h1", {}, "Schedules"), h("p", { class: "soft" }, this.note, this.next),
      this.wrong, this.told);
    const head = h("div", { class: "head" }, title, frame.can("write") && h("div", { class: "acts" }, newButton()));
    this.count = h("span", { class: "faint small num" });
    this.body = h("tbody", {});
    const queue = query.get("queue");
    const sorter = (order) => sortHead(SORTS[order], "", () => this._sortBy(order));
    const pick = this.bulk.can ? [[this.bulk.all, "pick"]] : [];
    const columns = [...pick, sorter("name"), ["Runs"], sorter("next"), ["Last ten", "last"], ["On", "n"]];
    this.table = h("table", { class: "cards rows schedules", hidden: true }, heads(columns), this.body);
    this.place = ghosts(6);
    this.foot = h("footer", { hidden: true });
    this.element = h("div", { class: "stack" }, head, this.board.element,
      h("section", { class: "panel", "aria-label": "All schedules" },
        h("header", {}, h("h2", {}, queue ? `Of the queue ${queue}` : "All"), this.count, label),
        this.place, this.table, this.bulk.element, this.foot));
    frame.every(60, () => this.board.draw());
    const failed = (problem) => this._fail(problem);
    frame.repeat((signal) => this._read(signal), { busy_s: 10, calm_s: 30, failed });
  }

  get order() {
    return this.isOld ? "name" : (this.query.get("sort") ?? "next");
  }

  /** Read the page. isAsked: rows may move though somebody is at them. */
  async _read(signal, isAsked = false) {
    const mine = (this.reading = Symbol("the newest read"));
    let found = await this._ask(Date.now() - this.day_ms > DAY_READ_MS, signal);
    const hasDay = ({ name, version, next_run_at: next }) => !next || this.days.get(name)?.version === version;
    if (!found.items.every(hasDay)) found = await this._ask(true, signal);
    if (this.reading === mine) this._show(found, isAsked);
  }

  /** The page of the API. isDayWanted: with the days of its schedules, which are kept. */
  async _ask(isDayWanted, signal) {
    const query = new URLSearchParams(this.query);
    const { order } = this;
    query.set("limit", LIMIT);
    query.set("sort", order);
    if (order === "name") query.delete("sort");
    if (isDayWanted) query.set("day", "true");
    try {
      const found = await get(`api/schedules?${query}`, { signal });
      if (isDayWanted) this._keepDays(found);
      return found;
    } catch (problem) {
      const isUnknown = order === "next" && problem.errors?.some(({ pointer }) => pointer === "?sort");
      if (!isUnknown) throw problem;
      this.isOld = true; // A server of an older version lists by name alone.
      return this._ask(isDayWanted, signal);
    }
  }

  _keepDays({ items, day }) {
    if (Date.now() - this.day_ms > DAY_READ_MS) {
      this.days.clear();
      this.day_ms = Date.now();
    }
    const runs = new Map(day.map((one) => [one.schedule, one.runs]));
    for (const { name, version } of items) this.days.set(name, { version, runs: runs.get(name) ?? [] });
  }

  _show({ items, total, next_cursor: next, warnings }, isAsked) {
    const isAt = [this.table, this.board.element].some((one) => one.matches(":hover, :focus-within"));
    const isStill = (isAt || this.bulk.chosen.size > 0) && !isAsked && this.names.length > 0;
    const found = items.map(({ name }) => name);
    const names = isStill ? this._still(found, next !== null || this.query.has("cursor")) : found;
    for (const one of items) if (names.includes(one.name)) this._row(one.name).show(one);
    this._place(names);
    const shown = this.names.map((name) => this.rows.get(name).schedule);
    this.table.hidden = !shown.length;
    put(this.place, !shown.length && this._nothing());
    const coming = shown.filter((one) => one.next_run_at);
    const onBoard = ({ name, words, next_run_at: next }) => {
      const runs = (this.days.get(name)?.runs ?? []).filter((t) => t >= next); // The day was read a while ago.
      return { name, href: hashOf(name), words, next, runs };
    };
    this.board.show(coming.map(onBoard));
    this._tell(shown, total, next, warnings);
  }

  /** These names, with each that is shown in its place: in the order of the next runs a row moves whenever it has run,
   * and none does so under who is at one. isPart: there are other pages, where one that has run may be by now. */
  _still(found, isPart) {
    if (isPart) return this.names;
    return [...this.names.filter((one) => found.includes(one)), ...found.filter((one) => !this.names.includes(one))];
  }

  /** Put the rows of these names, in this order, into the table. */
  _place(names) {
    const at = this.body.contains(document.activeElement) && document.activeElement;
    if (this.names.join() !== names.join()) put(this.body, names.map((name) => this.rows.get(name).element));
    if (at) at.focus({ preventScroll: true });
    for (const name of [...this.rows.keys()].filter((one) => !names.includes(one))) this.rows.delete(name);
    this.bulk.keep(new Set(names));
    this.names = names;
  }

  _row(name) {
    if (!this.rows.has(name)) this.rows.set(name, new Row(this, name));
    return this.rows.get(name);
  }

  _tell(shown, total, next, warnings) {
    const { order } = this;
    tellSort(this.table.querySelectorAll("th"), SORTS[order], 1);
    const isWhole = total === shown.length && total > 0 && !this.isPart;
    const paused = shown.filter((one) => one.paused).length;
    const are = (n) => (n ? counted(n, "is", "are") : "None is");
    const resting = paused ? `, ${are(paused).toLowerCase()} paused` : "";
    const part = this.query.get("name");
    const all = `${plural(total, "schedule")}${part ? ` with ${part} in the name` : ""}, ${ORDERS[order]}`;
    const said = isWhole ? `${are(shown.length - paused)} on${resting}` : all;
    setText(this.note, `${said}. Times are yours (${ZONE}).`);
    const isFirst = order === "next" && !this.query.has("cursor");
    const soonest = (isWhole || isFirst) && shown.filter((one) => one.next_run_at)
      .sort((a, b) => a.next_run_at.localeCompare(b.next_run_at))[0];
    put(this.next, soonest && [" Next: ", soonest.name, " ", when(soonest.next_run_at), "."]);
    const text = warnings.join(" ");
    if (this.wrong.textContent !== text) put(this.wrong, text);
    setText(this.count, number(total));
    this.nextHash = next && this._hash(next);
    if (this.foot.contains(document.activeElement)) return;
    this.foot.hidden = !next && !this.query.has("cursor");
    const first = this.query.has("cursor") && button("First", { kind: "tiny", href: this._hash() });
    put(this.foot, h("span", { class: "num" }, `${number(shown.length)} of ${number(total)} shown`), first,
      next && button("Next page", { kind: "tiny", href: this.nextHash }));
  }

  /** The address of this list at another page. */
  _hash(cursor) {
    const query = new URLSearchParams(this.query);
    query.delete("cursor");
    if (cursor) query.set("cursor", cursor);
    return `#/schedules${query.size ? `?${query}` : ""}`;
  }

  _typed() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => {
      if (this.frame.signal.aborted) return;
      const part = this.find.value.trim().toLowerCase().replace(/[^a-z0-9._-]/g, "");
      this.query.delete("cursor");
      if (part) this.query.set("name", part);
      else this.query.delete("name");
      // The address says what is shown; a new entry of the history for each letter would be in the way.
      history.replaceState(null, "", this._hash());
      this.readAnew(true);
    }, 250);
  }

  _sortBy(order) {
    this.query.delete("cursor");
    if (order === "next") this.query.delete("sort");
    else this.query.set("sort", order);
    history.replaceState(null, "", this._hash());
    this.readAnew(true);
  }

  readAnew(isAsked) {
    this._read(this.frame.signal, isAsked).catch((problem) => this.frame.signal.aborted || this._fail(problem));
  }

  /** Whether the address asks for some of the schedules. */
  get isPart() {
    return [...this.query.keys()].some((name) => name !== "sort");
  }

  _nothing() {
    if (this.isPart) {
      return hollow("search", "No schedule is so named", "Names are a-z, 0-9, dot, _ and -.",
        button("All schedules", { kind: "tiny", href: "#/schedules" }));
    }
    const curl = curlOf(this.frame, "PUT", "api/schedules/nightly", JSON.stringify(EXAMPLE));
    const text = "A schedule has a job queued again and again: each night at three, say, or every five minutes.";
    return hollow("clock", "No schedule so far", text, this.frame.can("write") && newButton("Make the first one"),
      h("pre", { tabindex: "0", "aria-label": "The first schedule as curl" }, curl));
  }

  _fail(problem) {
    setText(this.note, "");
    put(this.next);
    put(this.place, trouble(problem));
    this.table.hidden = true;
  }
}
