#!lua
-- enqueue.lua: take in a commit of new jobs, all or none.
-- KEYS 1 base
-- ARGV 1 process id  2 commit number, ascending  3 records: id, priority, due ms or +delay ms or '', spec
-- RETURNS now_ms | 'superseded': a later commit of this process came first (this one was never answered, and is not run)
-- @transition - --enqueue--> ready
-- @transition - --enqueue--> delayed
-- @use clock records tally ring
-- WHY no allow-oom: at maxmemory a new job is refused up front, before anything is written.
-- WHY the number: a commit whose reply was lost is sent again; it is answered, not run a second time.
local process, number, records = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local commit = base .. 'commit:' .. process

local last = redis.call('GET', commit)
if last then
  local last_number, answer = string.match(last, '^(%d+) (%d+)$')
  if tonumber(last_number) == number then return answer end
  if tonumber(last_number) > number then return 'superseded' end
end

local jobs, created, delayed, rings = 0, {}, {}, false
local ready = {high = {}, normal = {}, low = {}}
for id, priority, due, spec in each_record(records, '^([^\31]*)\31(%a*)\31(%+?%d*)\31(.*)$') do
  local job = base .. 'job:' .. id
  jobs = jobs + 1
  created[#created + 1] = now_ms
  created[#created + 1] = id
  local due_ms = due ~= '' and (string.sub(due, 1, 1) == '+' and now_ms + tonumber(due) or tonumber(due))
  if due_ms and due_ms > now_ms then
    redis.call('HSET', job, 'spec', spec, 'state', 'delayed')
    delayed[#delayed + 1] = due_ms
    delayed[#delayed + 1] = id
  else
    redis.call('HSET', job, 'spec', spec, 'state', 'ready')
    local list = ready[priority]
    list[#list + 1] = id
  end
  if priority ~= 'normal' then redis.call('HSET', job, 'priority', priority) end
end

redis.call('ZADD', base .. 'all', unpack(created))
for priority, ids in pairs(ready) do
  if #ids > 0 then redis.call('LPUSH', base .. 'ready:' .. priority, unpack(ids)) end
end
if #ready.high > 0 or #ready.low > 0 then ring() end
if #delayed > 0 then
  local first = redis.call('ZRANGE', base .. 'delayed', 0, 0)[1]
  redis.call('ZADD', base .. 'delayed', unpack(delayed))
  if redis.call('ZRANGE', base .. 'delayed', 0, 0)[1] ~= first then ring() end
end
tally('enqueued', jobs)
redis.call('SET', commit, number .. ' ' .. now_ms, 'EX', 3600)
return tostring(now_ms)
