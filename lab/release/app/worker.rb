#!/usr/bin/ruby
# The example program `worker`: takes stock every so often. Nobody but monitoring ever asks it anything.
require_relative 'http'

EVERY = CONF.fetch('every', '5').to_f # seconds between two rounds
LATE = CONF.fetch('late', '4').to_f # so many rounds may be missing before that is a fault
LEDGER = CONF.fetch('ledger')

@done = 0
@last = now

# Write the new ledger beside the old one and put it in its place.
def take_stock
  draft = "#{LEDGER}.new"
  File.write(draft, "#{HOST} #{RELEASE} #{@done + 1}\n")
  File.rename(draft, LEDGER)
  @done += 1
  @last = now
rescue SystemCallError => e
  warn "the stock was not taken: #{e.message}" # the next round tries again
end

def respond(path, _session)
  case path
  when '/health'
    late = now - @last > EVERY * LATE
    [late ? 503 : 200, "#{RELEASE} has taken stock #{@done} times, #{late ? 'and stopped' : 'going on'}\n", {}]
  when '/version' then [200, "#{RELEASE}\n", {}]
  else [404, "nobody is served here\n", {}]
  end
end

Thread.new { loop { take_stock; sleep EVERY } }
listen
