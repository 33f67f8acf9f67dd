-- tally(event, counts): add to the totals by type that /metrics shows, and to the counts of this minute that
-- /api/queues shows as rates. counts: type -> number. Returns true where these are the queue's first totals: the
-- queue has just begun, or begun again.
-- WHY pcall: a counter that somebody broke must not stop a script half-way.
-- WHY the cap: Waybill knows few types, but a spec that somebody wrote by hand may name anything. A type that comes
-- after the first 500 totals counts as `other`.
-- WHY a day and an hour: rollup.lua takes the minutes away long before, if any worker runs.
-- @use clock period
local MOST_TOTALS = 500
local function tally(event, counts)
  local totals, sum, are_first = base .. 'totals', 0, false
  for type_name, count in pairs(counts) do
    local field = event .. ' ' .. type_name
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
  if redis.pcall('HINCRBY', minute, event, digits(sum)) == sum then
    redis.call('EXPIRE', minute, 90000)
    note_period()
  end
  return are_first
end
