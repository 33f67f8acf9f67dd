// The search field: qualifiers and free text <-> the parameters of GET /api/jobs, which are those of #/jobs?… too.
//
//   paramsOf('queue:email state:dead,ready order 4711')  ->  queue=email&state=dead,ready&q=order 4711
//   textOf(the same)                                      ->  'queue:email state:dead,ready order 4711'

import { get } from "./api.js";
import { now_ms, workerOf } from "./kit.js";

export const QUALIFIERS = [
  "queue", "state", "type", "tag", "error", "request", "worker", "group", "schedule", "workflow", "by", "id",
  "after", "before",
];
export const WORDS = QUALIFIERS.map((one) => `${one}:`).join(" ");
export const STATES = ["ready", "active", "dead", "delayed", "blocked", "completed", "cancelled"];
const PARAMETERS = { __proto__: null, request: "request_id", status: "state" };
/** The words of other queues for a state. */
const ALIKE = new Map([["failed", "dead"], ["waiting", "ready"], ["running", "active"], ["scheduled", "delayed"]]);
const JOB_ID = /^[a-z0-9][a-z0-9._-]*-[0-9a-f]{32}$/;
const ID_BEGIN = /^(?:([a-z0-9][a-z0-9_-]{0,63})-)?([0-9a-f]{12,32})$/;
const TIME_DIGITS = 12; // Of an id: the ms at which it was made.
const FIRST_MS = Date.parse("2020-01-01");
const DAY_MS = 86_400_000;
const SCHEDULE = /^[a-z0-9][a-z0-9._-]{2,99}$/;
export const REQUEST_ID = /^(?=.*\d)[A-Za-z0-9._-]{6,128}$/;
const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const nameOf = (parameter) => (parameter === "request_id" ? "request" : parameter);

/** What is searched for, as URLSearchParams. Times are also "2h" (ago), "today", and dates of the reader's zone. What
 * stands in quotes, or behind a name that is no qualifier, is text. */
function paramsOf(text) {
  const params = new URLSearchParams();
  const rest = text.replace(/\s*(?:"[^"]*"\S*|([a-z_]+):("[^"]*"|\S+)|\S+)/g, (whole, name, value) => {
    const parameter = PARAMETERS[name] ?? name;
    if (!QUALIFIERS.includes(nameOf(parameter))) return whole;
    params.set(parameter, (VALUES[parameter] ?? String)(plain(value)));
    return "";
  });
  if (rest.trim()) params.set("q", plain(rest.trim()));
  return params;
}

const plain = (text) => text.replace(/^"([^"]*)"$/, "$1");

const VALUES = {
  after: timeOf, before: timeOf, state: (text) => text.split(",").map((one) => ALIKE.get(one) ?? one).join(","),
};

function timeOf(text) {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (unit) return new Date(now_ms() - count * UNITS_MS[unit]).toISOString();
  // A date alone is one of UTC to Date.parse; the reader means their own.
  const time = Date.parse(text.length === 10 ? `${text}T00:00` : text);
  const at_ms = text === "today" ? new Date(now_ms()).setHours(0, 0, 0, 0) : time;
  return Number.isNaN(at_ms) ? text : new Date(at_ms).toISOString(); // The API says what is wrong with it.
}

/** The text that paramsOf would make these of. */
export function textOf(params) {
  const parts = tokensOf(params).map(([name, , value]) => `${name}:${/[\s"]/.test(value) ? `"${value}"` : value}`);
  const q = params.get("q") ?? "";
  return [...parts, !q || paramsOf(q).get("q") === q ? q : `"${q}"`].join(" ").trim();
}

/** The qualifiers that are set: [name, parameter, value]. */
export function tokensOf(params) {
  const isToken = ([parameter, value]) => value && QUALIFIERS.includes(nameOf(parameter));
  return [...params].filter(isToken).map(([parameter, value]) => [nameOf(parameter), parameter, value]);
}

/** The hash to which a search leads: a job, a request, a schedule of that name, or the list. */
export async function hashOf(text, { isQueue, hasRequests }) {
  if (JOB_ID.test(text)) return `#/jobs/${text}`;
  if (isQueue(text)) return `#/jobs?${new URLSearchParams({ queue: text })}`;
  const begin = beginOf(text);
  if (begin && (await isAny(new URLSearchParams(begin)))) return `#/jobs?${begin}`;
  if (hasRequests && REQUEST_ID.test(text)) {
    if (await isAny(new URLSearchParams({ request_id: text }))) return `#/requests/${text}`;
  }
  if (SCHEDULE.test(text)) {
    const { items } = await get(`api/schedules?name=${text}`).catch(() => ({ items: [] }));
    if (items.some(({ name }) => name === text)) return `#/schedules/${text}`;
  }
  const params = paramsOf(text);
  if (params.has("worker")) params.set("worker", await workerLike(params.get("worker")));
  return `#/jobs?${params}`;
}

/** The id of the one worker, there or gone within a day, that has this part of an id, or this pid; else the part. */
async function workerLike(part) {
  const { items, gone } = await get("api/workers").catch(() => ({ items: [], gone: [] }));
  const found = [...items, ...gone].filter(({ id, pid }) => `${id} ${workerOf(id)} ${pid}`.includes(part));
  return found.length === 1 ? found[0].id : part;
}

/** Ask for one page of GET /api/jobs after the other, until `limit` jobs are found or all are looked at. After each
 * request it yields the page, with all that was found so far as `items`, the number of `requests`, the cursor `next`,
 * and `back`, the cursor of the page before the first one. */
export async function* pagesOf(params, limit, signal) {
  const query = new URLSearchParams(params);
  query.set("fields", "summary");
  const items = [];
  for (let [requests, next, back] = [0, null, null]; !requests || (next && items.length < limit); ) {
    query.set("limit", limit - items.length);
    if (next) query.set("cursor", next);
    const page = await get(`api/jobs?${query}`, { signal });
    if (!requests) back = page.back_to;
    requests += 1;
    next = page.next_cursor;
    items.push(...page.items);
    yield { ...page, items, requests, next, back };
  }
}

/** Whether there is such a job. Each answer tells of some hundred thousand ids; after three the list goes on. */
async function isAny(params) {
  for (let tries = 0; tries < 3; tries += 1) {
    const page = await get(`api/jobs?limit=1&fields=summary&${params}`).catch(() => null);
    if (!page?.next_cursor || page.items.length) return Boolean(page?.items.length);
    params.set("cursor", page.next_cursor);
  }
  return false;
}

/** The parameters that find jobs by the begin of their ids, `01a2074f9c0b` or `email-01a2074f9c0b80`; null for a text
 * whose digits are no time at which a job was made. */
function beginOf(text) {
  const [, queue, digits] = ID_BEGIN.exec(text) ?? [];
  const at_ms = digits && parseInt(digits.slice(0, TIME_DIGITS), 16);
  if (!digits || at_ms < FIRST_MS || at_ms > now_ms() + DAY_MS) return null;
  return new URLSearchParams({ ...(queue ? { queue } : {}), id: digits });
}

// The last searches of this tab, newest first. They may hold addresses of people: so they are kept where the key is, in
// sessionStorage, go with the tab, and are forgotten when somebody signs out.
const STORE = "waybill-searches";
const MOST_KEPT = 10;
export const searched = () => JSON.parse(sessionStorage.getItem(STORE) ?? "[]");
export const forgetSearches = () => sessionStorage.removeItem(STORE);
export function keepSearch(text) {
  const all = [text, ...searched().filter((one) => one !== text)].slice(0, MOST_KEPT);
  sessionStorage.setItem(STORE, JSON.stringify(all));
}
