# A list of lines as one text. The first programs to write version 3 left out the ends of lines.
join(if .[0] // "" | endswith("\n") or endswith("\r") then "" else "\n" end)
