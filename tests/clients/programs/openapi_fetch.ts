// With the types of openapi-typescript and openapi-fetch: node openapi_fetch.js WAYBILL STRANGER.
import createClient from "openapi-fetch";
import type { components, paths } from "./client";
import * as story from "./story";

const client = createClient<paths>({ baseUrl: story.waybill });
const other = createClient<paths>({ baseUrl: story.stranger });
type NewJob = components["schemas"]["NewJob"];

async function queued(body: NewJob, key?: string) {
  const header = key === undefined ? {} : { "Idempotency-Key": key };
  const { data, error } = await client.POST("/api/jobs", { body, params: { header } });
  return story.present(data, error);
}

story.told({
  mail: () => queued({ type: "email", payload: story.texts }, "m-1"),
  order: () => queued({ type: "ship", payload: story.order, delay_s: 1.5, unique: { key: "order-4711" } }),
  async mailWithoutSubject() {
    const { data, error } = await client.POST("/api/jobs", { body: { type: "email", payload: story.subjectless } });
    return story.present(error, data);
  },
  async batch() {
    const { data, error } = await client.POST("/api/jobs/batch", {
      body: [
        { type: "email", payload: story.texts, idempotency_key: "b-1" },
        { type: "ship", payload: story.noOrder, idempotency_key: "b-2" },
        { type: "ship", payload: story.numberless, idempotency_key: "b-3" },
      ],
    });
    const answer = story.present(data, error);
    if (typeof answer === "string") throw new Error("NDJSON came");
    return answer.items;
  },
  async waited(job_id) {
    const { data, error } = await client.GET("/api/jobs/{job_id}", { params: { path: { job_id }, query: { wait: 30 } } });
    return story.present(data, error);
  },
  async page(cursor) {
    const query = { queue: "orders", limit: 1, cursor };
    const { data, error } = await client.GET("/api/jobs", { params: { query } });
    const page = story.present(data, error);
    return { jobs: page.items.length, next: page.next_cursor };
  },
  async unknown(job_id) {
    const { data, error } = await other.GET("/api/jobs/{job_id}", { params: { path: { job_id } } });
    return story.present(error, data);
  },
});
