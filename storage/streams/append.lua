-- Adds text to a stream, or its end, or both; the same again changes nothing.
-- KEYS: the run, its streams, its records. ARGV: node, visit, generation, offset and length in characters, text, why it
-- ends (- if it does not), milliseconds to keep, bytes to keep of a run.
-- Returns 1 if it was taken, 0 if the generation is superseded or has ended, -1 if nothing is known of the text.
local node, visit, generation, offset, length = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local text, ending, keep, most = ARGV[6], ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local trimmed_to = 0.75
local stream = node .. '#' .. visit

-- Redis may drop any key alone when its memory is full; without the run nothing says which ids were given.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2], KEYS[3])
end
-- Redis lets the records expire before the rest.
if redis.call('EXISTS', KEYS[3]) == 0 and redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'size', 0)
end

local head = redis.call('HGET', KEYS[2], stream)
if not head then
  return -1
end
local newest, rank, first, written, ended = head:match('^(%d+) (%d+) (%d+) (%d+) (.*)$')
written = tonumber(written)
if newest ~= generation then
  return 0
end
if ended ~= '-' then
  return (ended == ending and written == offset + length) and 1 or 0
end
if written ~= offset then
  if written ~= offset + length then
    return 0
  end
  length = 0
end

local function record(kind, what)
  local id = redis.call('HINCRBY', KEYS[1], 'last', 1)
  redis.call('XADD', KEYS[3], string.format('%.0f-0', id), 'kind', kind, 'node', node, 'visit', visit,
    'generation', generation, 'offset', offset, 'text', what)
  return redis.call('HINCRBY', KEYS[1], 'size', #what)
end

local size = 0
if length > 0 then
  size = record('delta', text)
  written = offset + length
end
if ending ~= '-' then
  size = record('finished', ending)
end
redis.call('HSET', KEYS[2], stream, string.format('%s %s %s %.0f %s', newest, rank, first, written, ending))
redis.call('PEXPIRE', KEYS[1], 2 * keep)
redis.call('PEXPIRE', KEYS[2], 2 * keep)
redis.call('PEXPIRE', KEYS[3], keep)

if size > most then
  -- The oldest goes, but nothing that somebody is still writing, nor what came after it.
  local oldest = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)[1][2]
  local its_head = redis.call('HGET', KEYS[2], oldest[4] .. '#' .. oldest[6]) or ''
  local its_newest, its_ending = its_head:match('^(%d+) %d+ %d+ %d+ (.*)$')
  if its_newest == oldest[8] and its_ending == '-' then
    return 1
  end
  local guarded = math.huge
  for _, other in ipairs(redis.call('HVALS', KEYS[2])) do
    local its_first, its_end = other:match('^%d+ %d+ (%d+) %d+ (.*)$')
    if its_end == '-' then
      guarded = math.min(guarded, tonumber(its_first))
    end
  end
  local freed, going, from = 0, nil, '-'
  while size - freed > most * trimmed_to do
    local found = redis.call('XRANGE', KEYS[3], from, '+', 'COUNT', 100)
    if #found == 0 then
      break
    end
    for _, entry in ipairs(found) do
      local id = tonumber(entry[1]:match('^%d+'))
      if id >= guarded or size - freed <= most * trimmed_to then
        found = nil
        break
      end
      local its_text = entry[2][12]
      freed = freed + #its_text
      going = id
      from = '(' .. entry[1]
    end
    if not found then
      break
    end
  end
  if going then
    redis.call('XTRIM', KEYS[3], 'MINID', string.format('%.0f-0', going + 1))
    redis.call('HINCRBY', KEYS[1], 'size', -freed)
  end
end
return 1
