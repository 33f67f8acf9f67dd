// PM2 runs server and worker of the folder above this file. From anywhere:  pm2 start /path/to/waybill/prod/ecosystem.config.js
// Settings come from .env.local and .env beside server.py, and from the environment that PM2 was started in.
const path = require("path");

const root = path.resolve(__dirname, "..");

// Above SHUTDOWN_GRACE_S and UNWIND_S (27 s by default): PM2's SIGKILL must never come before the service's own deadline.
const KILL_TIMEOUT_MS = 35_000;

const app = (name) => ({
  name: `waybill-${name}`,
  // Relative to cwd, not a whole path: PM2 splits a path at its spaces.
  script: `${name}.py`,
  interpreter: path.join(root, ".venv", "bin", "python"),
  cwd: root,
  // One process each: cluster mode is for Node. For more runners use WORKER_PROCESSES, or a worker on another host.
  exec_mode: "fork",
  instances: 1,
  kill_timeout: KILL_TIMEOUT_MS,
  // PM2 sends SIGINT only to the process that it started. That process stops its runners itself, and a program that a job
  // has started may finish within the grace.
  treekill: false,
  autorestart: true,
  // Exit status 78: the settings are wrong, and each start would fail until somebody mends them. (`pm2 ls` may then say
  // "waiting restart": PM2 waits for a restart by hand.)
  stop_exit_codes: [78],
  // PM2 restarts 0.2 s after a crash, growing to 15 s. Without max_restarts it gives up for good after 16 quick ends.
  exp_backoff_restart_delay: 200,
  max_restarts: 1_000_000,
  // app.log and worker.log hold everything. PM2 keeps only the console's stderr, one file an app: see `pm2 logs`.
  out_file: "/dev/null",
  merge_logs: true,
});

module.exports = { apps: [app("server"), app("worker")] };
