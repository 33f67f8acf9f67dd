// What changes a job: each is a dialog that says in words what will happen, has the same as curl, and one button.

import { call } from "./api.js";
import { button, copier, escaped, h, hearHalf, put, quoted, setText, showDialog, visible } from "./kit.js";

/** A request as curl; $KEY stands for the key, which is not shown. path: "api/jobs", below the page. body: as text.
 * headers: more fields of it. */
export function curlOf(frame, method, path, body, headers = {}) {
  const way = method === (body === undefined ? "GET" : "POST") ? "" : `-X ${method} `;
  const lines = [`curl -i ${way}${quoted(new URL(path, document.baseURI).href)}`];
  if (frame.caller.asks_for_key) lines.push(`-H "Authorization: Bearer $KEY"`);
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== undefined) lines.push("-H 'Content-Type: application/json'", `-d ${quoted(escaped(body))}`);
  return lines.join(" \\\n  ");
}

/** The same request for each of several names, as a loop of a shell. path(name): the one of each. */
export function curlOfEach(frame, method, names, path, body) {
  const of = (name) => curlOf(frame, method, path(name), body);
  if (names.length < 2) return names.map(of).join("");
  return `for name in ${names.join(" ")}; do\n${of("$name").replace("$name", () => "'$name'")}\ndone`;
}

/** A curl with a button that copies it: [the head, the element that shows it]. */
export function curlBox(text) {
  const shown = h("pre", { class: "curl", tabindex: "0", "aria-label": "The same as curl" }, text);
  const title = h("h2", {}, "The same as curl");
  const head = h("div", { class: "curl-bar" }, title, h("span", { class: "gap" }), copier(shown));
  return [head, shown];
}

/** Show a curl alone. */
export function showCurl(title, text, note) {
  const close = button("Close", { on: { click: () => dialog.close() } });
  const dialog = showDialog(title, h("h2", {}, title), note && h("p", { class: "soft" }, note), curlBox(text),
    h("div", { class: "acts" }, close));
}

/** A dialog of one act: what will happen, the same as curl, and one button that says what it does.
 * `act`, to be set, does it and returns what has happened, a sentence or an element; nothing: the dialog closes. `mark`
 * may be set: it shows faults at the fields of the content, and returns those that have none there. */
export class Ask {
  constructor(frame, { title, label = "…", kind = "main", curl = "" }, ...content) {
    this.controller = new AbortController();
    this.mark = (faults) => faults;
    this.signal = this.controller.signal;
    const [head, shown] = curlBox(curl);
    this.curl = shown;
    this.told = h("div", { role: "status" });
    this.shut = button("Back", { on: { click: () => this.dialog.close() } });
    this.does = button(label, { kind, type: "submit", disabled: !curl });
    const form = h("form", { class: "form", on: { submit: (event) => this._submit(event) } }, content,
      head, shown, this.told, h("div", { class: "acts" }, this.shut, this.does));
    this.dialog = showDialog(title, h("h2", {}, title), form);
    this.dialog.addEventListener("close", () => this.controller.abort());
    frame.signal.addEventListener("abort", () => this.dialog.close(), { signal: this.signal });
  }

  async _submit(event) {
    event.preventDefault();
    this.does.disabled = true;
    await this.try(async () => {
      const said = await this.act();
      if (said === undefined) return this.dialog.close();
      this.told.replaceChildren(said);
      this.does.hidden = true;
      setText(this.shut, "Close");
      this.shut.focus();
    });
    this.does.disabled = false;
  }

  /** Do it; a problem is told, with the fields that it names. */
  async try(what) {
    try {
      await what();
    } catch (problem) {
      if (this.signal.aborted || problem.name === "AbortError") return;
      if (!problem.sentence) throw problem;
      this.told.replaceChildren(...problemBox(problem, this.mark(problem.errors)));
    }
  }
}

/** A field with its label: {row, input, say(hint), fault(texts), isWrong}. rest: a hint as text, or elements. */
export function field(id, label, input, ...rest) {
  const hint = h("p", { class: "hint", id: `${id}-hint` });
  const wrong = h("p", { class: "dead small", id: `${id}-wrong` });
  input.id = id;
  input.setAttribute("aria-describedby", `${hint.id} ${wrong.id}`);
  const one = {
    input,
    row: h("div", { class: "field" }, h("label", { for: input.id }, label), input, wrong, hint,
      rest.filter((part) => typeof part !== "string")),
    isWrong: false,
    say: (text) => setText(hint, text),
    /** What is wrong with it; an empty list: nothing. */
    fault(texts) {
      one.isWrong = texts.length > 0;
      put(wrong, texts.map((text) => h("span", { class: "block" }, visible(text))));
      if (one.isWrong) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
  };
  hearHalf(input, () => one.fault([]));
  const text = rest.find((part) => typeof part === "string");
  if (text !== undefined) one.say(text);
  return one;
}

/** A problem in words, with the faults that it names. */
export function problemBox({ sentence, errors }, faults = errors) {
  const rows = faults.map(({ pointer, detail }) => h("li", {}, h("code", {}, visible(pointer)), " ", visible(detail)));
  const list = rows.length ? [h("ul", { class: "small soft" }, rows)] : [];
  // The API's "see errors" means what stands here at the fields.
  return [h("p", { class: "dead", role: "alert" }, visible(sentence.replace("; see errors.", "."))), ...list];
}

/** Ask before a request is sent. words: what will happen, texts or elements. done(answer) is called after it. What
 * was sent is not called back when the dialog is closed meanwhile: the page is told all the same. */
export function ask(frame, { title, words, label, kind, method = "POST", path, body, done }) {
  const about = { title, label, kind, curl: curlOf(frame, method, path, body) };
  const dialog = new Ask(frame, about, h("div", { class: "soft" }, words));
  dialog.act = async () => done(await call(method, path, { body, signal: frame.signal }));
  dialog.does.focus();
}

const ENDED = ["completed", "dead", "cancelled"];
export const hasEnded = (job) => ENDED.includes(job.state);

const RETRY = "Its attempts begin at 0 again; its history is kept, its result and its error are not.";
const CANCEL = {
  active: "It runs: its handler is asked to stop. Once that has ended, the job is cancelled, or " +
    "completed if its work was done by then.",
  other: "It does not run any more. Jobs that wait for it are told.",
};

const WAITS = ["ready", "delayed", "blocked"];
export const mayChange = (job) => WAITS.includes(job.state);

/** The link to where a job is changed while it waits, or to a new one like it; null for what no request makes. */
export function editOf(job) {
  if (!job.type || job.type === "workflow") return null;
  const isNew = !mayChange(job);
  const [word, href] = isNew ? ["Edit as new", `#/jobs/new?like=${job.id}`] : ["Edit", `#/jobs/${job.id}/edit`];
  return { word, href, glyph: "edit", "data-act": "edit" };
}

/** What may be done to a job as it is: [{name, label, glyph, …}] of `ask`. */
export function actionsOf(job) {
  const path = `api/jobs/${job.id}`;
  if (!hasEnded(job)) {
    const isAsked = job.state === "active" && job.cancel_requested_at;
    const force = "It was asked to stop, and still runs. It is ended within some seconds, wherever its handler is.";
    const words = isAsked ? force : (CANCEL[job.state] ?? CANCEL.other);
    const label = isAsked ? "End the job now" : "Cancel the job";
    const way = { path: `${path}/cancel${isAsked ? "?force=true" : ""}`, words, title: `${label}?`, label };
    const now = { name: "now", word: "Run now", glyph: "play", method: "PATCH", path, body: '{"run_at":null}',
      words: "It does not wait for its time any more.", title: "Run the job now?", label: "Run it now" };
    const cancel = { name: "cancel", word: isAsked ? "End now" : "Cancel", glyph: "cancelled", ...way };
    return job.state === "delayed" ? [now, cancel] : [cancel];
  }
  const isAgain = job.state === "completed" ? "It has completed before, and does its work a second time. " : "";
  const words = `The job becomes ready in ${job.queue}. ${isAgain}${RETRY}`;
  const gone = "Its record, history and log are gone for good. No job that was queued by it is touched.";
  return [
    { name: "retry", word: "Run again", glyph: "retried", path: `${path}/retry`, words, title: "Run the job again?",
      label: "Run it again" },
    { name: "delete", word: "Delete", glyph: "trash", kind: "danger", method: "DELETE", path, words: gone,
      title: "Delete the job?", label: "Delete the job" },
  ];
}
