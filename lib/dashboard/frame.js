// What a page gets of the frame around it. The comment at the top of app.js says how a page is added.
//
//    frame.can("write")        whether the key allows it: a button is not made where it does not (read < write < admin)
//    frame.lack("write")       what stands in their place then, once on a page
//    frame.link("#/jobs", {}, "Jobs")    an <a>, or, where no page is there (yet), a <span>
//    frame.repeat(read, …)     read(signal) now, and again when something has changed; not while nobody looks
//                              (returns what has it read at once: after a change)
//    frame.once(read, …)       read(signal) now, and again only while the server or Redis is away
//    frame.watch(read, …)      the same for one job or request, which has a stream of its own
//    frame.follow(path, heard) messages of one job or request, as they come; `open` where it begins anew
//    frame.every(1, tick)      tick() each second; not while nobody looks
//    frame.signal              aborted when the page is left; give it to every request and listener
//    frame.live                live.js: queues as they change
//    frame.title("…")          another title, once it is known
//    frame.go("#/…")           go there
//    frame.keep(form, known)   what is typed into a <form> is kept when the page is left, and there again when it comes
//                              back (returns what it knew then)
//    frame.leave("#/…")        go there, and keep nothing of that; frame.back("#/…") is a button that does so

import { pause } from "./api.js";
import { button, h } from "./kit.js";
import { keepFollowing } from "./live.js";

const RANKS = ["read", "write", "admin"];
const GONE = 404;
const AGAIN_MS = 2000;

/** What was typed in forms and not sent, by the addresses of their pages. It lies in this tab's memory alone, for the
 * caller who has typed it: app.js has it forgotten when another one signs in, or somebody signs out. */
const drafts = new Map();
export const forgetDrafts = () => drafts.clear();

const typedIn = (form) => [...form.elements].filter((one) => one.id && !one.closest("[hidden]"))
  .map(({ id, value }) => [id, value]);

/** In their order, for a field may be made by what stands in one before it. */
function fillIn(form, typed) {
  for (const [id, value] of typed) {
    const one = form.elements[id];
    if (one?.closest("[hidden]")) form.querySelector(".tabs button:last-child").click(); // It was typed as JSON.
    if (!one || one.value === value) continue;
    one.value = value;
    for (const kind of ["input", "change"]) one.dispatchEvent(new Event(kind));
    const fold = one.closest("details");
    if (fold) fold.open = true;
  }
  form.prepend(h("p", { class: "soft", role: "status" }, "What you had typed is here again. Back throws it away."));
}

export class Frame {
  /** controller: aborted when the page is left. caller: as GET /api/caller names it. has(hash): whether such a page is
   * there. */
  constructor(controller, { live, caller, has }) {
    Object.assign(this, { controller, signal: controller.signal, live, caller, has, hash: location.hash });
  }
  can(scope) {
    return RANKS.indexOf(this.caller?.scope) >= RANKS.indexOf(scope);
  }
  lack(scope) {
    return !this.can(scope) && h("span", { class: "small faint" }, `Changes take a key of scope ${scope}.`);
  }
  go(hash) {
    location.hash = hash;
  }
  link(hash, props, ...children) {
    return this.has(hash) ? h("a", { href: hash, ...props }, children) : h("span", { class: props.class }, children);
  }
  keep(form, known) {
    const { hash } = this;
    const draft = { known, ...drafts.get(hash) };
    const fresh = String(typedIn(form));
    this.signal.addEventListener("abort", () => {
      drafts.delete(hash);
      if (this.isDone || String(typedIn(form)) === fresh) return;
      // The fields that only this payload has are made again from its JSON alone.
      if (form.querySelector("[data-other]")) form.querySelector(".tabs button:last-child").click();
      drafts.set(hash, { ...draft, typed: typedIn(form) });
    });
    if (draft.typed) fillIn(form, draft.typed);
    return draft.known;
  }
  leave(hash) {
    this.isDone = true;
    this.go(hash);
  }
  back(href) {
    return button("Back", { href, on: { click: () => this.leave(href) } });
  }
  title(text) {
    document.title = `${text} · Waybill`;
  }

  /** Call does() again and again; not while the tab is hidden, frozen, or Redis is away. */
  every(seconds, does) {
    const isSeen = () => !this.live.isFrozen && !this.live.isAway && !document.hidden;
    const timer = setInterval(() => isSeen() && does(), seconds * 1000);
    this.signal.addEventListener("abort", () => clearInterval(timer));
  }

  /** Call read(signal) now; busy_s after its end, if a digest has come since it began; else calm_s after. Never two at
   * a time, and none while the tab is hidden, frozen, or Redis is away. failed(problem): what to show where the first
   * one fails; later the old numbers stay. Returns what has it read at once, to be called after a change: what is being
   * read just then may be from before it, and is given up. */
  repeat(read, { busy_s, calm_s = busy_s * 6, failed = () => {} }) {
    let over = new AbortController();
    const run = async () => {
      for (let hasRead = false; !this.signal.aborted; ) {
        over = new AbortController();
        const signal = AbortSignal.any([this.signal, over.signal]);
        const seen = this.live.changes;
        try {
          await read(signal);
          hasRead = true;
        } catch (problem) {
          if (!hasRead && !signal.aborted) failed(problem);
        }
        await this._rest(seen, busy_s, calm_s, signal).catch(() => {});
      }
    };
    run();
    return () => over.abort();
  }
  async _rest(seen, busy_s, calm_s, signal) {
    const until_ms = Date.now() + calm_s * 1000;
    await pause(busy_s * 1000, signal);
    while (this.live.changes === seen && Date.now() < until_ms) await pause(250, signal);
    await this.live.ready(signal);
  }

  /** Call read(signal) until it has come once. failed(problem): what to show meanwhile, or for good, for a refusal
   * stays one. */
  async once(read, failed) {
    while (!this.signal.aborted) {
      try {
        return await read(this.signal);
      } catch (problem) {
        if (this.signal.aborted) return;
        if (!problem.sentence) throw problem;
        failed(problem);
        if (problem.status && problem.status !== 503) return;
      }
      await pause(AGAIN_MS, this.signal).then(() => this.live.ready(this.signal)).catch(() => {});
    }
  }

  /** Call read(signal) now, once its stream has begun, after each message, and rest_ms() after the last time;
   * least_ms() lies between two times. stream(): the address of the stream, once something was read; "" for none.
   * failed(problem): what to show where the first one fails, or what was there is gone (404), which ends it. Returns
   * what has it read at once. */
  watch(read, { stream, rest_ms, least_ms, failed }) {
    const over = new AbortController();
    const signal = AbortSignal.any([this.signal, over.signal]);
    let waking = new AbortController();
    const wake = () => waking.abort();
    const run = async () => {
      for (let [hasRead, isFollowed] = [false, false]; !signal.aborted; ) {
        waking = new AbortController(); // Before it is read: a message that comes meanwhile must not be missed.
        try {
          await read(signal);
          if (!isFollowed && stream()) this.follow(stream(), wake, signal);
          hasRead = isFollowed = true;
        } catch (problem) {
          if (signal.aborted) return;
          if (!hasRead || problem.status === GONE) failed(problem);
          if (problem.status === GONE) return over.abort();
        }
        await pause(rest_ms(), AbortSignal.any([signal, waking.signal])).catch(() => {});
        await pause(least_ms(), signal).catch(() => {});
        await this.live.ready(signal).catch(() => {});
      }
    };
    run();
    return wake;
  }

  /** Follow one job or request: heard(message). The stream is let go of while the tab is hidden or frozen. */
  async follow(path, heard, signal = this.signal) {
    while (!signal.aborted) {
      await this.live.ready(signal).catch(() => {});
      const cut = new AbortController();
      const look = () => ["hidden", "frozen"].includes(this.live.name) && cut.abort();
      this.live.addEventListener("state", look, { signal: cut.signal });
      await keepFollowing(path, heard, AbortSignal.any([signal, cut.signal]));
      cut.abort();
    }
  }
}
