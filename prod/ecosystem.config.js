// PM2: server and worker of this folder. From anywhere:  pm2 start /path/to/waybill/prod/ecosystem.config.js
// Settings come from .env.local and .env beside server.py, and from the environment that PM2 was started in.
const path = require("path");

const root = path.resolve(__dirname, "..");

// Above SHUTDOWN_GRACE_S and UNWIND_S (27 s by default): PM2's SIGKILL must never come before the service's own deadline.
const KILL_TIMEOUT_MS = 35_000;

const app = (name) => ({
  name: `waybill-${name}`,
  // Beside cwd, not as a whole path: PM2 takes one with a space in it apart.
  script: `${name}.py`,
  interpreter: path.join(root, ".venv", "bin", "python"),
  cwd: root,
  // One process each: cluster mode is for Node. More runners: WORKER_PROCESSES, or a worker on another host.
  exec_mode: "fork",
  instances: 1,
  kill_timeout: KILL_TIMEOUT_MS,
  // SIGINT to the one process that PM2 started. It tells its runners itself, and a program that a job has started
  // is left to finish within the grace.
  treekill: false,
  autorestart: true,
  // 78: the settings are wrong. The same start would fail the same way until somebody mends them. (`pm2 ls` may then
  // say "waiting restart": it waits for a restart by hand.)
  stop_exit_codes: [78],
  // 0.2 s after a crash, growing to 15 s. Without a number PM2 gives up for good after 16 quick ends.
  exp_backoff_restart_delay: 200,
  max_restarts: 1_000_000,
  // app.log and worker.log hold everything; what PM2 keeps is the console: in `pm2 logs`, one file an app.
  out_file: "/dev/null",
  merge_logs: true,
});

module.exports = { apps: [app("server"), app("worker")] };
