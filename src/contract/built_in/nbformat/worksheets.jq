# The cells of all worksheets in one list.
if has("cells") then error("a notebook with worksheets has cells beside them") else .cells = [.worksheets[].cells[]] end
