//! A page in a real browser without a window, which `tools/report/look.py` drives.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// One for all tests, one page at a time. It ends when its stdin does.
static BROWSER: Mutex<Option<Browser>> = Mutex::new(None);

struct Browser {
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    _process: Child,
}

/// Opens a page and says what it came to; what may be asked stands in the tool.
pub(crate) fn look(request: &Value) -> Value {
    let mut browser = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
    let browser = browser.get_or_insert_with(Browser::start);
    writeln!(browser.requests, "{request}").unwrap();
    let mut answer = String::new();
    browser.answers.read_line(&mut answer).unwrap();
    serde_json::from_str(&answer)
        .unwrap_or_else(|error| panic!("{error}: no browser answers; tools/setup installs one"))
}

impl Browser {
    fn start() -> Self {
        let mut process = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/report/look.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { requests, answers, _process: process }
    }
}
