-- A notice is a word that followers (edges.lua) are to be told: that a job has ended, or is open. It stands in the
-- stream `notices` until all of them were told (resolve.lua). An entry: parent emails-01a2…, outcome c (a mark),
-- followers reports-01a3…,reports-01a4…, said {"rows":5}
-- Among the followers may stand a word that is no id: !callback. The end of a job that has a callback_url is told to it
-- by a webhook (lib/queue/end_webhooks.py). Such a notice also says which end it is, and has the job's spec up to its
-- payload: state completed, finished 1764410000123, head {"v":1,…,"callback_url":"https://…". WHY: the job may be run
-- again, or its record be gone, by the time when the notice is told. WHY not the payload: it may have a MiB.
-- has_followers(): does anybody in this queue wait for a job of this queue? To be called before a script's first write:
-- it raises WRONGTYPE where somebody broke one of the two keys.
-- WHY the stream has no MAXLEN: a word that is lost would leave its followers waiting until they ask.
local is_followed  -- nil before this call has asked.
local function has_followers()
  if is_followed == nil then
    is_followed = redis.call('HLEN', base .. 'followers') > 0
    if is_followed then redis.call('XLEN', base .. 'notices') end
  end
  return is_followed
end

-- wait_for(parent, ids): these ids, parted by commas, are told of the parent's end, and no others.
local function wait_for(parent, ids)
  redis.call('HSET', base .. 'followers', parent, ids)
  is_followed = true
end

-- give_notice(parent, mark, ids, said, …): these ids, parted by commas, are to be told. …: further names and values of
-- the entry. notices_given: how many of the call, for the answer by which a runner knows that there is something to
-- tell.
local notices_given = 0
local function give_notice(parent, mark, ids, said, ...)
  redis.call('XADD', base .. 'notices', '*', 'parent', parent, 'outcome', mark, 'followers', ids, 'said', said, ...)
  notices_given = notices_given + 1
end

-- what_it_said(job, mark, ids): what the followers `ids` are told beside the mark: see edges.lua.
-- WHY a bound: each follower keeps a copy.
local MOST_SAID = 1048576
local function what_it_said(job, mark, ids)
  local result, truncated, error_text = unpack(redis.call('HMGET', job, 'result', 'result_truncated', 'error'))
  local said = (mark == 'c' and result or mark ~= 'c' and error_text) or ''
  local _, others = string.gsub(ids, ',', '')
  return (mark == 'c' and truncated or #said * (others + 1) > MOST_SAID) and '!' or said
end

-- mark_of(state): the mark (edges.lua) of a job that has ended in this state by itself, or by a person's hand.
local function mark_of(state) return state == 'cancelled' and 'k' or string.sub(state, 1, 1) end

-- tell_end(id, mark, ids): the job has ended; `ids` wait for that.
local function tell_end(id, mark, ids)
  local job = base .. 'job:' .. id
  local said = what_it_said(job, mark, ids)
  if string.find(ids, '!callback', 1, true) then
    local state, finished, spec = unpack(redis.call('HMGET', job, 'state', 'finished', 'spec'))
    local payload_at = spec and string.find(spec, ',"payload":', 1, true) or 1
    local head = spec and string.sub(spec, 1, payload_at - 1) or ''
    give_notice(id, mark, ids, said, 'state', state or '', 'finished', finished or '', 'head', head)
  else
    give_notice(id, mark, ids, said)
  end
  redis.call('HDEL', base .. 'followers', id)
  redis.call('HSET', job, 'followed', ids)
end
