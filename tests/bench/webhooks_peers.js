// BullMQ with undici for webhooks_peers.py: node webhooks_peers.js add WEBHOOKS URL BODY | work SLOTS URL SECRET
// `add` queues the jobs, whose data is {url, body}, and ends; `work` sends them, each signed, over at most SLOTS links.
const crypto = require("crypto");
const { Queue, Worker } = require("bullmq");
const { Pool } = require("undici");
const [what, count, url, text] = process.argv.slice(2);
const connection = { path: process.env.REDIS_SOCKET, maxRetriesPerRequest: null };

async function add() {
  const queue = new Queue("bench", { connection });
  const data = { url, body: JSON.parse(text) };
  for (let left = Number(count); left > 0; left -= 1000) {
    const opts = { attempts: 18, removeOnComplete: { count: 10000 } };
    await queue.addBulk(Array.from({ length: Math.min(left, 1000) }, () => ({ name: "webhook", data, opts })));
  }
  process.exit(0);
}

function work() {
  const key = Buffer.from(text.replace("whsec_", ""), "base64");
  const pool = new Pool(new URL(url).origin, { connections: Number(count) });

  async function send(job) {
    const body = JSON.stringify(job.data.body);
    const at = Math.floor(Date.now() / 1000);
    const digest = crypto.createHmac("sha256", key).update(`${job.id}.${at}.${body}`).digest("base64");
    const headers = {
      "content-type": "application/json",
      "webhook-id": job.id,
      "webhook-timestamp": String(at),
      "webhook-signature": `v1,${digest}`,
    };
    const answer = await pool.request({ method: "POST", path: new URL(job.data.url).pathname, headers, body });
    const said = await answer.body.text();
    if (answer.statusCode > 299) throw new Error(`${answer.statusCode}`);
    return { status: answer.statusCode, body: said };
  }
  new Worker("bench", send, { connection, concurrency: Number(count) });
}

if (what === "add") add();
else work();
