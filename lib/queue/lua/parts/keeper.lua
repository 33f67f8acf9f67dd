-- The keeper of the clock. Many idle runners wait for the same time, as for the one at which a delayed job is due. One
-- of them, the keeper, asks at that time; what its call makes ready wakes the others. Another one, the deputy, asks 250
-- to 500 ms later: the keeper may be gone or stuck. The rest sets no timer.
-- `keeper` and `deputy` hold "<ms at which the runner asks> <runner>", as in "1760000000123 host-1.4711-9f2c". They
-- expire.
-- WHY one: where each of 8 idle runners set a timer, 40 delayed jobs cost 290 calls of promote.lua.
-- @use clock

-- The longest that a runner blocks, and 250 ms, for Redis may end a block late: what is later needs no timer.
local PLAIN_MS, LIMITED_MS = 2250, 30250

-- post_of(post): when the runner that has the post asks, and which runner that is; nothing where the post is free.
local function post_of(post)
  local value = redis.pcall('GET', base .. post)
  if type(value) == 'string' then return string.match(value, '^(%d+) (.+)$') end
end

-- takes_post(post, runner, at_ms, lasts_ms): has the runner the post from now on? It does where the post is free or its
-- own, or where the runner that has it would ask later than at_ms.
local function takes_post(post, runner, at_ms, lasts_ms)
  local kept_ms, holder = post_of(post)
  if holder and holder ~= runner and tonumber(kept_ms) <= at_ms then return false end
  if holder ~= runner or tonumber(kept_ms) ~= at_ms then
    redis.call('SET', base .. post, digits(at_ms) .. ' ' .. runner, 'PX', digits(lasts_ms))
  end
  return true
end

-- my_wait(runner, at_ms, within_ms): after how many ms the runner, which has nothing to do, is to ask again because of
-- at_ms: exact for the keeper, 250 to 500 ms more for the deputy. '' for all others, for upkeep (runner is ''), and
-- where at_ms is nil or more than within_ms away. within_ms: nil for LIMITED_MS.
-- WHY a tenth of a ms: of a timer that is set a ms too late, each delayed job is a ms late.
local function my_wait(runner, at_ms, within_ms)
  if runner == '' or not at_ms or at_ms - now_ms > (within_ms or LIMITED_MS) then return '' end
  local wait_ms = math.max(0, at_ms - now_ms - clock[2] % 1000 / 1000)
  if takes_post('keeper', runner, at_ms, wait_ms + 100) then return string.format('%.1f', wait_ms) end
  if not takes_post('deputy', runner, at_ms, wait_ms + 600) then return '' end
  return string.format('%.1f', wait_ms + 250 + clock[2] % 251)
end
