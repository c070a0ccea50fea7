-- Begins a generation of a visit's text, in whose favour the older ones are superseded.
-- KEYS: the run, its streams, its records. ARGV: node, visit, rank, microseconds now, milliseconds to keep.
-- Returns the number of the generation; 0 where a newer attempt writes already.
local node, visit, rank, now, keep = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local stream = node .. '#' .. visit

-- Redis may drop any key alone when its memory is full; without the run nothing says which ids were given.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2], KEYS[3])
end
-- Redis lets the records expire before the rest.
if redis.call('EXISTS', KEYS[3]) == 0 and redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'size', 0)
end

-- A run whose text was trimmed, or a log that was lost, begins again beyond any id that somebody may have.
if redis.call('HSETNX', KEYS[1], 'begun', now) == 1 then
  redis.call('HSET', KEYS[1], 'last', now, 'size', 0)
end

local generation = 1
local head = redis.call('HGET', KEYS[2], stream)
if head then
  local newest, newest_rank = head:match('^(%d+) (%d+) ')
  if tonumber(rank) < tonumber(newest_rank) then
    return 0
  end
  generation = tonumber(newest) + 1
  local id = redis.call('HINCRBY', KEYS[1], 'last', 1)
  redis.call('XADD', KEYS[3], string.format('%.0f-0', id), 'kind', 'superseded', 'node', node, 'visit', visit,
    'generation', newest, 'offset', 0, 'text', '')
end

local first = tonumber(redis.call('HGET', KEYS[1], 'last')) + 1
redis.call('HSET', KEYS[2], stream, string.format('%d %s %.0f 0 -', generation, rank, first))
redis.call('PEXPIRE', KEYS[1], 2 * keep)
redis.call('PEXPIRE', KEYS[2], 2 * keep)
redis.call('PEXPIRE', KEYS[3], keep)
return generation
