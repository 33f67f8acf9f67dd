-- forget(state, ids): delete every trace of jobs that have ended in `state`, but the counters. Where the id is stale in
-- lists (stale_ids.lua), `gone` notes in how many, so that claim can tell the id from garbage.
-- @use tags numbers
local function forget(state, ids)
  if #ids == 0 then return end
  local jobs, logs, by_tag = {}, {}, {}
  for _, id in ipairs(ids) do
    local job = base .. 'job:' .. id
    local f = redis.pcall('HMGET', job, 'listed', 'tags', 'waits')
    local stale_in, tags, waits = f[1], f[2], f[3]
    if type(stale_in) == 'string' then redis.call('HSET', base .. 'gone', id, #stale_in) end
    if type(tags) == 'string' then add_by_tag(by_tag, tags, id) end
    if waits then
      jobs[#jobs + 1] = base .. 'parents:' .. id
      jobs[#jobs + 1] = base .. 'said:' .. id
    end
    jobs[#jobs + 1] = job
    logs[#logs + 1] = base .. 'log:' .. id
  end
  redis.call('UNLINK', unpack(jobs))
  -- WHY EXISTS first: few jobs have a log, and to look for keys costs a third of what it costs to delete none.
  if redis.call('EXISTS', unpack(logs)) > 0 then redis.call('UNLINK', unpack(logs)) end
  redis.call('ZREM', base .. state, unpack(ids))
  redis.call('ZREM', base .. 'all', unpack(ids))
  redis.pcall('ZREM', base .. 'fading', unpack(ids))
  write_tags('ZREM', by_tag)
  publish_numbers('forget')
end
