// With the client of @hey-api/openapi-ts: node hey_api.js WAYBILL STRANGER.
import { createClient } from "./client/client";
import { createJob, createJobs, listJobs, readJob, type NewJob } from "./client";
import * as story from "./story";

const client = createClient({ baseUrl: story.waybill });
const other = createClient({ baseUrl: story.stranger });

async function queued(body: NewJob, key?: string) {
  const headers = key === undefined ? {} : { "Idempotency-Key": key };
  const { data, error } = await createJob({ client, body, headers });
  return story.present(data, error);
}

story.told({
  mail: () => queued({ type: "email", payload: story.texts }, "m-1"),
  order: () => queued({ type: "ship", payload: story.order, delay_s: 1.5, unique: { key: "order-4711" } }),
  async mailWithoutSubject() {
    const { data, error } = await createJob({ client, body: { type: "email", payload: story.subjectless } });
    return story.present(error, data);
  },
  async batch() {
    const body = [
      { type: "email", payload: story.texts, idempotency_key: "b-1" },
      { type: "ship", payload: story.noOrder, idempotency_key: "b-2" },
      { type: "ship", payload: story.numberless, idempotency_key: "b-3" },
    ];
    const { data, error } = await createJobs({ client, body });
    const answer = story.present(data, error);
    if (typeof answer === "string") throw new Error("NDJSON came");
    return answer.items;
  },
  async waited(job_id) {
    const { data, error } = await readJob({ client, path: { job_id }, query: { wait: 30 } });
    return story.present(data, error);
  },
  async page(cursor) {
    const { data, error } = await listJobs({ client, query: { queue: "orders", limit: 1, cursor } });
    const page = story.present(data, error);
    return { jobs: page.items.length, next: page.next_cursor };
  },
  async unknown(job_id) {
    const { data, error } = await readJob({ client: other, path: { job_id } });
    return story.present(error, data);
  },
});
