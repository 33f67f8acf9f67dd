-- each_record(text): an iterator over the four fields of every record of `text`; a field that is empty is ''.
-- A record ends with \30, its fields are parted by \31, and only the last field may hold any text: JSON holds neither
-- character. Example: 'emails-01a2…\0311\031-email\031"sent"\030': an id, token 1, option -email, result "sent".
-- WHY no pattern: string.find with `plain` is memchr, and a pattern looks at every byte of a long spec by itself.
-- @use find
local sub = string.sub
local function each_record(text)
  local from = 1
  return function()
    local stop = find(text, '\30', from, true)
    if not stop then return nil end
    local first = find(text, '\31', from, true)
    local second = find(text, '\31', first + 1, true)
    local third = find(text, '\31', second + 1, true)
    local id, a = sub(text, from, first - 1), sub(text, first + 1, second - 1)
    local b, rest = sub(text, second + 1, third - 1), sub(text, third + 1, stop - 1)
    from = stop + 1
    return id, a, b, rest
  end
end
