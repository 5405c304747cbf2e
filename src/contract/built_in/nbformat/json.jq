# JSON that stood as text is the value that it says. A text that is no JSON stays a text.
. as $text
| [try fromjson catch ("no", "JSON")]
| if length == 1 then .[0] else $text end
