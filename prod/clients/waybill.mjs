/**
 * A client for Waybill's HTTP API, in one file: copy it into your application. Node 20 or newer, no package.
 *
 *     import { Waybill } from "./waybill.mjs";
 *
 *     const waybill = new Waybill("https://waybill.example.com", { key: process.env.WAYBILL_KEY });
 *     const job = await waybill.enqueue("email", { to: "ada@example.com", subject: "Hi", text: "Hello" }, { delay_s: 60 });
 *     console.log(job.id, (await waybill.wait(job.id, { timeoutMs: 120_000 })).state);
 *
 * The options of `enqueue` are the fields of POST /api/jobs (`queue`, `priority`, `delay_s`, `run_at`, `max_attempts`,
 * `backoff`, `timeout_s`, `expires_in_s`, `unique`, `retain_s` …), sent as they are: a field that a later Waybill takes
 * needs no later client. What is the client's own is in camelCase (`idempotencyKey`, `waitS`). A job is what the service
 * shows of it: `id`, `state`, `result`, `error` and the rest of openapi.yaml.
 *
 * Many jobs: `batch` takes objects with the fields of `enqueue` (an array, or anything that can be iterated) and gives
 * what became of each, in their order:
 *
 *     for (const { index, problem } of await waybill.batch([{ type: "report", payload: { page: 1 } }])) {
 *       if (problem) console.log(index, problem.message);
 *     }
 *
 * Errors are all WaybillErrors. A Problem is an answer that says no: `.status .type .title .detail .errors .retryAfterS
 * .requestId`. NotReached: there was no answer. WaitTimeout: the job had not finished in time.
 *
 * Sent again: each `enqueue` and each job of a batch has an idempotency key (yours, else a new one), so that a request
 * whose answer was lost is sent again and makes one job. So are reads. Tried again is what meets no connection, a broken
 * one, no answer in time, 408, 429, 502, 503 or 504: after the answer's `Retry-After` and a random pause, `tries` times
 * and for `totalMs` at most. What has no key (`cancel`, `retry`, `delete`, `patch`, `pause` …) is sent again only where
 * Waybill certainly did nothing. A key that is to outlast a process of yours (an order that may be placed twice) is yours
 * to give: { idempotencyKey: `order-${number}` }.
 *
 * Request ids: `waybill.within({ requestId, traceparent })` is the same client for one request of your own: its id is on
 * all calls, their jobs, and in every log line of Waybill.
 *
 * Tests: FakeWaybill stands in for a server, in memory: see there.
 *
 * Connections are kept by Node's fetch. For a CA of your own set NODE_EXTRA_CA_CERTS. Not there: HTTP proxies, redirects.
 *
 * @typedef {Record<string, any> & {id: string, state: string | null, result: any, error: any}} Job
 * @typedef {{index: number, status: number, id?: string, problem?: Problem, outcome?: string}} BatchItem
 * @typedef {{pointer: string, detail: string}} FieldError
 * @typedef {{method: string, path: string, body?: string, headers: Record<string, string>, isRepeatable: boolean,
 *            waitMs: number}} Request
 * @typedef {{status: number, headers: Record<string, string>, text: string}} Reply
 * @typedef {(payload: any) => any} Handler
 */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const FINISHED = ["completed", "dead", "cancelled"];
const LONGEST_WAIT_MS = 30_000; // of one request; the service itself waits for 60 s at most
const ARRAY_JOBS = 1000;
const SLICE_JOBS = 10_000;
const SLICE_CHARACTERS = 4 << 20;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;
const RETRIED = [408, 429, 502, 503, 504];
const NOT_DONE = ["redis-unavailable", "queue-full", "group-full", "draining", "too-many-connections"]; // nothing was done
const NOT_SENT = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"];
const BAD_CERTIFICATE = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_)/;
const NDJSON = "application/x-ndjson";

/** Whether a job has ended. Its state is null where it has, and its record is gone. @param {Job} job */
export const isFinished = (job) => job.state === null || FINISHED.includes(job.state);

// What is thrown.

/** Whatever a call can throw. `requestId` finds the request in Waybill's logs. */
export class WaybillError extends Error {
  requestId = "";

  get name() {
    return this.constructor.name;
  }
}

/** There was no answer. With `isSent` the request may have been carried out all the same. */
export class NotReached extends WaybillError {
  /** @param {string} detail @param {{isSent: boolean, isFinal?: boolean, cause?: unknown}} options */
  constructor(detail, { isSent, isFinal = false, cause }) {
    super(detail, { cause });
    this.isSent = isSent;
    this.isFinal = isFinal;
  }
}

/** What answered is not Waybill's API: the URL leads elsewhere, or a proxy changed the answer. */
export class NotWaybill extends WaybillError {}

/** The job had not finished in time. `job` is how it was by then. */
export class WaitTimeout extends WaybillError {
  /** @param {Job} job */
  constructor(job) {
    super(`${job.id} is still ${job.state}`);
    this.job = job;
  }
}

/** An answer that says no (RFC 9457). `type` is `/problems/<slug>`; `/problems/…` of the service explains it. */
export class Problem extends WaybillError {
  /** @param {number} status @param {any} body @param {number | null} retryAfterS */
  constructor(status, body, retryAfterS = null) {
    super();
    this.status = status;
    this.body = body;
    this.type = text(body.type) || "about:blank";
    this.title = text(body.title) || "Unknown";
    this.detail = text(body.detail);
    this.errors = fieldErrors(body.errors);
    this.retryAfterS = retryAfterS;
    this.requestId = text(body.request_id);
    const faults = this.errors.map(({ pointer, detail }) => `; ${pointer || "/"} ${detail}`).join("");
    this.message = `${status} ${this.title}: ${this.detail}${faults}`;
  }

  /** The last part of `type`, as in "queue-full". */
  get slug() {
    return this.type.slice(this.type.lastIndexOf("/") + 1);
  }
}

/** 401: no key, or one that is not good. */
export class KeyRefused extends Problem {}
/** 403: the key's scope does not reach so far. */
export class Forbidden extends Problem {}
/** 404. A path that an older Waybill does not have is one, too. */
export class NotFound extends Problem {}
export class JobNotFound extends NotFound {}
export class QueueNotFound extends NotFound {}
/** 409: the job's state, or what the queue holds, does not allow this. */
export class Conflict extends Problem {}
/** 422: `errors` says which fields are wrong, and why. */
export class InvalidFields extends Problem {}
/** 422: the idempotency key came before, with another job. */
export class KeyReused extends Problem {}
/** 429, after all tries. */
export class TooManyRequests extends Problem {}
/** 503, after all tries. */
export class Unavailable extends Problem {}
/** As many jobs wait in the queue as its `max_depth` allows; this one was not taken in. */
export class QueueFull extends Unavailable {}

/** As many jobs of the job's group are ready as the queue allows each group; this one was not taken in. */
export class GroupFull extends QueueFull {}

/** @type {Map<string, typeof Problem>} */
const OF_SLUG = new Map(
  Object.entries({
    "job-not-found": JobNotFound,
    "queue-not-found": QueueNotFound,
    "idempotency-key-reused": KeyReused,
    "queue-full": QueueFull,
    "group-full": GroupFull,
  }),
);
/** @type {Map<number, typeof Problem>} */
const OF_STATUS = new Map([
  [401, KeyRefused],
  [403, Forbidden],
  [404, NotFound],
  [409, Conflict],
  [422, InvalidFields],
  [429, TooManyRequests],
  [503, Unavailable],
]);

/**
 * The Problem that an answer tells of. A body without a known `type` makes a Problem of the status' class.
 * @param {number} status @param {any} body @param {number | null} retryAfterS
 */
function problemOf(status, body, retryAfterS = null) {
  body = isObject(body) ? body : { detail: text(body) };
  const slug = text(body.type).split("/").at(-1) ?? "";
  const Kind = OF_SLUG.get(slug) ?? OF_STATUS.get(status) ?? Problem;
  const told = typeof body.retry_after_s === "number" ? body.retry_after_s : null;
  return new Kind(status, body, retryAfterS ?? told);
}

/** @param {any} value @returns {value is Record<string, any>} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {any} value */
const text = (value) => (typeof value === "string" ? value : "");

/** @param {any} value @returns {FieldError[]} */
function fieldErrors(value) {
  const items = Array.isArray(value) ? value.filter(isObject) : [];
  return items.map((item) => ({ pointer: text(item.pointer), detail: text(item.detail) }));
}

// Requests and answers, as values.

/** @param {string} path @param {number} waitMs @returns {Request} */
const get = (path, waitMs = 0) => ({ method: "GET", path, headers: {}, isRepeatable: true, waitMs });

/** @param {string} method @param {string} path @param {any} body @returns {Request} */
function send(method, path, body = undefined, headers = {}) {
  if (body === undefined) return { method, path, headers, isRepeatable: false, waitMs: 0 };
  const fields = { "Content-Type": "application/json", ...headers };
  const isRepeatable = "Idempotency-Key" in fields;
  return { method, path, body: JSON.stringify(body), headers: fields, isRepeatable, waitMs: 0 };
}

/** @param {string[]} parts */
const pathOf = (...parts) => `/api/${parts.map(encodeURIComponent).join("/")}`;

/** What the answer holds. Throws Problem where it says no, NotWaybill where it is no JSON. @param {Reply} reply */
function jsonIn({ status, headers, text: said }) {
  const kind = (headers["content-type"] ?? "").split(";")[0].trim();
  const isJson = kind === "application/json" || kind.endsWith("+json");
  const body = isJson ? parsed(said) : undefined;
  if (status < 200 || status >= 300) {
    throw problemOf(status, body ?? said.slice(0, 200), seconds(headers["retry-after"]));
  }
  if (body === undefined && status !== 204) {
    throw new NotWaybill(`answered ${status} with ${kind || "no content type"}, and not with JSON`);
  }
  return body;
}

/** @param {string} said @returns {any} undefined where it is no JSON */
function parsed(said) {
  try {
    return JSON.parse(said);
  } catch {
    return undefined;
  }
}

/** @param {Reply} reply @returns {any} */
function objectIn(reply) {
  const body = jsonIn(reply);
  if (!isObject(body)) throw new NotWaybill("answered with JSON that is no object");
  return body;
}

/** A job that was waited for. One that is dead or cancelled is told as a problem, and is given all the same. @param {Reply} reply @returns {any} */
function endedIn(reply) {
  try {
    return objectIn(reply);
  } catch (problem) {
    if (problem instanceof Problem && problem.slug === "job-failed" && isObject(problem.body.job)) return problem.body.job;
    throw problem;
  }
}

/** The `items` of an answer; of NDJSON its lines. @param {Reply} reply @returns {any[]} */
function itemsIn(reply) {
  const isLines = reply.status === 200 && (reply.headers["content-type"] ?? "").startsWith(NDJSON);
  const items = isLines ? reply.text.trimEnd().split("\n").map(parsed) : objectIn(reply).items;
  if (!Array.isArray(items) || !items.every(isObject)) throw new NotWaybill("answered without items");
  return items;
}

/** The health is told with 503, too, and then not as a problem. @param {Reply} reply */
function healthIn(reply) {
  const isHealth = (reply.headers["content-type"] ?? "").startsWith("application/json");
  return objectIn(isHealth ? { ...reply, status: 200 } : reply);
}

/** A Retry-After as seconds from now: a number, or the date that a proxy may send. @param {string | undefined} value */
function seconds(value) {
  if (/^[0-9]{1,9}$/.test(value ?? "")) return Number(value);
  const at = Date.parse(value ?? "");
  return Number.isNaN(at) ? null : Math.max(0, (at - Date.now()) / 1000);
}

/** How often, and for how long, one call is tried. */
class Tries {
  /** @param {Request} request @param {number} most @param {number} totalMs @param {number} timeoutMs */
  constructor(request, most, totalMs, timeoutMs) {
    this.request = request;
    this.most = most;
    this.until = performance.now() + totalMs;
    this.timeoutMs = timeoutMs;
    this.made = 0;
    this.pauseMs = 0;
  }

  /** How long the next one may take: not much beyond the end of all. */
  get tryMs() {
    const { waitMs } = this.request;
    return Math.ceil(waitMs + Math.min(this.timeoutMs, Math.max(1000, this.until - performance.now() - waitMs)));
  }

  /**
   * Whether there is to be another one. Sets `pauseMs`.
   * Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"), on top of what the answer asked for.
   * @param {unknown} fault
   */
  isLeftAfter(fault) {
    this.made += 1;
    const cap = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.made - 1, 10));
    this.pauseMs = Math.random() * cap + (fault instanceof Problem ? 1000 * (fault.retryAfterS ?? 0) : 0);
    return this.made < this.most && performance.now() + this.pauseMs < this.until && this.mayRepeat(fault);
  }

  /** @param {unknown} fault */
  mayRepeat(fault) {
    const { isRepeatable } = this.request;
    if (fault instanceof NotReached) return !fault.isFinal && (isRepeatable || !fault.isSent);
    if (!(fault instanceof Problem)) return false;
    const isNotDone = fault.status === 429 || (fault.status === 503 && NOT_DONE.includes(fault.slug));
    return isRepeatable ? RETRIED.includes(fault.status) : isNotDone;
  }
}

/** Neighbouring jobs of a batch. Each has its key, so that all may be sent again where one was not decided. */
class Slice {
  /** @param {number} first @param {string[]} lines */
  constructor(first, lines) {
    this.first = first;
    this.lines = lines;
    /** @type {BatchItem[]} */
    this.decided = [];
  }

  /** An array up to 1,000 jobs, else NDJSON. @returns {Request} */
  request() {
    const isArray = this.lines.length <= ARRAY_JOBS;
    const body = isArray ? `[${this.lines.join(",")}]` : this.lines.join("\n");
    const headers = { "Content-Type": isArray ? "application/json" : NDJSON };
    return { method: "POST", path: "/api/jobs/batch", body, headers, isRepeatable: true, waitMs: 0 };
  }

  /** Note what became of the jobs. Throws that for which they are to be sent again. @param {Reply} reply */
  take(reply) {
    const answers = itemsIn(reply);
    const early = answers.at(-1)?.ended_early ? answers.pop() : undefined;
    answers.forEach((answer, at) => {
      const problem = answer.problem === undefined ? undefined : problemOf(answer.status, answer.problem);
      this.decided[at] = { index: this.first + at, status: answer.status, id: answer.id, problem, outcome: answer.outcome };
    });
    if (answers.length < this.lines.length) {
      const said = `${answers.length} of ${this.lines.length} jobs were answered`;
      throw early ? problemOf(early.status, early.problem) : new NotReached(said, { isSent: true });
    }
    const again = this.decided.find(({ problem, status }) => problem && RETRIED.includes(status));
    if (again) throw again.problem;
  }
}

/** @param {Iterable<any> | AsyncIterable<any>} jobs */
async function* slices(jobs) {
  let [first, lines, characters] = [0, /** @type {string[]} */ ([]), 0];
  for await (const job of jobs) {
    lines.push(JSON.stringify({ idempotency_key: randomUUID(), ...job }));
    characters += lines[lines.length - 1].length;
    if (lines.length === SLICE_JOBS || characters >= SLICE_CHARACTERS) {
      yield new Slice(first, lines);
      [first, lines, characters] = [first + lines.length, [], 0];
    }
  }
  if (lines.length) yield new Slice(first, lines);
}

// The client.

export class Waybill {
  /**
   * key: as `server.py --new-key` printed it. timeoutMs: how long one try may take. tries, totalMs: how often, and for
   * how many milliseconds, one call may be tried in all.
   * @param {string} url @param {{key?: string, timeoutMs?: number, tries?: number, totalMs?: number}} options
   */
  constructor(url = "http://127.0.0.1:8000", { key, timeoutMs = 10_000, tries = 5, totalMs = 30_000 } = {}) {
    const parts = URL.canParse(url) ? new URL(url) : undefined;
    if (!parts || !/^https?:$/.test(parts.protocol) || parts.search || parts.hash || parts.username || parts.password) {
      throw new TypeError("url must be as https://waybill.example.com or http://127.0.0.1:8000, without user or query");
    }
    this._base = parts.origin + parts.pathname.replace(/\/+$/, "");
    this._timeoutMs = timeoutMs;
    this._mostTries = tries;
    this._totalMs = totalMs;
    /** @type {Record<string, string>} */
    this._fields = { "User-Agent": "waybill-client-node" };
    if (key) this._fields.Authorization = `Bearer ${key.trim()}`;
    checked(this._fields);
  }

  /**
   * This client for one request of yours, on the same connections. What can't be an id is left out.
   * @param {{requestId?: string, traceparent?: string}} ids @returns {this}
   */
  within({ requestId, traceparent }) {
    const given = { "X-Request-ID": requestId ?? "", traceparent: traceparent ?? "" };
    const fit = Object.entries(given).filter(([, value]) => /^[A-Za-z0-9._-]{1,128}$/.test(value));
    const other = Object.assign(Object.create(Object.getPrototypeOf(this)), this);
    other._fields = { ...this._fields, ...Object.fromEntries(fit) };
    return other;
  }

  /**
   * Queue a job and return it. Where a living job holds the `unique` key, or the idempotency key was sent before, the
   * earlier job is returned and nothing is queued.
   * waitS: have the service hold the answer until the job has finished, 60 s at most; the job may still run then.
   * @param {string} type @param {Record<string, any>} payload
   * @param {Record<string, any> & {idempotencyKey?: string, waitS?: number}} options @returns {Promise<Job>}
   */
  enqueue(type, payload, { idempotencyKey = randomUUID(), waitS = 0, ...options } = {}) {
    /** @type {Record<string, string>} */
    const headers = { "Idempotency-Key": idempotencyKey };
    if (waitS) headers.Prefer = `wait=${Math.trunc(waitS)}`;
    const request = send("POST", "/api/jobs", { type, payload, ...options }, headers);
    return this._do({ ...request, waitMs: waitS * 1000 }, endedIn);
  }

  /**
   * What became of each job, when all are decided. After an error some may be queued: send all again with
   * `idempotency_key`s of your own, and none is queued twice.
   * @param {Iterable<any> | AsyncIterable<any>} jobs @returns {Promise<BatchItem[]>}
   */
  async batch(jobs) {
    const items = [];
    for await (const item of this.stream(jobs)) items.push(item);
    return items;
  }

  /**
   * As `batch`, for jobs without end: up to 10,000 are sent at a time, the next when those before were looked at. Where
   * nobody iterates over it, nothing is sent.
   * @param {Iterable<any> | AsyncIterable<any>} jobs @returns {AsyncGenerator<BatchItem>}
   */
  async *stream(jobs) {
    for await (const some of slices(jobs)) {
      let fault;
      try {
        await this._do(some.request(), (reply) => some.take(reply));
      } catch (thrown) {
        fault = thrown;
      }
      yield* some.decided;
      if (some.decided.length < some.lines.length) throw fault;
    }
  }

  /** @param {string} jobId @returns {Promise<Job>} */
  get(jobId) {
    return this._do(get(pathOf("jobs", jobId)), objectIn);
  }

  /**
   * The job when it has finished, however it ended. An outage meanwhile is waited out. Throws WaitTimeout, and
   * JobNotFound where its record went before it was seen (`retain_s`).
   * @param {string} jobId @param {{timeoutMs?: number}} options @returns {Promise<Job>}
   */
  async wait(jobId, { timeoutMs = 300_000 } = {}) {
    const until = performance.now() + timeoutMs;
    for (;;) {
      const asked = performance.now();
      const leftMs = Math.max(0, until - asked);
      const waitMs = Math.min(leftMs, LONGEST_WAIT_MS);
      const job = await this._do(get(`${pathOf("jobs", jobId)}?wait=${(waitMs / 1000).toFixed(3)}`, waitMs), objectIn, leftMs);
      if (isFinished(job)) return job;
      const now = performance.now();
      if (now >= until) throw new WaitTimeout(job);
      // Of a server that shuts down the answer comes at once: not to ask in a hot loop, pause.
      if (now - asked < 500) await sleep(Math.min(until - now, Math.random() * 1000));
    }
  }

  /**
   * All jobs that fit (queue, state, type, request_id, q, …), in the list's order. limit: how many a page holds.
   * @param {Record<string, any>} filters @returns {AsyncGenerator<Job>}
   */
  async *list(filters = {}) {
    let cursor;
    do {
      const given = Object.entries({ ...filters, cursor }).filter(([, value]) => value !== undefined && value !== null);
      const page = await this._do(get(`/api/jobs?${new URLSearchParams(given)}`), objectIn);
      yield* page.items;
      cursor = page.next_cursor;
    } while (cursor);
  }

  /** force: end it without waiting for its handler. @param {string} jobId @returns {Promise<Job>} */
  cancel(jobId, { force = false } = {}) {
    return this._do(send("POST", pathOf("jobs", jobId, "cancel") + (force ? "?force=true" : "")), objectIn);
  }

  /** Run a finished job again. @param {string} jobId @returns {Promise<Job>} */
  retry(jobId) {
    return this._do(send("POST", pathOf("jobs", jobId, "retry")), objectIn);
  }

  /** Forget a finished job. @param {string} jobId @returns {Promise<void>} */
  async delete(jobId) {
    await this._do(send("DELETE", pathOf("jobs", jobId)));
  }

  /**
   * Change a job that waits: payload, priority, run_at, max_attempts.
   * @param {string} jobId @param {Record<string, any>} changes @returns {Promise<Job>}
   */
  patch(jobId, changes) {
    return this._do(send("PATCH", pathOf("jobs", jobId), changes), objectIn);
  }

  /** By name; of more than 500 the first ones. @returns {Promise<any[]>} */
  queues() {
    return this._do(get("/api/queues"), itemsIn);
  }

  /** The job types that the service knows. NotFound where it is too old to tell. @returns {Promise<any[]>} */
  types() {
    return this._do(get("/api/types"), itemsIn);
  }

  /** Have no worker begin a job of it. Needs a key of scope admin, as does `resume`. @param {string} queue */
  pause(queue) {
    return this._do(send("POST", pathOf("queues", queue, "pause")), objectIn);
  }

  /** @param {string} queue */
  resume(queue) {
    return this._do(send("POST", pathOf("queues", queue, "resume")), objectIn);
  }

  /** How the service is; also where its Redis is away (`status` is then "unavailable"). */
  health() {
    return this._do(get("/api/health"), healthIn);
  }

  /** Any other operation of the API: the JSON of its answer. @param {string} method @param {string} path */
  call(method, path, body = undefined) {
    return this._do(method === "GET" ? get(path) : send(method, path, body));
  }

  /**
   * What `read` makes of the answer, after as many tries as it takes. patienceMs: so long it is tried, however often.
   * @param {Request} request @param {(reply: Reply) => any} read @param {number | undefined} patienceMs
   * @returns {Promise<any>}
   */
  async _do(request, read = jsonIn, patienceMs = undefined) {
    const headers = checked({ "X-Request-ID": randomUUID(), ...this._fields, ...request.headers });
    const [most, totalMs] =
      patienceMs === undefined ? [this._mostTries, this._totalMs + request.waitMs] : [Infinity, patienceMs];
    const tries = new Tries(request, most, totalMs, this._timeoutMs);
    for (;;) {
      try {
        return read(await this._exchange({ ...request, headers }, tries.tryMs));
      } catch (fault) {
        if (fault instanceof WaybillError) fault.requestId ||= headers["X-Request-ID"];
        if (!tries.isLeftAfter(fault)) throw fault;
      }
      await sleep(tries.pauseMs);
    }
  }

  /** One request and its answer. Throws NotReached. @param {Request} request @returns {Promise<Reply>} */
  async _exchange({ method, path, body, headers }, timeoutMs = this._timeoutMs) {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await fetch(this._base + path, { method, body, headers, signal, redirect: "manual" });
      return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
    } catch (cause) {
      throw notReached(cause);
    }
  }
}

/** Throws TypeError, without the value: it may be the key. @param {Record<string, string>} fields */
function checked(fields) {
  for (const [name, value] of Object.entries(fields)) {
    if (!/^[ -~]*$/.test(value)) throw new TypeError(`${name} must be printable ASCII`);
  }
  return fields;
}

/** A certificate that is not good does not get better; all else may. @param {any} cause */
function notReached(cause) {
  const code = text(cause?.cause?.code);
  const isFinal = BAD_CERTIFICATE.test(code);
  const detail = [cause?.message, code, cause?.cause?.message].filter(Boolean).join(": ");
  return new NotReached(detail, { isSent: !isFinal && !NOT_SENT.includes(code), isFinal, cause });
}

// For tests.

const YEARS_S = 316_224_000;
/** @param {number} low */
const isNumber = (low, high = YEARS_S) => (/** @type {any} */ value) => typeof value === "number" && low <= value && value <= high;
/** @param {RegExp} form */
const isText = (form) => (/** @type {any} */ value) => typeof value === "string" && form.test(value);
/** An object of no other names. @param {string[]} names */
const isObjectOf = (names, required = "") => (/** @type {any} */ value) =>
  isObject(value) && (!required || required in value) && Object.keys(value).every((name) => names.includes(name));

/** What POST /api/jobs takes, each with a check of its form. @type {Record<string, (value: any) => boolean>} */
const CHECKS = {
  type: isText(/./),
  payload: isObject,
  queue: isText(/^[a-z0-9][a-z0-9_-]{0,63}$/),
  priority: isText(/^(high|normal|low)$/),
  delay_s: isNumber(0),
  run_at: isText(/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/),
  max_attempts: (value) => Number.isInteger(value) && 1 <= value && value <= 1000,
  timeout_s: isNumber(1e-9, 604_800),
  backoff: isObjectOf(["base_s", "cap_s"]),
  expires_in_s: isNumber(1e-9),
  group: isText(/^[A-Za-z0-9._:@/-]{1,128}$/),
  tags: (value) => Array.isArray(value) && value.length <= 10 && value.every(isText(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$/)),
  unique: isObjectOf(["key", "ttl_s", "mode"], "key"),
  retain_s: isNumber(0),
};
const CHANGES = ["payload", "priority", "run_at", "max_attempts", "tags"];
const UNSET = ["run_at", "expires_at", "started_at", "finished_at", "progress", "result", "error", "worker_id", "trace_id"];
const USUAL = { priority: "normal", max_attempts: 5, timeout_s: 60, backoff: { base_s: 2, cap_s: 3600 } };

/** @param {number} status @param {string} slug @param {string} detail @param {FieldError[]} errors */
const refusal = (status, slug, detail, errors = []) =>
  problemOf(status, { type: `/problems/${slug}`, title: slug, detail, errors });

/** The body, if its form is right. Throws InvalidFields. @param {any} body @param {string[]} known @param {string[]} required */
function checkedFields(body, known, required = []) {
  if (!isObject(body)) throw refusal(422, "invalid-fields", "the body must be an object", [{ pointer: "", detail: "is none" }]);
  const faults = [
    ...required.filter((name) => !(name in body)).map((name) => [name, "is missing"]),
    ...Object.keys(body).filter((name) => !known.includes(name)).map((name) => [name, "is not known here"]),
    ...Object.keys(CHECKS).filter((name) => name in body && !CHECKS[name](body[name])).map((name) => [name, "is not as openapi.yaml has it"]),
    ...(body.delay_s && "run_at" in body ? [["run_at", "can't stand beside delay_s"]] : []),
  ].map(([name, detail]) => ({ pointer: `/${name}`, detail }));
  if (faults.length) throw refusal(422, "invalid-fields", `${faults.length} fields are not valid; see errors`, faults);
  return body;
}

/** @param {Record<string, any>} fields @param {string} queue @param {string} requestId @returns {Job} */
function newJob(fields, queue, requestId) {
  return {
    ...Object.fromEntries([...UNSET, "retain_s", "cancel_requested_at", "group"].map((name) => [name, null])),
    tags: [],
    ...USUAL,
    ...fields,
    id: `${queue}-${randomUUID().replaceAll("-", "")}`,
    queue,
    state: fields.delay_s || fields.run_at ? "delayed" : "ready",
    attempts: 0,
    created_at: new Date().toISOString(),
    request_id: requestId,
    unique_key: fields.unique?.key ?? null,
    history: [],
    result: null,
    error: null,
  };
}

/**
 * Stands in for a Waybill in the tests of an application: the same methods, in memory, without a server.
 *
 *     const waybill = new FakeWaybill();
 *     await signUp(waybill, "ada@example.com");
 *     assert.equal(waybill.enqueued("email")[0].payload.to, "ada@example.com");
 *     await waybill.run({ email: (payload) => outbox.push(payload) });
 *
 * The fake refuses a job whose form the service would refuse. The fake does not know the job types of your Waybill, nor
 * what their payloads must hold. Idempotency keys and `unique` hold; no time passes, so neither delays nor keys run out.
 */
export class FakeWaybill extends Waybill {
  /**
   * handlers: by type, functions of the payload; `wait` runs them. moreOptions: fields of a job that your Waybill takes
   * and this file does not know of yet.
   * @param {Record<string, Handler>} handlers @param {{moreOptions?: string[]}} options
   */
  constructor(handlers = {}, { moreOptions = [] } = {}) {
    super(undefined, { tries: 1 });
    this._handlers = handlers;
    this._known = [...Object.keys(CHECKS), ...moreOptions];
    /** All jobs, the oldest first, as they are now. @type {Job[]} */
    this.jobs = [];
    /** @type {Set<string>} */
    this._paused = new Set();
    /** @type {Map<string, {fields: string, status: number, job: Job}>} */
    this._keys = new Map();
    /** @type {Map<string, Job>} */
    this._throttles = new Map();
    /** What each call throws, as new NotReached("down", { isSent: false }); undefined: nothing. @type {{is?: WaybillError}} */
    this._fault = {};
  }

  /** All jobs of that type, the oldest first. @param {string} type */
  enqueued(type) {
    return this.jobs.filter((job) => job.type === type);
  }

  /**
   * Run all waiting jobs, delayed ones as well, and the jobs that handlers enqueue; give the jobs as they ended. A handler
   * is called with the payload. An error of a handler is thrown here, and its job is dead then. Jobs of paused queues are
   * left alone.
   * @param {Record<string, Handler>} handlers
   */
  async run(handlers) {
    const done = [];
    for (let job = this._next(handlers); job; job = this._next(handlers)) {
      try {
        done.push(this.finish(job.id, await handlers[job.type](job.payload)));
      } catch (fault) {
        this.fail(job.id, fault);
        throw fault;
      }
    }
    return done;
  }

  /** Have a job completed, as a worker would. @param {string} jobId */
  finish(jobId, result = null) {
    const job = this._job(jobId);
    const kept = JSON.parse(JSON.stringify(result ?? null));
    return Object.assign(job, { state: "completed", result: kept, error: null, attempts: job.attempts + 1 });
  }

  /** Have a job dead, as after its last attempt. @param {string} jobId @param {any} fault */
  fail(jobId, fault) {
    const job = this._job(jobId);
    const error = { type: fault?.name ?? "Error", message: String(fault?.message ?? fault) };
    return Object.assign(job, { state: "dead", error, attempts: job.max_attempts });
  }

  /** Have each call throw that, as new NotReached("down", { isSent: false }). @param {WaybillError} [fault] undefined: no more */
  breakWith(fault) {
    this._fault.is = fault;
  }

  /**
   * Runs what waits and has a handler. Throws WaitTimeout at once where the job has not finished by then.
   * @param {string} jobId @returns {Promise<Job>}
   */
  async wait(jobId) {
    let job = await this.get(jobId);
    while (!isFinished(job) && this._next(this._handlers)) {
      await this.run(this._handlers).catch(() => {}); // What a handler throws is in its job.
      job = await this.get(jobId);
    }
    if (!isFinished(job)) throw new WaitTimeout(job);
    return job;
  }

  /** @param {Request} request @returns {Promise<Reply>} */
  async _exchange(request) {
    if (this._fault.is) throw this._fault.is;
    let [status, body] = [200, /** @type {any} */ (null)];
    try {
      [status, body] = this._answer(request);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      [status, body] = [problem.status, problem.body];
    }
    const kind = status < 300 ? "application/json" : "application/problem+json";
    return { status, headers: { "content-type": kind }, text: JSON.stringify(body) };
  }

  /** @param {Request} request @returns {[number, any]} */
  _answer({ method, path, body: raw = "null", headers }) {
    const url = new URL(path, "http://fake");
    const [room, name, then] = url.pathname.split("/").slice(2).map(decodeURIComponent);
    const isLines = headers["Content-Type"] === NDJSON;
    const body = isLines ? raw.split("\n").map((line) => JSON.parse(line)) : JSON.parse(raw);
    const operation = [method, room, name && "…", then].filter(Boolean).join(" ");
    const requestId = headers["X-Request-ID"];
    if (operation === "POST jobs") return this._post(body, headers["Idempotency-Key"], requestId);
    if (operation === "POST jobs …" && name === "batch") {
      return [200, { items: body.map((/** @type {any} */ job, /** @type {number} */ at) => this._item(at, job, requestId)) }];
    }
    if (operation === "GET jobs") return [200, this._page(Object.fromEntries(url.searchParams))];
    if (operation === "GET queues") return [200, { items: this._queues().map((queue) => this._queue(queue)) }];
    if (operation === "GET health") return [200, { status: "ok", redis: { status: "up" }, workers: 1, warnings: [] }];
    if (operation === "POST queues … pause") return [200, this._adjusted(name, true)];
    if (operation === "POST queues … resume") return [200, this._adjusted(name, false)];
    if (room === "jobs" && name) return [200, this._ofJob(this._job(name), [method, then].filter(Boolean).join(" "), body)];
    throw refusal(404, "not-found", `the fake does not know ${method} ${path}`);
  }

  /** @param {any} body @param {any} key @param {string} requestId @returns {[number, Job]} */
  _post(body, key, requestId) {
    const required = ["type", "payload"];
    // One that is null is as if it were not there.
    const given = Object.entries(body).filter(([name, value]) => value !== null || required.includes(name));
    const fields = checkedFields(Object.fromEntries(given), this._known, required);
    if (!isText(/^[!#-~]{1,255}$/)(key)) {
      const detail = "must be 1 to 255 visible ASCII characters";
      throw refusal(422, "invalid-fields", `the key ${detail}`, [{ pointer: "Idempotency-Key", detail }]);
    }
    const queue = fields.queue ?? (fields.type === "email" ? "email" : "default");
    let outcome = "replayed";
    let known = this._keys.get(`${queue} ${key}`);
    if (!known) {
      const job = newJob(fields, queue, requestId);
      const holder = this._holder(job);
      if (!holder) this.jobs.push(job);
      outcome = holder ? "duplicate" : "created";
      known = { fields: sorted(fields), status: holder ? 200 : 202, job: holder ?? job };
      this._keys.set(`${queue} ${key}`, known);
    }
    if (known.fields !== sorted(fields)) throw refusal(422, "idempotency-key-reused", "it came before with another body");
    return [known.status, { ...known.job, outcome }];
  }

  /** @param {number} index @param {any} body @param {string} requestId */
  _item(index, body, requestId) {
    try {
      const { idempotency_key: key, ...fields } = body;
      const [status, job] = this._post(fields, key, requestId);
      return { index, status, id: job.id, outcome: job.outcome };
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      return { index, status: problem.status, problem: problem.body };
    }
  }

  /** Who holds its unique key, if not itself. (A key does not run out here.) @param {Job} job */
  _holder(job) {
    const isSame = (/** @type {Job} */ other) => ["queue", "type", "unique_key"].every((name) => other[name] === job[name]);
    if (job.unique_key === null) return undefined;
    return this.jobs.find((other) => isSame(other) && other !== job && !isFinished(other));
  }

  /** The job that holds its unique key of the mode throttle, finished or not, if not itself. @param {Job} job */
  _throttleOf(job) {
    if (job.unique?.mode !== "throttle") return undefined;
    const place = JSON.stringify([job.queue, job.type, job.unique_key]);
    const first = this._throttles.get(place) ?? job;
    this._throttles.set(place, first);
    if (first !== job && !this.jobs.includes(first)) {
      throw refusal(409, "throttled", `the job ${first.id} holds the unique key, and is gone`);
    }
    return first === job ? undefined : first;
  }

  /** @param {string} jobId */
  _job(jobId) {
    const job = this.jobs.find(({ id }) => id === jobId);
    if (!job) throw refusal(404, "job-not-found", `there is no job ${jobId}`);
    return job;
  }

  /** @param {Job} job @param {string} operation @param {any} body */
  _ofJob(job, operation, body) {
    if (operation === "GET") return job;
    if (!["PATCH", "DELETE", "POST cancel", "POST retry"].includes(operation)) {
      throw refusal(404, "not-found", `the fake does not know ${operation} of a job`);
    }
    if (isFinished(job) !== ["DELETE", "POST retry"].includes(operation)) {
      throw refusal(409, "wrong-state", `the job is ${job.state}`);
    }
    if (operation === "POST retry" && (this._holder(job) ?? this._throttleOf(job))) {
      throw refusal(409, "wrong-state", "another job holds its unique key");
    }
    if (operation === "DELETE") this.jobs.splice(this.jobs.indexOf(job), 1);
    if (operation === "PATCH") Object.assign(job, checkedFields(body, CHANGES));
    if (operation === "POST cancel") job.state = "cancelled";
    if (operation === "POST retry") Object.assign(job, { state: "ready", attempts: 0, result: null, error: null });
    return job;
  }

  /** @param {Record<string, string>} query */
  _page({ cursor = "0", limit = "50", ...filters }) {
    const isFit = (/** @type {Job} */ job) => Object.entries(filters).every(([name, value]) => job[name] === value);
    const fit = this.jobs.filter(isFit).reverse();
    const end = Number(cursor) + Number(limit);
    return { items: fit.slice(Number(cursor), end), next_cursor: end < fit.length ? String(end) : null };
  }

  _queues() {
    return [...new Set(this.jobs.map(({ queue }) => queue))].sort();
  }

  /** @param {string} name @param {boolean} isPaused */
  _adjusted(name, isPaused) {
    if (!this._queues().includes(name)) throw refusal(404, "queue-not-found", `there is no queue ${name}`);
    if (isPaused) this._paused.add(name);
    else this._paused.delete(name);
    return this._queue(name);
  }

  /** @param {string} name */
  _queue(name) {
    const states = this.jobs.filter(({ queue }) => queue === name).map(({ state }) => state);
    const count = (/** @type {string} */ state) => [state, states.filter((other) => other === state).length];
    const counts = Object.fromEntries(["ready", "active", "delayed", "blocked", ...FINISHED].map(count));
    return { name, counts, paused: this._paused.has(name) };
  }

  /** The oldest job that waits, for its time as well, and has a handler. @param {Record<string, Handler>} handlers */
  _next(handlers) {
    return this.jobs.find((job) => !isFinished(job) && job.type in handlers && !this._paused.has(job.queue));
  }
}

/** As JSON, in which the order of names does not count. @param {any} value @returns {string} */
function sorted(value) {
  return JSON.stringify(value, (_, item) => (isObject(item) ? Object.fromEntries(Object.entries(item).sort()) : item));
}
