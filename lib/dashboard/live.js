// What goes on, as it happens: one stream of digests for the tab that is seen, and polling where there is no stream.
//
//   live.queues              Map of the queues by name, as GET /api/queues shows one
//   live.changes             grows with each message that changed something
//   live.addEventListener("queues" | "state" | "upgraded", …)
//   live.state               {word: "Live", kind: "good", since_ms, tries_at_ms}
//
// EventSource can't send a key: so fetch, and a parser. A browser opens six connections to a host, and a stream holds
// one: a tab that is hidden lets go of it, and windows that are seen side by side hold four in all, or a seventh page
// could not even load. Who gets no stream, by that or because the server has 100 readers already, reads all queues
// every 5 s, counted from the last answer. While Redis or the server is away /readyz is asked until it is back.

import { get, news, pause, Problem, problemOf, send } from "./api.js";

const SILENT_MS = 40_000; // A heartbeat comes every 15 s.
const BEGIN_MS = 10_000; // A proxy that holds streams back holds back their beginning too.
const POLL_MS = 5000;
const POLLS_BEFORE_STREAM = 12;
const PAUSES_MS = [1000, 2000, 4000, 5000];
const MOST_STREAMS = 4;
const NO_STREAM = { type: "no-stream", title: "No stream", detail: "None comes through, or other windows hold all" };

/** Do work, which reads a stream, if this browser has fewer than MOST_STREAMS. HTTP/2 carries any number over one
 * connection; on plain http of another host a browser has no locks, and there windows are not counted. */
async function withStream(work) {
  const [{ nextHopProtocol }] = performance.getEntriesByType("navigation");
  if (!navigator.locks || /^h[23]/.test(nextHopProtocol)) return work();
  for (let n = 0; n < MOST_STREAMS; n += 1) {
    const whole = (lock) => lock && work().then(() => true);
    if (await navigator.locks.request(`waybill-stream-${n}`, { ifAvailable: true }, whole)) return;
  }
  throw new Problem(503, NO_STREAM, "");
}

/** A parser of Server-Sent Events: feed(text) calls heard({event, id, data}) for each message, and commented(text) for
 * each comment. https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
class EventParser {
  constructor(heard, commented = () => {}) {
    Object.assign(this, { heard, commented, id: "", retry_ms: 2000 });
    this.begin();
  }
  /** A new connection begins. Of a message that broke off nothing is kept, nor its id: the message comes again. */
  begin() {
    Object.assign(this, { rest: "", event: "", data: [], idToBe: this.id });
  }
  feed(text) {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop();
    for (const line of lines) this._line(line);
  }
  _line(line) {
    if (line === "") return this._end();
    if (line.startsWith(":")) return this.commented(line.slice(1).trim());
    const [, field, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
    if (field === "data") this.data.push(value ?? "");
    else if (field === "event") this.event = value;
    else if (field === "id" && !value?.includes("\0")) this.idToBe = value ?? "";
    else if (field === "retry" && /^\d+$/.test(value)) this.retry_ms = Number(value);
  }
  _end() {
    this.id = this.idToBe;
    if (this.data.length) this.heard({ event: this.event || "message", id: this.id, data: this.data.join("\n") });
    this.data = [];
    this.event = "";
  }
}

/** Read one stream to its end. parser is fed; what it knows of the last id is sent, so that nothing is missed. begun()
 * is called once the server follows. Throws Problem where the server refuses, no stream is left, or it has been silent
 * for too long. */
const follow = (path, parser, signal, begun = () => {}) => withStream(() => read(path, parser, signal, begun));

async function read(path, parser, signal, begun) {
  const silence = new AbortController();
  let timer = null;
  const alive = (for_ms = SILENT_MS) => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), for_ms);
  };
  alive(BEGIN_MS);
  try {
    const headers = { Accept: "text/event-stream", ...(parser.id ? { "Last-Event-ID": parser.id } : {}) };
    const reply = await send("GET", path, { headers, signal: AbortSignal.any([signal, silence.signal]) });
    if (!reply.ok) throw await problemOf(reply);
    alive();
    parser.begin();
    begun();
    const decoder = new TextDecoder();
    for (let reader = reply.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      parser.feed(decoder.decode(value, { stream: true }));
    }
  } catch (fault) {
    if (signal.aborted || fault instanceof Problem) throw fault;
    if (silence.signal.aborted) throw new Problem(504, NO_STREAM, "");
    throw new Problem(0, { title: "No answer", detail: "The stream broke off" }, "");
  } finally {
    clearTimeout(timer);
  }
}

/** Keep following one stream, such as api/events?job=…, until the signal is aborted. heard(message) gets `reset` too:
 * read all anew; and `open` each time that it begins: what happened before was told to nobody. For one job or one
 * request; queues are in `Live`. */
export async function keepFollowing(path, heard, signal) {
  // A bookmark brings an id alone: nothing has happened.
  const parser = new EventParser((message) => message.event !== "bookmark" && heard(message));
  for (let failures = 0; !signal.aborted; ) {
    try {
      await follow(path, parser, signal, () => heard({ event: "open" }));
      failures = 0;
    } catch {
      failures += 1;
    }
    await pause(Math.min(parser.retry_ms * 2 ** Math.min(failures, 4), 30_000), signal).catch(() => {});
  }
}

/** How long the oldest ready job of a queue has waited by now, in seconds; null where none waits. */
export function oldestAge_s(queue) {
  const { oldest_ready_age_s: age_s, taken_ms } = queue;
  return age_s == null ? null : age_s + (taken_ms ? (Date.now() - taken_ms) / 1000 : 0);
}

/** What does not answer, by what a request has met: "redis", "server", or null where there is no stream only: the
 * server has too many readers, or knows no digests. */
function lackOf({ slug, status }) {
  if (slug === "redis-unavailable") return "redis";
  return status === 0 || (status >= 502 && !["too-many-connections", "no-stream"].includes(slug)) ? "server" : null;
}

const STATES = {
  connecting: { word: "Connecting", kind: "" },
  live: { word: "Live", kind: "good" },
  polling: { word: "Polling", kind: "warn" },
  redis: { word: "Redis is away", kind: "bad" },
  server: { word: "No answer", kind: "bad" },
  frozen: { word: "Frozen", kind: "warn" },
  hidden: { word: "Hidden", kind: "" },
};

export class Live extends EventTarget {
  constructor() {
    super();
    this.queues = new Map();
    this.changes = 0;
    this.heard_ms = Date.now();
    this.version = null;
    this.isFrozen = false;
    this.controller = null;
    this._enter("connecting");
    document.addEventListener("visibilitychange", () => this._turn());
    // A request that fails knows it up to 2 s sooner than the stream.
    news.addEventListener("redis-away", () => ["live", "polling"].includes(this.name) && this._turn("redis"));
  }

  get isAway() {
    return this.name === "redis" || this.name === "server";
  }

  start() {
    this.isStarted = true;
    this._turn();
  }
  stop() {
    this.isStarted = false;
    this._turn();
  }
  freeze(isFrozen) {
    this.isFrozen = isFrozen;
    this._turn();
  }
  /** Try again now, not at the end of the pause. */
  hurry() {
    this.pausing?.abort();
  }

  /** Until pages may read again: the tab is seen, not frozen, and Redis is there. */
  async ready(signal) {
    while (this.isAway || this.name === "hidden" || this.name === "frozen") {
      const over = new AbortController(); // Takes both listeners away.
      const until = { once: true, signal: over.signal };
      await new Promise((resolve, reject) => {
        this.addEventListener("state", resolve, until);
        signal.addEventListener("abort", () => reject(new DOMException("left", "AbortError")), until);
        signal.throwIfAborted();
      }).finally(() => over.abort());
    }
  }

  _enter(name, tries_at_ms = null) {
    if (this.name !== name) this.since_ms = Date.now();
    Object.assign(this, { name, state: { ...STATES[name], since_ms: this.since_ms, tries_at_ms } });
    this.dispatchEvent(new Event("state"));
  }

  /** Begin anew, as the tab is now. away: what is known not to answer. */
  _turn(away = null) {
    this.controller?.abort();
    this.controller = null;
    if (!this.isStarted) return this._enter("connecting"); // Nobody is signed in: it is not live, and nothing is away.
    if (this.isFrozen) return this._enter("frozen");
    if (document.hidden) return this._enter("hidden");
    if (!this.isAway) this._enter("connecting");
    this.controller = new AbortController();
    this._run(this.controller.signal, away).catch(() => {});
  }

  /** Stream; poll where there is no stream; ask /readyz while nothing answers. It ends with the signal or the key. */
  async _run(signal, away) {
    if (away) await this._wait(away, signal);
    for (let isPolled = false; !signal.aborted; ) {
      try {
        await (isPolled ? this._poll(signal) : this._stream(signal));
        isPolled = false;
      } catch (fault) {
        if (signal.aborted || fault.status === 401) return;
        const lacks = lackOf(fault);
        if (lacks) await this._wait(lacks, signal);
        else if (isPolled) await pause(POLL_MS, signal);
        isPolled = !lacks;
      }
    }
  }

  async _stream(signal) {
    const cut = new AbortController();
    let isAway = false;
    const parser = new EventParser(
      (message) => message.event === "queues" && this._take(JSON.parse(message.data)),
      (comment) => {
        isAway = comment.startsWith("Redis is away");
        if (isAway) cut.abort();
        else this.heard_ms = Date.now();
      },
    );
    this.seen = new Set();
    try {
      await follow("api/events?digest_s=1", parser, AbortSignal.any([signal, cut.signal]));
    } catch (fault) {
      if (!isAway) throw fault;
      throw new Problem(503, { type: "redis-unavailable", title: "Redis is away" }, "");
    }
    await pause(parser.retry_ms * (0.5 + Math.random()), signal);
  }

  /** A digest. Those with which a stream starts have every queue that there is: the others are gone. */
  _take(digest) {
    if (this.version && this.version !== digest.version) this.dispatchEvent(new Event("upgraded"));
    this.version = digest.version;
    for (const queue of digest.queues) this._put(queue);
    for (const name of digest.removed) this.queues.delete(name);
    if (digest.start) {
      for (const queue of digest.queues) this.seen.add(queue.name);
      if (digest.more === 0) this._drop((name) => !this.seen.has(name));
    }
    if (this.name !== "live") this._enter("live");
    this._changed();
  }

  _put(queue) {
    this.queues.set(queue.name, { ...queue, taken_ms: Date.now() });
  }
  _drop(isGone) {
    for (const name of [...this.queues.keys()].filter(isGone)) this.queues.delete(name);
  }
  _changed() {
    this.heard_ms = Date.now();
    this.changes += 1;
    this.dispatchEvent(new Event("queues"));
  }

  async _poll(signal) {
    for (let polls = 0; polls < POLLS_BEFORE_STREAM; polls += 1) {
      const { items } = await get("api/queues?limit=500", { signal });
      const names = new Set(items.map((queue) => queue.name));
      items.forEach((queue) => this._put(queue));
      if (items.length < 500) this._drop((name) => !names.has(name));
      if (this.name !== "polling") this._enter("polling");
      this._changed();
      await pause(POLL_MS * (1 + Math.random() / 4), signal);
    }
  }

  /** Ask until the server says that it is ready. It names Redis in its answer where that is what it lacks. */
  async _wait(name, signal) {
    for (let tries = 0; ; tries += 1) {
      const wait_ms = PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)];
      this._enter(name, Date.now() + wait_ms);
      this.pausing = new AbortController();
      await pause(wait_ms, AbortSignal.any([signal, this.pausing.signal])).catch(() => {});
      if (signal.aborted) return;
      // WHY a limit: a connection that is lost in silence brings no answer, ever.
      const both = AbortSignal.any([signal, AbortSignal.timeout(BEGIN_MS)]);
      const reply = await send("GET", "readyz", { signal: both }).catch(() => null);
      if (signal.aborted) return;
      if (reply?.ok) return this._enter("connecting");
      name = reply && (await problemOf(reply)).slug === "redis-unavailable" ? "redis" : "server";
    }
  }
}
