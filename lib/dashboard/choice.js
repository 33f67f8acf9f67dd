// Rows of a list that are chosen, by their boxes or by keys, and the bar that is there while some are. What may be done
// to them, a class below this one says: its acts() gives the buttons of the bar.
//
//    class Bulk extends Choice { acts() { return [this.tiny("Retry…", () => …)] } }
//    const bulk = new Bulk(frame, rows, "jobs");     rows: Map id -> {element, box}; the element is a <tr data-id=…>
//    row.box = bulk.boxOf(id)                        in a cell `pick`; bulk.all in the head; bulk.element below

import { button, h, put } from "./kit.js";

export class Choice {
  constructor(frame, rows, what) {
    Object.assign(this, { frame, rows, chosen: new Set(), can: frame.can("write") });
    this.element = h("div", { class: "bulk", role: "toolbar", "aria-label": `With the chosen ${what}`, hidden: true });
    this.all = h("input", { type: "checkbox", class: "box", "aria-label": "Choose all that are shown" });
    this.all.addEventListener("change", () => this.whole(this.all.checked));
  }

  boxOf(id) {
    const box = h("input", { type: "checkbox", class: "box", "aria-label": `Choose ${id}` });
    box.addEventListener("click", ({ shiftKey }) =>
      shiftKey && box.checked ? this.reach(id) : this.choose(id, box.checked, true));
    return box;
  }

  /** The keys of a page that has such a list. */
  get keys() {
    return {
      x: ["choose the row", () => this.turn(), () => this.can],
      X: ["choose all rows up to this one", () => this.reach(), () => this.can],
    };
  }

  /** isAnchor: a range that is chosen next begins at this row. */
  choose(id, isChosen, isAnchor = false) {
    if (isAnchor) this.anchor = id;
    if (isChosen) this.chosen.add(id);
    else this.chosen.delete(id);
    this.rows.get(id).box.checked = isChosen;
    this.show();
  }
  /** The row at which the reader is. */
  turn() {
    const id = this.at();
    if (id) this.choose(id, !this.chosen.has(id), true);
  }
  /** All rows from the anchor to this one. */
  reach(id = this.at()) {
    if (!id) return;
    const ids = [...this.rows.get(id).element.parentNode.children].map((row) => row.dataset.id);
    const [from, to] = [ids.indexOf(this.anchor), ids.indexOf(id)].sort((a, b) => a - b);
    if (from < 0) return this.choose(id, true, true);
    ids.slice(from, to + 1).forEach((one) => this.choose(one, true));
  }
  at() {
    return [...this.rows].find(([, row]) => row.element.matches(".at, :focus-within"))?.[0];
  }
  keep(ids) {
    for (const id of this.chosen) if (!ids.has(id)) this.chosen.delete(id);
    this.show();
  }
  whole(isChosen) {
    [...this.rows.keys()].forEach((id) => this.choose(id, isChosen));
  }

  show() {
    const count = this.chosen.size;
    this.element.hidden = !count;
    this.all.checked = count > 0 && count === this.rows.size;
    this.all.indeterminate = count > 0 && count < this.rows.size;
    const acts = this.acts();
    const text = [count, this.rows.size, ...acts.map((one) => one.textContent)].join();
    if (text === this.text) return; // A button that has the focus, or is pressed just now, stays.
    this.text = text;
    const told = h("strong", { class: "num", role: "status" }, `${count} chosen`);
    const all = count < this.rows.size && this.tiny(`All ${this.rows.size} shown`, () => this.whole(true));
    put(this.element, told, h("span", { class: "gap" }), acts, all, this.tiny("None", () => this.whole(false)));
  }
  tiny(label, click, name) {
    return button(label, { kind: "tiny", "data-act": name, on: { click } });
  }
}
