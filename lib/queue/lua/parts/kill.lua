-- kill(ids, error_text, by): jobs that no runner holds are dead. error_text: JSON, the `error` of each of them.
-- killed: the ids, for the log of whoever called the script.
-- @use conclude
local killed = {}
local function kill(ids, error_text, by)
  local fields = {}
  for _, id in ipairs(ids) do
    fields[id] = {'error', error_text}
    killed[#killed + 1] = id
  end
  conclude('dead', ids, by, fields)
end

-- kill_expired(ids): these jobs were to begin before a certain time, and have not begun.
local function kill_expired(ids)
  kill(ids, '{"type":"expired","message":"it had not begun when its expires_in_s was over"}', 'expire')
end
