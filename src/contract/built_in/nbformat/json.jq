# JSON that stood as text is the value that it says. A text that is no JSON stays a text.
def text: if type == "array" then join(if .[0] // "" | endswith("\n") or endswith("\r") then "" else "\n" end) else . end;

text as $text
| [try ($text | fromjson) catch ("no", "JSON")]
| if length == 1 then .[0] else $text end
