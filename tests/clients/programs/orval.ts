// With the client that orval makes for axios, its default: node orval.js WAYBILL STRANGER.
import axios, { isAxiosError } from "axios";
import { createJob, createJobs, listJobs, readJob, type NewJob, type Problem } from "./client";
import * as story from "./story";

axios.defaults.baseURL = story.waybill;

async function queued(job: NewJob, key?: string) {
  const headers = key === undefined ? {} : { "Idempotency-Key": key };
  return (await createJob(job, undefined, { headers })).data;
}

async function refused(call: Promise<unknown>): Promise<Problem> {
  try {
    await call;
  } catch (fault) {
    if (isAxiosError<Problem>(fault) && fault.response) return fault.response.data;
    throw fault;
  }
  throw new Error("it was not refused");
}

story.told({
  mail: () => queued({ type: "email", payload: story.texts }, "m-1"),
  order: () => queued({ type: "ship", payload: story.order, delay_s: 1.5, unique: { key: "order-4711" } }),
  mailWithoutSubject: () => refused(queued({ type: "email", payload: story.subjectless })),
  async batch() {
    const jobs = [
      { type: "email", payload: story.texts, idempotency_key: "b-1" },
      { type: "ship", payload: story.noOrder, idempotency_key: "b-2" },
      { type: "ship", payload: story.numberless, idempotency_key: "b-3" },
    ];
    const answer = (await createJobs(jobs)).data;
    if (typeof answer === "string") throw new Error("NDJSON came");
    return answer.items;
  },
  waited: async (id) => (await readJob(id, { wait: 30 })).data,
  async page(cursor) {
    const page = (await listJobs({ queue: "orders", limit: 1, cursor })).data;
    return { jobs: page.items.length, next: page.next_cursor };
  },
  unknown: (id) => refused(readJob(id, undefined, { baseURL: story.stranger })),
});
