// A receiver of Waybill's webhooks: checks the signature, takes each webhook once, and answers 200.
//
// WEBHOOK_SECRET=whsec_… node webhook_receiver.mjs 9000

import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const key = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ''), 'base64');
const TOLERANCE_S = 300;
const seen = new Set(); // In a service of yours: a unique column, written in one transaction with what the webhook does.

const isSame = (a, b) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

const server = createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = Buffer.concat(pieces);
  const id = request.headers['webhook-id'] ?? '';
  const timestamp = request.headers['webhook-timestamp'] ?? '';
  const digest = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  const given = (request.headers['webhook-signature'] ?? '').split(' ');
  const isGenuine = given.some((one) => isSame(one, `v1,${digest}`));
  const isFresh = Math.abs(Date.now() / 1000 - Number(timestamp)) < TOLERANCE_S;
  if (isGenuine && isFresh && !seen.has(id)) {
    console.log(`${id} ${body}`); // Here goes what the webhook is for.
    seen.add(id);
  }
  response.writeHead(isGenuine && isFresh ? 200 : 401).end();
});

server.listen(Number(process.argv[2]), '127.0.0.1', () => {
  console.log(`Listening on http://127.0.0.1:${server.address().port}`);
});
