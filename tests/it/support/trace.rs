//! What a process asked of the file system, read from `strace -f -y`: writes, syncs and names, in the
//! order in which they began and ended. Knows no rule about them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Place, not_shown};

/// The calls that are listened to: all that give a file bytes, a name, or durability, or say
/// something to whoever waits.
const CALLS: &str = "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,\
    fallocate,copy_file_range,sendfile,fsync,fdatasync,sync_file_range,msync,rename,renameat,renameat2,\
    link,linkat,unlink,unlinkat,mkdir,mkdirat";

/// What one call did. Calls that failed did nothing and are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Bytes or length of a file changed.
    Write(PathBuf),
    /// A file, or the names in a folder, are durable.
    Sync(PathBuf),
    /// A file was opened and may be new.
    Create(PathBuf),
    /// A folder is new.
    Folder(PathBuf),
    Rename(PathBuf, PathBuf),
    Unlink(PathBuf),
    /// Something was said on standard output.
    Say,
}

/// An act, and when it began and ended: a place in the trace each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) began: usize,
    pub(crate) ended: usize,
    pub(crate) act: Act,
}

/// Runs the program in `place` under strace. What it printed as a trace, or `None` where there is no
/// strace.
pub(crate) fn traced(place: &Place, arguments: &[&str]) -> Option<String> {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        not_shown("the order of durability", "there is no strace here");
        return None;
    }
    let out = place.home().join("strace");
    let untraced = place.command(arguments);
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-s", "0", "-e", "signal=none", "-e"])
        .arg(format!("trace={CALLS}"))
        .arg("-o")
        .arg(&out)
        .arg(untraced.get_program())
        .args(untraced.get_args())
        .env_clear()
        .envs(untraced.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(place.work())
        .stdin(Stdio::null());
    let said = place.said_by(&mut command);
    assert_eq!(said.exit, 0, "{said:?}");
    let text = std::fs::read_to_string(&out).unwrap();
    std::fs::remove_file(out).unwrap();
    Some(text)
}

/// The acts in a trace of a process that worked in `folder`, by when they ended.
pub(crate) fn parse(text: &str, folder: &Path) -> Vec<Call> {
    let mut begun: Vec<(&str, usize, &str)> = Vec::new();
    let mut calls = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let Some((pid, call)) = text.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(start) = call.strip_suffix(" <unfinished ...>") {
            begun.push((pid, line, start));
        } else if let Some(resumed) = call.strip_prefix("<... ") {
            let at = begun.iter().rposition(|(of, ..)| *of == pid);
            let at = at.unwrap_or_else(|| panic!("line {line} resumes nothing: {text}"));
            let (_, began, start) = begun.remove(at);
            let (_, rest) = resumed.split_once(" resumed>").unwrap();
            let acts = acts(&format!("{start}{rest}"), folder);
            calls.extend(acts.into_iter().map(|act| Call { began, ended: line, act }));
        } else {
            let acts = acts(call, folder);
            calls.extend(acts.into_iter().map(|act| Call { began: line, ended: line, act }));
        }
    }
    calls
}

/// What one call, with its answer, did.
fn acts(call: &str, folder: &Path) -> Vec<Act> {
    let Some((name, rest)) = call.split_once('(') else { return Vec::new() };
    let Some((arguments, answer)) = rest.rsplit_once(") ") else { return Vec::new() };
    let answer = answer.trim_start().trim_start_matches('=').trim_start();
    if answer.starts_with(['-', '?']) {
        return Vec::new();
    }
    let arguments = split(arguments);
    let file = |at: usize| arguments.get(at).and_then(|argument| opened(argument)).unwrap();
    let named = |at: usize| folder.join(arguments[at].trim_matches('"'));
    let named_in = |at: usize| {
        let below = opened(&arguments[at]).unwrap_or_else(|| folder.to_owned());
        below.join(arguments[at + 1].trim_matches('"'))
    };
    match name {
        "write" | "writev" if arguments[0].starts_with("1<") => vec![Act::Say],
        "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" | "ftruncate" | "fallocate" => {
            vec![Act::Write(file(0))]
        }
        "sendfile" => vec![Act::Write(file(0))],
        "copy_file_range" => vec![Act::Write(file(2))],
        "truncate" => vec![Act::Write(named(0))],
        "fsync" | "fdatasync" => vec![Act::Sync(file(0))],
        "open" | "openat" | "creat" => {
            let flags = if name == "openat" { arguments.get(2) } else { arguments.get(1) };
            let flags = flags.map_or("", String::as_str);
            let path = opened(answer).unwrap();
            let created = name == "creat" || flags.contains("O_CREAT");
            let emptied = name == "creat" || flags.contains("O_TRUNC");
            let create = created.then(|| Act::Create(path.clone()));
            create.into_iter().chain(emptied.then_some(Act::Write(path))).collect()
        }
        "rename" => vec![Act::Rename(named(0), named(1))],
        "renameat" | "renameat2" => vec![Act::Rename(named_in(0), named_in(2))],
        "link" => vec![Act::Create(named(1))],
        "linkat" => vec![Act::Create(named_in(2))],
        "unlink" => vec![Act::Unlink(named(0))],
        "unlinkat" => vec![Act::Unlink(named_in(0))],
        "mkdir" => vec![Act::Folder(named(0))],
        "mkdirat" => vec![Act::Folder(named_in(0))],
        // It starts writing back and promises nothing.
        "sync_file_range" => Vec::new(),
        // Memory that is mapped is written without a call, so nothing could be judged.
        "msync" => panic!("a mapped file is synced: {call}"),
        other => panic!("a call that was not asked for: {other}"),
    }
}

/// The arguments; a comma within quotes or a path parts none.
fn split(arguments: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted, mut depth) = (Vec::new(), String::new(), false, 0_u32);
    for c in arguments.chars() {
        match c {
            '"' if depth == 0 => quoted = !quoted,
            '<' if !quoted => depth += 1,
            '>' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                parts.push(std::mem::take(&mut part).trim().to_owned());
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part.trim().to_owned());
    parts
}

/// The path of `7</some/file>`.
fn opened(argument: &str) -> Option<PathBuf> {
    let (_, path) = argument.split_once('<')?;
    Some(PathBuf::from(path.rsplit_once('>')?.0))
}

impl Act {
    /// The file or folder it is about.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Write(path)
            | Self::Sync(path)
            | Self::Create(path)
            | Self::Folder(path)
            | Self::Rename(_, path)
            | Self::Unlink(path) => path,
            Self::Say => Path::new(OsStr::new("")),
        }
    }
}

#[test]
fn lines_of_strace_read_as_what_they_did() {
    let text = "\
7 openat(AT_FDCWD</w>, \"a, b\", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 9</w/a, b>
7 openat(AT_FDCWD</w>, \"c\", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 10</w/c>
7 openat(AT_FDCWD</w>, \"d\", O_RDONLY) = 11</w/d>
8 pwrite64(9</w/a, b>, \"\"..., 24, 8854 <unfinished ...>
7 fdatasync(10</w/c>) = 0
8 <... pwrite64 resumed>)           = 24
7 fsync(10</w/c>) = -1 EIO (Input/output error)
7 sync_file_range(10</w/c>, 0, 24, SYNC_FILE_RANGE_WRITE) = 0
7 renameat(AT_FDCWD</w>, \"c\", AT_FDCWD</w>, \"/x/y\") = 0
7 unlinkat(11</w/d>, \"e\", 0)         = 0
7 mkdir(\"/w/d\", 0777) = -1 EEXIST (File exists)
7 mkdir(\"/w/new\", 0777) = 0
7 write(1</dev/pts/0>, \"\"..., 165) = 165
7 exit_group(0)                     = ?
7 +++ exited with 0 +++
";
    let text = text.replace("7 exit_group(0)                     = ?\n", "");
    let at = |began, ended, act| Call { began, ended, act };
    let path = PathBuf::from;
    let expected = [
        at(0, 0, Act::Create(path("/w/a, b"))),
        at(1, 1, Act::Create(path("/w/c"))),
        at(1, 1, Act::Write(path("/w/c"))),
        at(4, 4, Act::Sync(path("/w/c"))),
        at(3, 5, Act::Write(path("/w/a, b"))),
        at(8, 8, Act::Rename(path("/w/c"), path("/x/y"))),
        at(9, 9, Act::Unlink(path("/w/d/e"))),
        at(11, 11, Act::Folder(path("/w/new"))),
        at(12, 12, Act::Say),
    ];
    assert_eq!(parse(&text, Path::new("/")), expected);
}
