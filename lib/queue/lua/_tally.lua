-- tally(event, counts): for the totals by type that /metrics shows and the rates a minute of /api/queues. counts: type -> n.
-- WHY pcall: what somebody broke of these counters must not stop a job half-way.
-- WHY the cap: types are few, but a spec that somebody wrote by hand may name anything; what comes after counts as `other`.
local MOST_TOTALS = 500
local function tally(event, counts)
  local totals, sum = base .. 'totals', 0
  for kind, count in pairs(counts) do
    local field = event .. ' ' .. kind
    sum = sum + count
    if redis.pcall('HINCRBY', totals, field, digits(count)) == count and redis.call('HLEN', totals) > MOST_TOTALS then
      redis.call('HDEL', totals, field)
      redis.pcall('HINCRBY', totals, event .. ' other', digits(count))
    end
  end
  if sum == 0 then return end
  local minute = base .. 'minute:' .. digits(math.floor(now_ms / 60000))
  if redis.pcall('HINCRBY', minute, event, digits(sum)) == sum then redis.call('EXPIRE', minute, 180) end
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
