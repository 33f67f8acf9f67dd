-- wait_ms(due_ms): how long it is until then, as text of whole ms, '0' where due_ms is over; '' where due_ms is nil.
-- WHY format: Lua would write 15 digits as 2.5e+14.
-- @use clock
local function wait_ms(due_ms)
  return due_ms and string.format('%.0f', math.max(0, math.ceil(due_ms - now_ms))) or ''
end
