-- Deletes finished rings, and those that cannot be fetched any more. Returns how many finished ones went.
-- KEYS: 1 done, 2 dead, 3 data, 4 active, 5 scheduled, 6 workers
-- ARGV: 1 how many at most of each set, 2 prefix of a ring's fields, 3 prefix of a worker's rings
local data, most = KEYS[3], tonumber(ARGV[1])

local swept = 0
for at = 1, 2 do
  for _, id in ipairs(redis.call('SPOP', KEYS[at], most)) do
    redis.call('HDEL', data, id)
    redis.call('DEL', ARGV[2] .. ':' .. id)
    swept = swept + 1
  end
end

-- A Redis that makes room by itself may have dropped a part of a ring. Who fetches the rest ends with an error, and the next
-- who is given it does, too.
local function broken(id)
  return redis.call('HEXISTS', data, id) == 0 or redis.call('EXISTS', ARGV[2] .. ':' .. id) == 0
end
for _, id in ipairs(redis.call('LRANGE', KEYS[4], 0, most)) do
  if broken(id) then redis.call('LREM', KEYS[4], 0, id) end
end
for _, id in ipairs(redis.call('ZRANGE', KEYS[5], 0, most)) do
  if broken(id) then redis.call('ZREM', KEYS[5], id) end
end
for _, worker in ipairs(redis.call('ZRANGE', KEYS[6], 0, most)) do
  local held = ARGV[3] .. ':' .. worker
  for _, id in ipairs(redis.call('SMEMBERS', held)) do
    if broken(id) then redis.call('SREM', held, id) end
  end
end

return swept
