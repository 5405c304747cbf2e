# The lines of a text. The first programs to write version 3 left out the ends of lines; version 4 puts lines together as
# they are. If the first line has no end, none has.
if .[0] | endswith("\n") or endswith("\r") | not
then [.[:-1][] + "\n", .[-1]]
else .
end
