# A heading as one line of Markdown, as a list of lines if it was one.
def ended: endswith("\n") or endswith("\r");
def text: if type == "array" then join(if .[0] // "" | ended then "" else "\n" end) else . end;
def end_of_line: "\r\n|[\n\u000b\f\r\u001c-\u001e\u0085\u2028\u2029]";

(if has("level") then .level else 1 end) as $level
| if [1, 2, 3, 4, 5, 6] | index($level) then . else error("Markdown has headings of levels 1 to 6") end
| (.source // "") as $source
| ($source | text | sub("(" + end_of_line + ")$"; "") | [splits(end_of_line)] | join(" ")) as $line
| "\("######"[:$level]) \($line)" as $heading
| del(.level)
| .source = if $source | type == "array" then [$heading] else $heading end
