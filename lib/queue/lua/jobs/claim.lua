#!lua flags=allow-oom
-- claim.lua: promote the delayed jobs that are due, then hand a runner up to `limit` jobs, high before low.
-- KEYS 1 base
-- ARGV 1 runner  2 limit  3 'ready' | 'suspects' | 'popped': as 'ready', in one packet behind a BRPOPLPUSH
--      4… strays: ids in the runner's active list that the runner does not know, of a pop or claim whose reply was lost
-- RETURNS 'reaped': the runner was taken for dead | 'forgotten': the queue does not know the runner
--      | 'rationed': the queue has limits or groups, and ration.lua is to be called from now on
--      | {words, spec, spec …}. words: records parted by \30, of fields parted by \31. The first record is the head:
--          'more' | 'paused' | 'empty' | '', now_ms, after how many ms this runner asks again because a delayed job is
--          due then, or '' (parts/keeper.lua; only where the claim leaves the runner idle),
--          since when each job was ready (ms, parted by commas), ids of jobs that are dead instead (parted by commas)
--        and each other record is a job:
--          id, token, attempt, unknown_since or '', and where the job has a checkpoint or a time at which it is given
--          up: the checkpoint or '', that time in ms or ''
--        Example: {'\0311760000000123\031\0311760000000101\031\030emails-01a2…\0311\0311\031', '{"v":1,…}'}, one job
--        'more': call again at once. The lists hold ids that are no jobs, or specs that are too much for one call;
--          strays may still be in the active list
--        'paused': the queue is, and only jobs of a lost claim are handed out
--        'empty', behind a pop: no other job is ready
-- @transition delayed --promote--> ready
-- @transition ready --claim--> active
-- @transition ready --claim--> dead
-- @transition ready --expire--> dead
-- @rarely error_in kind_of_error note_error note_period
-- @rarely add_one announce as_count blocks_on_bells conclude count_stale drop_id is_stale_in kill leave_expiring
-- @rarely letter_of lines make_ready my_wait past_of place post_of promote_due publish_ready push put_back quarantine
-- @rarely ready_list stands_twice start_one takes_post tally turn_away type_in_spec unmark_stale
-- @rarely give_notice has_followers mark_of tell_end wait_for what_it_said
-- @use bell claiming due hand_out keeper promote_due queue_settings stale_ids claim_fields clock lines
-- WHY the queues with limits have a script of their own: all in one, an idle claim took 1.35 times as long for all.
local refused = unregistered()
if refused then return refused end
local paused, rationed = queue_settings('paused', 'rationed')
if rationed then return 'rationed' end
note_limits(false, false)
local is_paused = paused ~= false

-- Hand out the job with this id, which was in the active list before this call. In a paused queue a ready job goes
-- back to the front of its list instead.
local function start_or_put_back(id, f)
  local goes_back = is_paused and f[STATE] == 'ready' and not is_stale_in(f[LISTED], 'ready:normal')
  if goes_back then return put_back(id) end
  return start_one(id, 'ready:normal', true, f)
end

local ids_left, bytes_left = start_found(start_or_put_back, limit + MOST_UNFIT, MOST_BYTES)
local lists, due_ms = {}, next_due()
if source == 'suspects' and not is_paused then
  lists = {'suspects'}
elseif not is_paused then
  if due_ms and due_ms <= now_ms then
    promote_due(100)
    due_ms = next_due()
  end
  lists = {'ready:high', 'ready:normal', 'ready:low'}
end
-- A delayed job of a group has become ready, the first one: the runner calls again at once, and is told 'rationed'.
-- WHY not go on: this call would take the bell that was rung for the line, and wake nobody.
if lines_made then lists, ids_left = {}, 0 end
for _, list in ipairs(lists) do ids_left, bytes_left = start_list(list, limit, ids_left, bytes_left) end

local state = is_paused and 'paused' or ids_left == 0 and 'more' or ''
if #lists > 1 and (handed_out == limit or ids_left == 0) then
  if redis.call('EXISTS', base .. 'ready:high', base .. 'ready:low') > 0 then
    ring()
  elseif source == 'popped' and redis.call('EXISTS', base .. 'ready:normal') == 0 then
    state = 'empty'
  end
end
-- A pop that brought nothing is followed by a claim at once.
local is_idle = state == 'empty' or source == 'ready' and state == '' and handed_out == 0
return claim_reply(state, is_idle and due_ms and my_wait(runner, due_ms, PLAIN_MS) or '')
