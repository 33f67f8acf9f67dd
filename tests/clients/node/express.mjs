// A peer for refusals.py: Express with its own limit on bodies, 1 MB. Prints the port that it listens on.
import express from "express";

const app = express();
app.use(express.json({ limit: "1mb", type: () => true }));
app.post("/", (request, response) => response.json({}));
app.use((fault, request, response, next) => response.status(fault.status ?? 500).json({ detail: fault.message }));
const listener = app.listen(0, "127.0.0.1", () => console.log(listener.address().port));
