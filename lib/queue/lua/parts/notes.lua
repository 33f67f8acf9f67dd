-- parted(text): the last field of a record that ends an attempt: its own words, and behind a \29 what the attempt has said
-- and Redis may not have, or ''. JSON holds no \29.
-- @use clock records
local function parted(text)
  local cut = find(text, '\29', 1, true)
  if not cut then return text, '' end
  return sub(text, 1, cut - 1), sub(text, cut + 1)
end

-- each_note(said): its notes, parted by \29, one after the other.
local function each_note(said)
  local from = 1
  return function()
    if not from then return nil end
    local stop = find(said, '\29', from, true)
    local note = sub(said, from, stop and stop - 1 or -1)
    from = stop and stop + 1
    return note
  end
end

-- keep_notes(id, job, token, said): keep what an attempt said. said: '' or first how many log lines the attempt had said
-- before, then notes: a letter, and a text. 'l' is a log line, 'p' the progress (JSON), 'c' a checkpoint (JSON), 'd' that
-- there is to be none any more. A letter that is not known here is passed over.
-- WHY `noted`, token and count: a note that was on its way when its attempt ended comes with the end again.
-- WHY pcall: a log that somebody broke must cost neither the notes of other jobs nor the end.
local LINES_KEPT = '200'
local function keep_notes(id, job, token, said)
  if said == '' then return end
  local before, lines = nil, {}
  local has_noted, noted = string.match(redis.call('HGET', job, 'noted') or '', '^(%d+):(%d+)$')
  local known = has_noted == token and tonumber(noted) or 0
  for note in each_note(said) do
    local letter = sub(note, 1, 1)
    if not before then
      before = tonumber(note) or 0
    elseif letter == 'l' then
      before = before + 1
      if before > known then lines[#lines + 1] = sub(note, 2) end
    elseif letter == 'p' then
      redis.call('HSET', job, 'progress', sub(note, 2))
    elseif letter == 'c' then
      redis.call('HSET', job, 'checkpoint', sub(note, 2), 'checkpointed', now)
    elseif letter == 'd' then
      redis.call('HDEL', job, 'checkpoint', 'checkpointed')
    end
  end
  if #lines == 0 then return end
  redis.pcall('RPUSH', base .. 'log:' .. id, unpack(lines))
  redis.pcall('LTRIM', base .. 'log:' .. id, '-' .. LINES_KEPT, '-1')
  redis.call('HSET', job, 'noted', token .. ':' .. string.format('%.0f', before))
end
