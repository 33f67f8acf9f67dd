-- note_error(outcome, type_name, error_text, id): count an attempt that went wrong, for GET /api/errors.
-- outcome: 'dead' | 'retried'. type_name: of the job. error_text: the error (JSON).
-- Errors of a kind are counted together, in the hash `errors:<hour>`:
--      'email\31SMTPServerBusy\31# mails an hour at most' -> '1760000000123\31email-01a2…\0313 0 2;7 1 0'
-- That is ms and job of the last one, and for five minutes of the hour (their number, 0 to 11) how many were dead and
-- how many were retried. See lib/jobs/error_kinds.py.
-- WHY digits, hexadecimal numbers and addresses are masked: they differ from job to job, and the kind does not.
-- WHY a status that begins the line is not: "503 from 10.1.2.3" and "429 from 10.1.2.3" are two kinds. A status is
-- three digits, 300 to 599, before a space, a colon or the end: "12 mails" and "404.5 s" begin with none.
-- WHY no quote, = or : is of an address: where `password='a@b c'` is shown, its name and its quotes tell what to mask.
-- WHY pcall: a broken hash must not stop a script half-way.
-- @use clock
local MOST_KINDS, LONGEST_LINE = 50, 160

local function kind_of_error(type_name, error_text)
  local is_read, about = pcall(cjson.decode, error_text or '')
  if not is_read or type(about) ~= 'table' then about = {} end
  local name = type(about.type) == 'string' and string.gsub(string.sub(about.type, 1, 100), '%c', ' ') or 'unknown'
  local line = type(about.message) == 'string' and string.match(string.sub(about.message, 1, 400), '[^%c]+') or ''
  local status = string.match(line .. ' ', '^([345]%d%d)[ :]') or ''
  line = string.sub(line, #status + 1)
  for _, pattern in ipairs({'[^%s=:\'"]+@[^%s\'"]+', '%x+%-%x+%-%x+%-%x+%-%x+', '%x%x%x%x%x%x%x%x+', '%d+'}) do
    line = string.gsub(line, pattern, '#')
  end
  line = status .. line
  if #line > LONGEST_LINE then
    line = string.gsub(string.sub(line, 1, LONGEST_LINE), '[\192-\255]?[\128-\191]*$', '')
  end
  return table.concat({type_name, name, line}, '\31')
end

local function note_error(outcome, type_name, error_text, id)
  local hour = math.floor(now_ms / 3600000)
  local key, kind = base .. 'errors:' .. digits(hour), kind_of_error(type_name, error_text)
  local seen = redis.pcall('HGET', key, kind)
  local kinds = seen and 1 or redis.call('HLEN', key)
  if not seen and kinds >= MOST_KINDS then
    kind = '\31other\31'
    seen = redis.call('HGET', key, kind)
  end
  local five_minutes = math.floor((now_ms - hour * 3600000) / 300000)
  local rows = type(seen) == 'string' and string.match(seen, '\31([^\31]*)$') or ''
  local before, at, dead, retried = string.match(rows, '^(.-)(%d+) (%d+) (%d+)$')
  if tonumber(at) ~= five_minutes then before, dead, retried = rows == '' and '' or rows .. ';', 0, 0 end
  if outcome == 'dead' then dead = dead + 1 else retried = retried + 1 end
  rows = before .. table.concat({five_minutes, digits(dead), digits(retried)}, ' ')
  redis.pcall('HSET', key, kind, table.concat({now, id, rows}, '\31'))
  if kinds == 0 then redis.call('EXPIRE', key, 90000) end
end
