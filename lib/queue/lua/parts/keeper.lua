-- The keeper of the clock. Many idle runners wait for the same time: that at which a delayed job is due, say, or at
-- which a rate allows a start. One of them, the keeper, calls promote.lua then, which wakes the others as far as there
-- is work for them. Another one, the deputy, does so 250 to 500 ms later: the keeper may be gone or stuck. The rest
-- sets no timer. A runner that has become full goes on keeping the clock.
-- `keeper` and `deputy` hold "<ms at which the runner asks> <runner>", as in "1760000000123 host-1.4711-9f2c". They
-- expire.
-- WHY one: where each of 8 idle runners set a timer, 40 delayed jobs cost 290 calls of promote.lua.
-- @use clock

-- Where the queue has no limit, an idle runner blocks for 2 s: what is further away needs no timer yet. Redis may end a
-- block some 100 ms late.
local PLAIN_MS = 2250

-- post_of(post): when the runner that has the post asks, and which runner that is; nothing where the post is free.
local function post_of(post)
  local value = redis.pcall('GET', base .. post)
  if type(value) == 'string' then return string.match(value, '^(%d+) (.+)$') end
end

-- takes_post(post, runner, at_ms): has the runner the post from now on, and asks at at_ms? It does where the post is
-- free or its own, and where the runner that has it would ask later, or was to ask before now and perhaps will no more.
local function takes_post(post, runner, at_ms)
  local kept_ms, holder = post_of(post)
  kept_ms = tonumber(kept_ms)
  if holder and holder ~= runner and now_ms < kept_ms and kept_ms <= at_ms then return false end
  if holder ~= runner or kept_ms ~= at_ms then
    local lasts_ms = math.max(0, at_ms - now_ms) + 100
    redis.call('SET', base .. post, digits(at_ms) .. ' ' .. runner, 'PX', digits(lasts_ms))
  end
  return true
end

-- my_wait(runner, at_ms, within_ms): after how many ms the runner is to call promote.lua because of at_ms: exact for
-- the keeper, 250 to 500 ms more for the deputy. '' for all others, for upkeep (runner is ''), and where at_ms is nil,
-- math.huge or more than within_ms away. within_ms: nil for any time.
-- WHY a tenth of a ms: of a timer that is set a ms too late, each delayed job is a ms late.
local function my_wait(runner, at_ms, within_ms)
  if runner == '' or not at_ms or at_ms == math.huge or at_ms - now_ms > (within_ms or at_ms) then return '' end
  local later_ms = 0
  if not takes_post('keeper', runner, at_ms) then
    later_ms = 250 + at_ms % 251
    if not takes_post('deputy', runner, at_ms + later_ms) then return '' end
  end
  return string.format('%.1f', math.max(0, at_ms + later_ms - now_ms - clock[2] % 1000 / 1000))
end
