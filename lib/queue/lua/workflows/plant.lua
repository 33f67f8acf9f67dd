#!lua
-- plant.lua: take in jobs that wait for others, or for which others wait; each once, however often it is sent.
-- KEYS 1 base
-- ARGV 1 ms after which these ask their parents what has become of them  2 records, 100 at most: id, priority, options
--      (parts/job_options.lua), spec  3 '<process> <number>', which is noted under commit:<process> for who waits for
--      replicas, or ''
-- RETURNS now_ms, with a + before it where the queue has just begun, and behind it a letter a job: 1 taken in | 0 it is
--      there already
-- @transition - --enqueue--> ready
-- @transition - --enqueue--> delayed
-- @transition - --enqueue--> blocked
-- @use check_types clock commit_mark job_options place_in_graph planted queue_settings records take_in
-- @use bell types
-- WHY no look at max_depth: that is asked before anything of a graph is planted (room.lua). Half of a graph would be
-- refused here, and the other half would wait for it.
-- WHY no allow-oom: at maxmemory new jobs are refused up front, before anything is written.
local ask_ms, records, mark = now_ms + tonumber(ARGV[1]), ARGV[2], ARGV[3]

check_types('ZCARD', 'all', 'blocked', 'unsure', 'delayed')
check_types('LLEN', 'ready:high', 'ready:normal', 'ready:low')
check_types('HLEN', 'followers')
check_types('XLEN', 'notices')
note_limits(queue_settings('concurrency', 'rate'))
local answers = {}
for id, priority, option_text, spec in each_record(records) do
  local is_there = redis.call('EXISTS', base .. 'job:' .. id) == 1
  local options = read_options(option_text)
  if not is_there then
    options.ask_ms = ask_ms
    take_in(id, priority, spec, type_in_spec(spec), options)
    place_in_graph(id, options)
  end
  note_planted(options.idempotency_key, options.fingerprint, id)
  answers[#answers + 1] = is_there and '0' or '1'
end
note_commit(mark)
local has_begun = place_taken_in('enqueue')
return (has_begun and '+' or '') .. now .. table.concat(answers)
