# Texts and paths as the programs that wrote run states make them: the rules of ECMAScript and of its POSIX paths.

# The white space that trim takes away, as the inside of a class of characters.
def white: "\t\n\u000b\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff";

# The input if it is a text with more in it than white space; otherwise nothing. Most texts show it by their first
# character, which is found out faster.
def filled: strings | select(.[:1] >= "!" and .[:1] <= "~" or test("[^" + white + "]"));

# The input as the text that String makes of it.
def text:
  if type == "object" then "[object Object]"
  elif type == "array" then map(if . == null then "" else text end) | join(",")
  else tostring
  end;

# A name as a title: words divided by spaces, each with a large first letter, if that is one unit of UTF-16.
def title:
  [splits("[-_" + white + "]+") | select(. != "")]
  | map((explode | .[:1]) as $first | if $first[0] > 65535 then . else ($first | implode | upcase) + .[1:] end)
  | if . == [] then "Workflow" else join(" ") end;

# A name as an identifier. Of all letters without a place in ASCII two have small letters with one.
def slug:
  gsub("\u212a"; "k") | gsub("\u0130"; "i\u0307") | ascii_downcase
  | gsub("[^a-z0-9]+"; "-") | ltrimstr("-") | rtrimstr("-")
  | if . == "" then "workflow" else . end;

# A path without empty parts, "." and whatever ".." takes back; a slash at its end stays.
def normal:
  startswith("/") as $absolute
  | endswith("/") as $open
  | reduce (split("/")[] | select(. != "" and . != ".")) as $part ([];
      if $part != ".." then . + [$part]
      elif length > 0 and last != ".." then .[:-1]
      elif $absolute then .
      else . + [".."]
      end)
  | join("/")
  | if . != "" then (if $absolute then "/" else "" end) + . + (if $open then "/" else "" end)
    elif $absolute then "/"
    elif $open then "./"
    else "."
    end;

# One path of several.
def path_of(parts):
  [parts | select(. != "")] | if . == [] then "." else join("/") | normal end;

# The folder that the state stands in, if it is known where it stands.
def run_folder: $parameters.statePath | strings | normal | sub("/[^/]*$"; "") | if . == "" then "/" else . end;

# The last part of the input.
def last_part: split("/") | map(select(. != "")) | last | strings;

# What a run is called whose state does not say it.
def run_name: first((.id | filled), (run_folder | last_part), "unknown-run");

# The folder of the run, by the state if it says so.
def run_place:
  first((.paths.runDir | filled), run_folder, path_of((.cwd | text), ".cw", "runs", run_name));
