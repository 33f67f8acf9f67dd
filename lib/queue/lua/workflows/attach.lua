#!lua flags=allow-oom
-- attach.lua: have jobs told of what becomes of others, and say what is known of it already. It may be sent any number
-- of times: this is also how a job that waits asks.
-- KEYS 1 base
-- ARGV 1 records: parent, follower, rule (parts/edges.lua), in capitals where the follower knows that its anchor is
--      there (parts/anchor.lua), ''
-- RETURNS for each: \30, the mark, \31, what the parent said. The mark is '' where the follower will be told. G in the
--      place of g: that is for certain, and not only for want of an anchor
-- @use add_follower notices records states check_types find anchor
-- WHY allow-oom: nothing comes in but an id of a job that is there.
local records = ARGV[1]

check_types('HLEN', 'followers')
check_types('XLEN', 'notices')
-- The parent has ended, and the follower is answered: where the parent is run again, the follower is told of that end.
local function add_told(job, followed, id)
  if not followed then return redis.call('HSET', job, 'followed', id) end
  if find(',' .. followed .. ',', ',' .. id .. ',', 1, true) then return end
  redis.call('HSET', job, 'followed', followed .. ',' .. id)
end

-- The parent has ended, and nobody was told: a runner of a version that knows no followers has ended it, or a failover
-- has lost the notice with the end. Now all are told, and not only who asks. Returns their ids, or nil.
local function tell_untold(parent, mark, is_gone)
  local ids = redis.call('HGET', base .. 'followers', parent)
  if not ids then return nil end
  if is_gone then
    give_notice(parent, mark, ids, '')
    redis.call('HDEL', base .. 'followers', parent)
  else
    tell_end(parent, mark, ids)
  end
  return ids
end

-- What a workflow answers to one of its jobs, which waits until it is open.
local function openness(parent, id, state, by_parents, is_open)
  if redis.call('HEXISTS', base .. 'parents:' .. parent, id) == 0 then return 'g' end
  if is_open then return 'o' end
  return LIVES[state] and '' or by_parents or mark_of(state)
end

-- The mark of an end: a superseded job tells that it failed, unless a person cancelled it (parts/cancel_request.lua).
local function end_mark(state, by_parents, superseded, is_cancelled)
  if superseded and state == 'cancelled' and not is_cancelled then return 'd' end
  return by_parents or mark_of(state)
end

-- The same of a job that has ended because a parent of its own was gone. '' where that was its anchor, and the follower
-- knows the anchor: the job is about to be told, too.
local function mark_of_gone(parent, is_anchor_known)
  if not is_without_anchor(parent) then return 'G' end
  return is_anchor_known and '' or 'g'
end

local answers = {}
for parent, id, asked_rule in each_record(records) do
  local rule = string.lower(asked_rule)
  local job = base .. 'job:' .. parent
  local state, by_parents, superseded, is_cancelled, is_open, followed =
    unpack(redis.call('HMGET', job, 'state', 'by_parents', 'superseded', 'cancel_requested', 'opened', 'followed'))
  local mark, said = '', ''
  if LIVES[state] == nil then
    mark = 'G'
    tell_untold(parent, 'g', true)
  elseif rule == 'a' then
    mark = 'o'
  elseif rule == 'o' then
    mark = openness(parent, id, state, by_parents, is_open)
  elseif LIVES[state] then
    add_follower(parent, id)
  else
    mark = end_mark(state, by_parents, superseded, is_cancelled)
    followed = tell_untold(parent, mark) or followed
    said = what_it_said(job, mark, followed or '')
    add_told(job, followed, id)
    if mark == 'g' then mark = mark_of_gone(parent, rule ~= asked_rule) end
  end
  answers[#answers + 1] = '\30' .. mark .. '\31' .. said
end
return table.concat(answers)
