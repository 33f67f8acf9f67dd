#!lua flags=allow-oom
-- resolve.lua: tell followers what has become of their parents (parts/edges.lua), and free or end the followers by it.
-- KEYS 1 base
-- ARGV 1 records, 200 at most: follower, parent, mark (parts/edges.lua; G as attach.lua answers it) and behind it the
--      ms at which it was so, or nothing, what the parent said
--      2 '<process> <number>' as plant.lua has it, or ''
-- RETURNS a letter a record: 1 taken | f taken, and the follower is free | e taken, and the follower has ended by it
--      | 0 the follower knows as much already, or does not wait for that parent | - there is no such job; and a +
--      behind them where jobs of this queue have ended, or are open, and others are to be told
-- @transition blocked --resolve--> ready
-- @transition blocked --resolve--> delayed
-- @transition blocked --resolve--> completed
-- @transition blocked --resolve--> dead
-- @transition blocked --resolve--> cancelled
-- @transition cancelled --resolve--> ready
-- @transition cancelled --resolve--> delayed
-- @transition cancelled --resolve--> blocked
-- @transition cancelled --resolve--> completed
-- @transition cancelled --resolve--> dead
-- @transition cancelled --resolve--> cancelled
-- @transition dead --resolve--> completed
-- @transition dead --resolve--> cancelled
-- @rarely digits announce block ask_now each_edge wait_for give_notice what_it_said mark_of tell_end ring delay
-- @rarely quarantine lines letter_of count_stale unmark_stale place make_ready tally type_in_spec add_one conclude
-- @rarely has_not_got is_without_anchor knows_anchor reopen could_not_begin culprit_of own_jobs end_by_others
-- @rarely end_workflow open take_out_of_end
-- @use block check_types commit_mark edges notices records set_free verdict reopen anchor
-- WHY ranks: a word that comes twice, or late and out of turn, changes nothing. Whichever way the words come, the
-- best of each parent stands.
-- WHY allow-oom: what comes in leaves a stream.
local records, mark_text = ARGV[1], ARGV[2]
local MOST_KEPT = 65536

check_types('LLEN', 'ready:high', 'ready:normal', 'ready:low')
check_types('ZCARD', 'blocked', 'unsure', 'completed', 'dead', 'cancelled')
if not has_followers() then check_types('XLEN', 'notices') end

-- Were edges of the job reopened since the word was true? Then the job is to ask.
-- WHY: two tell the same notice. One has told it, the job has ended by it and somebody runs it again; and then comes
-- the other. WHY c and o always count: what has completed, or is open, stays so.
-- And a job whose anchor is there believes no notice that another is gone (parts/anchor.lua): it asks.
local function is_void(id, rule, mark, ms)
  if mark == 'c' or mark == 'o' then return false end
  local state, reopened = unpack(redis.call('HMGET', base .. 'job:' .. id, 'state', 'reopened'))
  local is_old = ms and reopened and ms < (tonumber(reopened) or 0)
  local is_doubted = mark == 'g' and not is_for_open(rule) and knows_anchor(id, rule)
  if (is_old or is_doubted) and state == 'blocked' then ask_now(id) end
  return is_old or is_doubted
end

-- What a job has heard of others before its workflow is open, or its anchor is there, may be void; it asks anew then.
-- Where the workflow had been ended, its jobs have ended for that, and none had begun. Else those are gone that asked
-- for the anchor before it was there. WHY not c: what has completed stays so.
local function is_of_others(rule) return not is_of_own_job(rule) and not is_for_open(rule) end
local function is_void_of_unbegun(rule, mark) return mark ~= 'c' and is_of_others(rule) end
local function is_void_of_gone(rule, mark) return mark == 'g' and is_of_others(rule) end

local function void_others(id, rule, was)
  local state, reopened = unpack(redis.call('HMGET', base .. 'job:' .. id, 'state', 'reopened'))
  local had_ended = rule == 'o' and (was ~= 'open' or reopened)
  -- WHY: reopen reads all edges, and as a rule there is none to be void.
  if not had_ended and (tonumber(redis.call('HGET', parents_of(id), '#lost') or 0) or 0) <= 0 then return end
  if reopen(id, had_ended and is_void_of_unbegun or is_void_of_gone) and state == 'blocked' then ask_now(id) end
end

-- Keep the parent's result or error; where this word has none, drop that of an earlier word. known: the mark until now.
local function keep_said(id, parent, said, known)
  if said ~= '' then
    redis.call('HSET', said_to(id), parent, #said > MOST_KEPT and '!' or said)
  elseif known ~= '.' then
    redis.call('HDEL', said_to(id), parent)
  end
end

-- Write the word into the edge. Returns whether the word has a higher rank than the mark that stood there.
local function take_word(id, parent, word, ms, said)
  local edge = redis.call('HGET', parents_of(id), parent)
  if not edge then return false end
  local rule, known, name = split_edge(edge)
  local mark = string.lower(word)
  if mark == 'o' and not is_for_open(rule) then return false end
  local was, is = class_of(rule, known), class_of(rule, mark)
  if RANKS[is] <= RANKS[was] or is_void(id, rule, word, ms) then return false end
  redis.call('HSET', parents_of(id), parent, rule .. mark .. name)
  if not is_of_own_job(rule) then keep_said(id, parent, said, known) end
  redis.call('HINCRBY', parents_of(id), count_name(rule, was), '-1')
  if is ~= 'ok' then redis.call('HINCRBY', parents_of(id), count_name(rule, is), '1') end
  if mark == 'o' then void_others(id, rule, was) end
  return true
end

local LETTERS_OF = {['free'] = 'f', ['.'] = '1', ['open'] = '1'}
local function judge(id, job)
  local verdict = decide(id, job, 'resolve')
  if verdict == 'free' then set_free(id, job) end
  return verdict and (LETTERS_OF[verdict] or 'e') or '1'
end

local answers = {}
for id, parent, mark, said in each_record(records) do
  local job = base .. 'job:' .. id
  if take_word(id, parent, string.sub(mark, 1, 1), tonumber(string.sub(mark, 2)), said) then
    answers[#answers + 1] = judge(id, job)
  else
    answers[#answers + 1] = redis.call('EXISTS', job) == 1 and '0' or '-'
  end
end
note_commit(mark_text)
publish_blocked('resolve')
publish_freed('resolve')
return table.concat(answers) .. (notices_given > 0 and '+' or '')
