-- each_record(text, pattern): the captures of every record, one after another. Records end with \30, fields with \31;
-- JSON text holds neither. WHY find with plain: a pattern over a long spec costs ten times what memchr does.
local function each_record(text, pattern)
  local from = 1
  return function()
    local stop = string.find(text, '\30', from, true)
    if not stop then return nil end
    local record = string.sub(text, from, stop - 1)
    from = stop + 1
    return string.match(record, pattern)
  end
end
