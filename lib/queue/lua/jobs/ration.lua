#!lua flags=allow-oom
-- ration.lua: as claim.lua, for a queue that has a concurrency, a rate, or groups.
-- KEYS 1 base
-- ARGV as claim.lua
-- RETURNS as claim.lua, but never 'rationed' | 'plain': the queue has none of these, and claim.lua is to be called from
--      now on. The head's first field is also
--        'limited': the queue has a concurrency or a rate, and nothing is handed out: the runner blocks on `bells`
--      and its third is after how many ms this runner asks again, or '' (parts/keeper.lua), because a delayed job is
--      due then, a group has rested, or the queue's rate allows a start
-- @transition delayed --promote--> ready
-- @transition ready --claim--> active
-- @transition ready --claim--> dead
-- @transition ready --expire--> dead
-- @rarely error_in kind_of_error note_error note_period
-- @rarely add_one announce as_count blocks_on_bells conclude count_stale drop_id is_stale_in kill
-- @rarely leave_expiring letter_of make_ready past_of place promote_due publish_ready put_back quarantine stands_twice
-- @rarely strikes_of tally turn_away type_in_spec unmark_stale
-- @rarely give_notice has_followers mark_of tell_end wait_for what_it_said
-- @use bell claiming due hand_out keeper lines promote_due queue_settings rate stale_ids turns claim_fields clock
-- @use group_room queue_room rested
-- WHY a rate counts what is handed out: a start that a runner gives back unstarted has used its place all the same. So
-- runners claim nothing ahead of a free slot in such a queue.
local refused = unregistered()
if refused then return refused end
local paused, rationed, concurrency, rate = queue_settings('paused', 'rationed', 'concurrency', 'rate')
if not rationed then return 'plain' end
note_limits(concurrency, rate)
local is_limited, is_paused = blocks_on_bells(), paused ~= false
local of_queue = queue_room(concurrency, rate)

-- A job of this runner whose claim's reply was lost is handed out anew, which is one more start: it needs a place in
-- the rates, and no slot, for it counts as one that runs already. Where a rate has no place the job is left alone.
-- left_ms: when the first such job may start.
local left_ms = math.huge
local function start_again(id, f)
  local group = redis.call('HGET', base .. 'job:' .. id, 'group') or ''
  local room = room_of(group)
  if room.starts <= started(group) then
    left_ms = math.min(left_ms, now_ms + (room.rest_ms or 1))
    return
  end
  if handed_out >= of_queue.starts then return end
  room.slots, of_queue.slots = room.slots + 1, of_queue.slots + 1
  start_one(id, 'ready:normal', true, f, group)
end

-- What this runner has popped, or claimed before, and does not know. A ready job goes to the front of its list, and is
-- handed out from there if it may start.
local function start_or_put_back(id, f)
  if f[STATE] == 'active' then return start_again(id, f) end
  -- It was counted as one that runs.
  of_queue.slots = of_queue.slots + 1
  if f[STATE] == 'ready' and not is_stale_in(f[LISTED], 'ready:normal') then return put_back(id) end
  start_one(id, 'ready:normal', true, f)
end

-- Hand out the first of the next suspects whose group has room.
local SUSPECTS_SEEN = '20'
local function start_suspects(most)
  for _, id in ipairs(redis.call('LRANGE', base .. 'suspects', '-' .. SUSPECTS_SEEN, '-1')) do
    if handed_out >= most then return end
    local f = read_for_claim(id)
    local group = redis.pcall('HGET', base .. 'job:' .. id, 'group')
    group = type(group) == 'string' and group or ''
    if has_room(group) then
      redis.call('LPUSH', active_list, id)
      redis.call('LREM', base .. 'suspects', '-1', id)
      start_one(id, 'suspects', false, f, group)
    end
  end
end

local ids_left, bytes_left = start_found(start_or_put_back, limit + MOST_UNFIT, MOST_BYTES)
local most = math.min(limit, of_queue.starts, of_queue.slots)
local due_ms, rested_ms
local served, has_lines = {}, nil  -- has_lines: nil where nobody has asked.
if source == 'suspects' and not is_paused then
  start_suspects(most)
elseif not is_paused then
  due_ms = next_due()
  if due_ms and due_ms <= now_ms then
    promote_due(100)
    due_ms = next_due()
  end
  rested_ms = end_rests(100)
  local turn
  has_lines = has_turns()
  for _, priority in ipairs(lines().PRIORITIES) do
    if handed_out < most and ids_left > 0 then
      if has_lines and has_turns(priority) then
        turn = turn or lines().next_turn()
        ids_left, bytes_left, served[priority] = serve(priority, most, ids_left, bytes_left, turn)
      else
        ids_left, bytes_left = start_list('ready:' .. priority, most, ids_left, bytes_left, '')
      end
    end
  end
end

if has_lines == nil then has_lines = has_turns() end
local loads = note_starts(has_lines or has_stopped_groups(), served)
for priority, scores_now in pairs(served) do keep_turns(priority, scores_now, loads) end
if has_rested then rested_ms = first_rest() end
if of_queue.rate_ms then rate_take(base .. 'rate:', of_queue.rate_ms, handed_out) end

local state = is_paused and 'paused' or ids_left <= 0 and 'more' or is_limited and handed_out == 0 and 'limited' or ''
if source ~= 'suspects' and not is_paused and (handed_out == limit or ids_left <= 0) then
  local ready, turns = base .. 'ready:', base .. 'turns:'
  local lists = {ready .. 'high', ready .. 'low', turns .. 'high', turns .. 'normal', turns .. 'low'}
  if is_limited then lists[#lists + 1] = ready .. 'normal' end
  if redis.call('EXISTS', unpack(lists)) > 0 then ring() end
end
if source == 'suspects' or is_paused then return claim_reply(state, '') end

-- WHY also a runner that was handed jobs keeps the clock: it alone may know that the rate is used up, and until when.
local rest_ms = of_queue.rest_ms
if handed_out > 0 and handed_out >= of_queue.starts then
  rest_ms = select(2, rate_room(base .. 'rate:', of_queue.rate_limit, of_queue.rate_ms))
end
local next_start_ms = rest_ms and now_ms + rest_ms or math.huge
local wake_ms = math.min(due_ms or math.huge, rested_ms or math.huge, next_start_ms, left_ms)
return claim_reply(state, my_wait(runner, wake_ms))
