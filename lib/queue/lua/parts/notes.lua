-- Notes are a running handler's log lines, progress and checkpoint. A runner sends text, parted by \29: first how many
-- log lines the attempt had sent before, then the notes, a letter and a text each:
--   l a log line: for how many ms it was logged by then, a blank, and the line   p the progress (JSON)
--   c a checkpoint (JSON)   d the checkpoint is to be deleted
-- Example: '2\29l40 third line\29p0.5'. A letter that is not known here is passed over: a newer runner may send it.
-- @use clock records find

-- each_note(notes): an iterator over the parts of that text.
local function each_note(notes)
  local from = 1
  return function()
    if not from then return nil end
    local stop = find(notes, '\29', from, true)
    local note = sub(notes, from, stop and stop - 1 or -1)
    from = stop and stop + 1
    return note
  end
end

-- keep_lines(id, attempt, lines, lost): add an attempt's lines, of the form '40 third line', to the job's log, of which
-- the last 200 stay. lost: how many lines before them never came. lib/queue/job_log.py has the form of what is kept.
-- WHY pcall: a log that somebody broke must cost neither the notes of other jobs nor the attempt's end.
-- WHY the number before the first is read from the last line: so it needs no field of the job. A line of an older
-- version has none.
local LINES_KEPT = '200'
local function keep_lines(id, attempt, lines, lost)
  local last, number = redis.pcall('LINDEX', base .. 'log:' .. id, '-1'), 0
  if type(last) == 'string' then
    number = tonumber(string.match(last, '\29(%d+)$')) or redis.call('LLEN', base .. 'log:' .. id)
  end
  local kept = {}
  for i, line in ipairs(lines) do
    local ago_ms, text = string.match(line, '^(%d+) (.*)$')
    local logged = digits(now_ms - (tonumber(ago_ms) or 0))
    kept[i] = table.concat({text or line, logged, attempt or '', digits(number + lost + i)}, '\29')
  end
  redis.pcall('RPUSH', base .. 'log:' .. id, unpack(kept))
  redis.pcall('LTRIM', base .. 'log:' .. id, '-' .. LINES_KEPT, '-1')
end

-- keep_notes(id, job, token, notes): write an attempt's notes; '' for none.
-- WHY `noted` holds token and count: notes that were on their way when the attempt ended come with the end once more.
-- WHY the time of a checkpoint stays where the same one is written again: by that time reap.lua sees whether a job that
-- takes its runners down gets on.
local function keep_notes(id, job, token, notes)
  if notes == '' then return end
  local sent, lost, lines = nil, 0, {}
  local noted, attempt = unpack(redis.call('HMGET', job, 'noted', 'attempts'))
  local noted_token, noted_count = string.match(noted or '', '^(%d+):(%d+)$')
  local kept = noted_token == token and tonumber(noted_count) or 0
  for note in each_note(notes) do
    local letter = sub(note, 1, 1)
    if not sent then
      sent = tonumber(note) or 0
      lost = math.max(0, sent - kept)
    elseif letter == 'l' then
      sent = sent + 1
      if sent > kept then lines[#lines + 1] = sub(note, 2) end
    elseif letter == 'p' then
      redis.call('HSET', job, 'progress', sub(note, 2))
    elseif letter == 'c' then
      local text = sub(note, 2)
      if redis.call('HGET', job, 'checkpoint') ~= text then
        redis.call('HSET', job, 'checkpoint', text, 'checkpointed', now)
      end
    elseif letter == 'd' then
      redis.call('HDEL', job, 'checkpoint', 'checkpointed')
    end
  end
  if #lines == 0 then return end
  keep_lines(id, attempt, lines, lost)
  redis.call('HSET', job, 'noted', token .. ':' .. string.format('%.0f', sent))
end
