// Requests to the API: with the key, an id of our own, and problems as sentences.
//
//   const page = await get("api/queues?limit=25", {signal});
//   await post("api/jobs", {type: "email", payload});
//   catch (problem) { problem.sentence  ->  "there is no such job. (404, request dash-9b2f…)" }
//
// Addresses are relative to the page, so that all works below any prefix. A request is given up after 20 s. A 429 is
// waited for as long as the server asks (half a minute at most, twice) before it becomes a problem.

import { capital, learnTime } from "./kit.js";
import { parse } from "./json.js";

const PATIENCE_MS = 20_000;
const LONGEST_WAIT_S = 30;
const TRIES = 3;
const NOT_WAYBILL = { title: "This is no answer", detail: "What stands between here and the server has answered" };
const REDIS_AWAY = { type: "redis-unavailable", title: "Redis is away", detail: "Redis does not answer" };

/** "signed-out": the key was refused. "redis-away": a request has found it so. "waiting" and "going-on": the server
 * asks to wait. */
export const news = new EventTarget();

let key = null;
export const setKey = (text) => (key = text);
export const hasKey = () => key !== null;

/** What went wrong, for people. status: 0 where there was no answer. slug: "queue-full", the problem's kind. */
export class Problem extends Error {
  constructor(status, fields, requestId) {
    super(fields.detail ?? fields.title);
    this.status = status;
    this.slug = String(fields.type ?? "").split("/").pop();
    this.title = fields.title;
    this.errors = fields.errors ?? [];
    this.requestId = requestId;
  }
  get sentence() {
    const text = capital(this.message).replace(/\.?$/, ".");
    return this.status ? `${text} (${this.status}, request ${this.requestId})` : text;
  }
}

/** An id that whoever greps the logs for `dash-` finds. crypto.randomUUID is missing on plain http. */
function newRequestId() {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `dash-${hex.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}`;
}

export const get = (path, how = {}) => call("GET", path, how);
export const post = (path, body, how = {}) => call("POST", path, { ...how, body });
export const patch = (path, body, how = {}) => call("PATCH", path, { ...how, body });
export const remove = (path, how = {}) => call("DELETE", path, how);

/** The answer's JSON; null where it has none. headers: more fields of the request. exact: numbers are kept as written
 * (json.js). Throws Problem, or the
 * AbortError of `signal`. */
export async function call(method, path, { body, signal, headers, exact = false } = {}) {
  for (let tried = 1; ; tried += 1) {
    const limit = AbortSignal.timeout(PATIENCE_MS);
    const both = signal ? AbortSignal.any([signal, limit]) : limit;
    const reply = await send(method, path, { body, headers, signal: both });
    if (reply.ok) return valueOf(reply, exact ? parse : JSON.parse);
    const wait_s = Number(reply.headers.get("Retry-After")) || 1; // A proxy may write a date.
    if (reply.status !== 429 || tried === TRIES || wait_s > LONGEST_WAIT_S) throw await problemOf(reply);
    news.dispatchEvent(new CustomEvent("waiting", { detail: wait_s }));
    await pause(wait_s * 1000, signal).finally(() => news.dispatchEvent(new Event("going-on")));
  }
}

/** The text of an answer, for whoever must know how its numbers are written. Throws Problem. */
export async function getText(path, { signal }) {
  const reply = await send("GET", path, { signal });
  if (!reply.ok) throw await problemOf(reply);
  return reply.text();
}

async function valueOf(reply, read) {
  const text = await reply.text().catch((fault) => noAnswer(fault, ""));
  try {
    return text ? read(text) : null;
  } catch {
    throw new Problem(reply.status, NOT_WAYBILL, reply.headers.get("X-Request-ID") ?? "unknown");
  }
}

function noAnswer(fault, requestId) {
  if (fault.name === "AbortError") throw fault;
  const isSlow = fault.name === "TimeoutError";
  const detail = isSlow ? "The server has not answered for 20 s" : "The server can't be reached";
  throw new Problem(0, { title: "No answer", detail }, requestId);
}

/** One request as it is, for live.js too. Throws Problem of status 0 where nobody answers. */
export async function send(method, path, { body, signal, headers = {} } = {}) {
  const fields = { Accept: "application/json", "X-Request-ID": newRequestId(), ...headers };
  if (key) fields.Authorization = `Bearer ${key}`;
  if (body !== undefined) fields["Content-Type"] = "application/json";
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  try {
    const reply = await fetch(path, { method, headers: fields, body: text, signal, cache: "no-store" });
    learnTime(reply.headers.get("Date"));
    return reply;
  } catch (fault) {
    return noAnswer(fault, fields["X-Request-ID"]);
  }
}

/** The Problem of an answer that is none. A 401 also tells everybody that the key is no good. */
export async function problemOf(reply) {
  let fields = { ...NOT_WAYBILL, title: `Status ${reply.status}` };
  try {
    const said = JSON.parse(await reply.text());
    // /api/health, which is no problem, says in its own words that it has no Redis.
    fields = said.redis?.status === "down" ? REDIS_AWAY : { ...fields, ...said };
  } catch {} // No JSON: a proxy's page.
  const problem = new Problem(reply.status, fields, reply.headers.get("X-Request-ID") ?? "unknown");
  if (problem.status === 401) news.dispatchEvent(new Event("signed-out"));
  if (problem.slug === "redis-unavailable") news.dispatchEvent(new Event("redis-away"));
  return problem;
}

/** Wait. Throws AbortError at once if the signal is aborted. */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const over = () => {
      signal?.removeEventListener("abort", stop); // A page pauses thousands of times.
      resolve();
    };
    const timer = setTimeout(over, ms);
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("left", "AbortError"));
    };
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
