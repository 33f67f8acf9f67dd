#!lua flags=allow-oom
-- overdue.lua: no callback has come in time: the jobs run again, or are dead where no attempt is left.
-- KEYS 1 base
-- ARGV 1 most jobs
-- RETURNS {'more' where there may be others, or '', ids of the jobs …}
-- @transition blocked --overdue--> ready
-- @transition blocked --overdue--> dead
-- @transition blocked --overdue--> cancelled
-- @use callback_token cancel_request check_types clock conclude history make_ready notices outside ready_list slots
-- @use tally type_of_job types note_error
check_types('ZCARD', 'dead', 'cancelled', 'blocked', 'outside')
check_types('LLEN', 'ready:high', 'ready:normal', 'ready:low')
has_followers()
local limit = tonumber(ARGV[1])
local TIMED_OUT = '{"type":"callback_timeout","message":"the service that had taken the job did not call back in time"}'
local ids = redis.call('ZRANGEBYSCORE', base .. 'outside', '-inf', now, 'LIMIT', 0, limit)
local dead, fields, retried_types = {}, {}, {}

local function take_back(id)
  local job = base .. 'job:' .. id
  local state, token, priority, group, stale_in =
    unpack(redis.pcall('HMGET', job, 'state', 'callback_token', 'priority', 'group', 'listed'))
  come_in(id, group)
  -- WHY: a program of an older version has cancelled or deleted the job, and knows no `outside`.
  if state ~= 'blocked' then return end
  local claims, _, word = read_callback_token(token)
  if cancel_if_requested(id, job, word ~= 'l', 'ended', claims, 'error', TIMED_OUT) then return end
  if word == 'l' then
    dead[#dead + 1], fields[id] = id, {'error', TIMED_OUT}
    return
  end
  remember(job, 'retried', TIMED_OUT)
  make_ready(id, job, ready_list(priority, nil, group), stale_in, 'since', now, 'error', TIMED_OUT)
  local type_name = type_of_job(job)
  add_one(retried_types, type_name)
  note_error('retried', type_name, TIMED_OUT, id)
end

for _, id in ipairs(ids) do take_back(id) end
conclude('dead', dead, 'overdue', fields)
give_slots_back()
publish_ready('overdue')
tally('retried', retried_types)
return {#ids == limit and 'more' or '', unpack(ids)}
