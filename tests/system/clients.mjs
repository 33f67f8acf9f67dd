// What test_clients.py has Node run: `node clients.mjs '[["STORY", "URL", …], …]'`, all at once. Ends with 0 where all hold.

import assert from "node:assert/strict";
import * as client from "../../prod/clients/waybill.mjs";

const { FakeWaybill, Waybill } = client;
const NOBODY = `default-${"0".repeat(32)}`;

const all = async (items) => {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
};

function* jobs(count, options = {}) {
  for (let size = 0; size < count; size += 1) yield { type: "noop", payload: { size }, ...options };
}

/** What a call gives: a state, or the kind of fault and where it points to. */
async function outcome(call, waybill) {
  try {
    const found = await call(waybill);
    return found?.id ? found.state : found;
  } catch (fault) {
    if (!(fault instanceof client.Problem)) throw fault;
    const places = new Set(fault.errors.map(({ pointer }) => pointer.split("/").slice(0, 2).join("/")));
    return [fault.name, fault.slug, [...places].sort()];
  }
}

const first = async (waybill, filters) => (await all(waybill.list(filters))).at(-1);

const STORIES = {
  async live(url, queue) {
    const waybill = new Waybill(url);
    const done = await waybill.wait((await waybill.enqueue("echo", { a: "ü" }, { priority: "high" })).id, { timeoutMs: 20_000 });
    assert.deepEqual([done.state, done.result, done.priority], ["completed", { a: "ü" }, "high"]);
    assert.equal((await waybill.enqueue("echo", {}, { waitS: 20 })).state, "completed");
    const late = await waybill.enqueue("noop", {}, { queue, delay_s: 600 });
    await assert.rejects(waybill.wait(late.id, { timeoutMs: 50 }), (fault) => fault.job.state === "delayed");
    assert.equal((await waybill.patch(late.id, { priority: "low" })).priority, "low");
    await waybill.cancel(late.id, { force: true });
    assert.equal((await waybill.retry(late.id)).state, "ready");
    await waybill.cancel(late.id);
    assert.deepEqual((await waybill.call("GET", `/api/jobs/${late.id}/logs`)).items, []);
    assert.equal((await waybill.call("POST", `/api/jobs/${late.id}/retry`)).state, "ready");
    await waybill.cancel(late.id);
    assert.equal(await waybill.delete(late.id), undefined);
    await waybill.batch(jobs(7, { queue }));
    assert.equal((await all(waybill.list({ queue, limit: 3 }))).length, 7);
    assert.equal((await waybill.pause(queue)).paused, true);
    assert.equal((await waybill.resume(queue)).paused, false);
    assert.ok((await waybill.queues()).some(({ name }) => name === queue));
    assert.equal((await waybill.health()).status, "ok");
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    const named = waybill.within({ requestId: "order-4711", traceparent: `00-${trace}-00f067aa0ba902b7-01` });
    const job = await named.enqueue("noop", {}, { queue });
    assert.deepEqual([job.request_id, job.trace_id], ["order-4711", trace]);
    assert.match((await waybill.within({ requestId: "a\r\nb" }).enqueue("noop", {}, { queue })).request_id, /^[0-9a-f-]{36}$/);
  },

  async batch(url, queue) {
    const keyed = [...jobs(2500, { queue })].map((job, at) => ({ ...job, idempotency_key: `${queue}-${at}` }));
    keyed[1700].type = "nobody";
    const waybill = new Waybill(url);
    const items = await waybill.batch(keyed);
    const again = await waybill.batch(keyed.values());
    assert.deepEqual(items.map(({ index }) => index), keyed.map((_, at) => at));
    const [refused, ...others] = items.filter(({ problem }) => problem);
    assert.deepEqual([refused.index, refused.problem.name, refused.problem.errors[0].pointer], [1700, "InvalidFields", "/type"]);
    assert.deepEqual([others, items.map(({ id }) => id)], [[], again.map(({ id }) => id)]);
    assert.equal((await waybill.call("GET", `/api/queues/${queue}`)).counts.ready, 2499);
    assert.deepEqual(await waybill.batch([]), []);
    await assert.rejects(new Waybill(`${url}/elsewhere`).batch(jobs(1)), client.NotFound);
  },

  async problems(url, queue) {
    const waybill = new Waybill(url);
    const late = await waybill.enqueue("noop", {}, { queue, delay_s: 600, idempotencyKey: queue });
    for (const [kind, call] of [
      [client.JobNotFound, () => waybill.get(NOBODY)],
      [client.QueueNotFound, () => waybill.pause("nobodys")],
      [client.NotFound, () => waybill.get("../../livez")],
      [client.Conflict, () => waybill.delete(late.id)],
      [client.InvalidFields, () => waybill.enqueue("noop", {}, { no_such_option: 1 })],
      [client.KeyReused, () => waybill.enqueue("echo", {}, { queue, idempotencyKey: queue })],
      [client.Problem, () => waybill.enqueue("noop", { text: "x".repeat(1_100_000) })],
    ]) {
      const fault = await call().catch((thrown) => thrown);
      assert.ok(fault instanceof kind && fault.detail && fault.title && fault.requestId, `${kind.name}: ${fault}`);
    }
    await waybill.call("PATCH", `/api/queues/${queue}`, { max_depth: 1 });
    const full = await new Waybill(url, { tries: 1 }).enqueue("noop", {}, { queue }).catch((thrown) => thrown);
    assert.ok(full instanceof client.QueueFull && full.retryAfterS > 0);
  },

  /** One job, whatever becomes of the link: the one who calls has it cut. */
  async enqueue(url, queue) {
    const waybill = new Waybill(url, { tries: 1000, totalMs: 20_000 });
    await waybill.enqueue("noop", {}, { queue });
  },

  /** What the server is told to answer decides. The last argument is what this has to end with. */
  async answered(url, expected, options = "{}") {
    const call = new Waybill(url, JSON.parse(options)).enqueue("email", {});
    assert.equal(await call.then(({ id }) => id, ({ name }) => name), expected);
  },

  async without_key(url, expected) {
    assert.equal(await new Waybill(url).retry("a").then(({ id }) => id, ({ name }) => name), expected);
  },

  async wait(url) {
    assert.equal((await new Waybill(url, { tries: 1 }).wait("a", { timeoutMs: 20_000 })).state, "completed");
  },

  async stream(url, expected, options = "{}") {
    const told = [];
    try {
      for await (const { status } of new Waybill(url, JSON.parse(options)).stream(jobs(2))) told.push(status);
    } catch (fault) {
      told.push(fault.name);
    }
    assert.deepEqual(told, JSON.parse(expected));
  },

  async unreached(url) {
    const fault = await new Waybill(url, { tries: 2 }).within({ requestId: "mine" }).cancel("a").catch((thrown) => thrown);
    assert.deepEqual([fault.name, fault.isSent, fault.requestId], ["NotReached", false, "mine"]);
    for (const call of [() => new Waybill("http://a", { key: "wb_\r\nsecret" }), () => new Waybill("http://u:secret@a")]) {
      assert.throws(call, (thrown) => thrown instanceof TypeError && !thrown.message.includes("secret"));
    }
  },

  async certificate(url) {
    const began = performance.now();
    const fault = await new Waybill(url, { tries: 1000 }).get("a").catch((thrown) => thrown);
    assert.ok(performance.now() - began < 20_000, "it gets no better by being tried again");
    assert.deepEqual([fault.name, fault.isFinal, fault.isSent], ["NotReached", true, false]);
  },

  async fake(url, queue) {
    const [live, fake] = [new Waybill(url), new FakeWaybill()];
    const enqueue = (fields) => (waybill) => {
      const { type, payload, ...options } = { type: "noop", payload: {}, queue, ...fields };
      return waybill.enqueue(type, payload, options);
    };
    const steps = [
      ...[{}, { delay_s: 600 }, { run_at: new Date("2031-01-06") }, { timeout_s: 0.5 }, { backoff: {} }].map(enqueue),
      ...[{ group: "a", tags: ["eu"] }, { group: "a b" }, { tags: [1] }, { tags: [] }].map(enqueue),
      ...[{ retain_s: 0 }, { unique: { key: "a", ttl_s: 9 } }, { expires_in_s: 1 }, { payload: [] }, { type: 3 }].map(enqueue),
      ...[{ queue: "No" }, { priority: "urgent" }, { x: 1 }, { delay_s: -1 }, { delay_s: "1" }, { run_at: "soon" }].map(enqueue),
      ...[{ max_attempts: 0 }, { max_attempts: 1.5 }, { timeout_s: 0 }, { unique: "a" }, { unique: {} }].map(enqueue),
      ...[{ backoff: { x: 1 } }, { delay_s: 1, run_at: "2031-01-06T08:00:00Z" }, { idempotencyKey: "a b" }].map(enqueue),
      enqueue({ unique: { key: "u" }, delay_s: 600, priority: "low" }),
      enqueue({ unique: { key: "u" } }),
      async (waybill) => (await all(waybill.list({ queue }))).length,
      async (waybill) => waybill.cancel((await first(waybill, { queue })).id),
      async (waybill) => waybill.cancel((await first(waybill, { queue, state: "cancelled" })).id),
      async (waybill) => waybill.delete((await first(waybill, { queue, state: "ready" })).id),
      async (waybill) => waybill.patch((await first(waybill, { queue, state: "ready" })).id, { queue: "a" }),
      async (waybill) => (await waybill.patch((await first(waybill, { queue, state: "ready" })).id, { priority: "high" })).priority,
      async (waybill) => waybill.retry((await first(waybill, { queue, state: "cancelled" })).id),
      enqueue({ idempotencyKey: queue, delay_s: 600 }),
      enqueue({ delay_s: 600, idempotencyKey: queue }),
      enqueue({ idempotencyKey: queue }),
      async (waybill) => (await waybill.batch([...jobs(2, { queue }), { payload: 3 }])).map(({ status }) => status),
      async (waybill) => (await waybill.batch(jobs(1001, { queue }))).at(-1).index,
      async (waybill) => (await all(waybill.list({ queue, limit: 200 }))).length,
      async (waybill) => (await waybill.pause(queue)).paused,
      (waybill) => waybill.resume("nobodys"),
      (waybill) => waybill.get(NOBODY),
      (waybill) => waybill.call("GET", "/api/nothing"),
    ];
    for (const [at, step] of steps.entries()) {
      assert.deepEqual(await outcome(step, fake), await outcome(step, live), `step ${at}`);
    }
  },

  async fake_runs() {
    const sent = [];
    const fake = new FakeWaybill({ double: async ({ n }) => n * 2, bad: ({ a }) => a.b.c });
    await fake.within({ requestId: "r" }).enqueue("email", { to: "ada" }, { delay_s: 60 });
    assert.deepEqual(fake.enqueued("email").map(({ payload, request_id: id }) => [payload.to, id]), [["ada", "r"]]);
    const [mail] = await fake.run({ email: (payload) => void sent.push(payload.to) });
    assert.deepEqual([sent, mail.state, mail.result], [["ada"], "completed", null]);
    assert.equal((await fake.wait((await fake.enqueue("double", { n: 3 })).id)).result, 6);
    assert.equal((await fake.wait((await fake.enqueue("bad", {})).id)).error.type, "TypeError");
    await assert.rejects(fake.wait((await fake.enqueue("other", {})).id), client.WaitTimeout);
    await assert.rejects(fake.run({ other: () => Promise.reject(new RangeError("no")) }), RangeError);
    fake.breakWith(new client.NotReached("down", { isSent: false }));
    await assert.rejects(fake.enqueue("email", {}), client.NotReached);
    assert.deepEqual((await new FakeWaybill({}, { moreOptions: ["tags"] }).enqueue("a", {}, { tags: ["b"] })).tags, ["b"]);
  },
};

const told = JSON.parse(process.argv[2]);
await Promise.all(
  told.map(async ([story, ...given]) => {
    await STORIES[story](...given).catch((fault) => {
      throw new Error(`${story} ${given}`, { cause: fault });
    });
  }),
);
console.log(told.length, "held");
