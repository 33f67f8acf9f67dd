-- tally(event, counts): for the totals by type that /metrics shows and the rates a minute of /api/queues. counts: type -> n.
-- Says whether these are the first totals of the queue: then it has just begun, or begun again.
-- WHY pcall: what somebody broke of these counters must not stop a job half-way.
-- WHY the cap: types are few, but a spec that somebody wrote by hand may name anything; what comes after counts as `other`.
-- @use clock
local MOST_TOTALS = 500
local function tally(event, counts)
  local totals, sum, are_first = base .. 'totals', 0, false
  for kind, count in pairs(counts) do
    local field = event .. ' ' .. kind
    sum = sum + count
    if redis.pcall('HINCRBY', totals, field, digits(count)) == count then
      local fields = redis.call('HLEN', totals)
      are_first = are_first or fields == 1
      if fields > MOST_TOTALS then
        redis.call('HDEL', totals, field)
        redis.pcall('HINCRBY', totals, event .. ' other', digits(count))
      end
    end
  end
  if sum == 0 then return are_first end
  local minute = base .. 'minute:' .. digits(math.floor(now_ms / 60000))
  if redis.pcall('HINCRBY', minute, event, digits(sum)) == sum then redis.call('EXPIRE', minute, 180) end
  return are_first
end

-- kind_in(spec): the job's type, without reading the spec: it comes first. 'other' where it is not written as we write it.
local function kind_in(spec)
  local kind = spec and string.match(spec, '^{"v":%d+,"type":"([^"\\%c]+)"')
  return kind and #kind <= 256 and kind or 'other'
end

-- kind_of(job): the same of a job by its key, where the spec is not at hand.
local function kind_of(job)
  local spec = redis.pcall('HGET', job, 'spec')
  return kind_in(type(spec) == 'string' and spec)
end

-- add(counts, kind): one more of it.
local function add(counts, kind) counts[kind] = (counts[kind] or 0) + 1 end
