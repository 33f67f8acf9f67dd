// What each client of TypeScript is asked for, in its own words; told() makes of it what generated.SEEN has.
export type JobError = { type: string; cause?: JobError };
export type Job = {
  id: string;
  state?: string | null;
  outcome?: string;
  result?: unknown;
  error?: JobError | null;
};
export type Problem = { status: number; type: string; errors?: { pointer: string }[] };
export type Item = { status: number; id?: string; outcome?: string; problem?: Problem };

export interface Calls {
  mail(): Promise<Job>;
  mailWithoutSubject(): Promise<Problem>;
  order(): Promise<Job>;
  batch(): Promise<Item[]>;
  waited(id: string): Promise<Job>;
  page(cursor: string | undefined): Promise<{ jobs: number; next: string | null | undefined }>;
  unknown(id: string): Promise<Problem>;
}

export const [waybill, stranger] = process.argv.slice(2) as [string, string];
export const texts = { to: "ada@example.com", subject: "Hi", text: "Hello" };
export const subjectless = { to: "ada@example.com", text: "Hello" };
export const order = { number: 4711, lines: [{ sku: "a", pieces: 2 }] };
export const noOrder = { number: 0, lines: [] };
export const numberless = { lines: [] };

export function present<T>(value: T | null | undefined, what: unknown): T {
  if (value === null || value === undefined) throw new Error(`nothing came but ${JSON.stringify(what)}`);
  return value;
}

const same = (one: unknown, other: unknown) => (one === other ? "the same job" : "another");
const pointer = (problem: Problem | undefined) => problem?.errors?.[0]?.pointer;

export async function told(calls: Calls): Promise<void> {
  const mail = await calls.waited((await calls.mail()).id);
  const own = await calls.order();
  const twin = await calls.order();
  const done = await calls.waited(own.id);
  const batch = await calls.batch();
  const again = await calls.batch();
  const dead = await calls.waited(present(batch[1]?.id, batch));
  let jobs = 0;
  let cursor: string | null | undefined;
  do {
    const page = await calls.page(cursor ?? undefined);
    jobs += page.jobs;
    cursor = page.next;
  } while (cursor);
  const problem = await calls.mailWithoutSubject();
  const unknown = await calls.unknown(own.id);
  const seen = {
    mail: mail.state,
    own: [own.outcome, twin.outcome, same(own.id, twin.id), done.state, (done.result as { shipped: number }).shipped],
    batch: [...batch.map((item) => item.status), pointer(batch[2]?.problem)],
    again: [again[1]?.outcome, same(batch[1]?.id, again[1]?.id)],
    dead: [dead.state, dead.error?.type, dead.error?.cause?.type],
    pages: jobs,
    problem: [problem.status, problem.type, pointer(problem)],
    unknown: [unknown.status, unknown.type],
  };
  console.log(JSON.stringify(seen));
}
