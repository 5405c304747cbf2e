//! What the rules need to know of a Rust file: the paths it names, its modules, its tests, its comments.
//!
//! Works on tokens rather than on text, so that a word in a string or a comment is never taken for code, and rather than
//! on a syntax tree, so that the arguments of macros count like any other code. Resolves no names: it says what is
//! written, the rules say what that means.

use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;
use std::str::FromStr;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

/// One Rust file, as flat tokens and what stands between them.
pub(super) struct Source {
    tokens: Vec<Token>,
    comments: Vec<Comment>,
    test_functions: Vec<String>,
    ignored_tests: Vec<usize>,
}

/// One line of a comment, doc comments included.
pub(super) struct Comment {
    pub(super) line: usize,
    pub(super) text: String,
}

/// A path as written, `use` groups resolved: `use a::{b, c::d}` is `a::b` and `a::c::d`. A lone name is a path as well.
pub(super) struct NamedPath<'a> {
    pub(super) segments: Vec<&'a str>,
    pub(super) line: usize,
    /// Stands in a `use` or `extern crate`, where a lone name can only be a crate or a module.
    pub(super) imported: bool,
    /// Is compiled for tests only.
    pub(super) test: bool,
    /// The modules of this file that it stands in, outermost first.
    pub(super) inside: Rc<[String]>,
}

impl NamedPath<'_> {
    /// Whether this can only be the crate `name` or something in it, rather than a variable of that name.
    pub(super) fn names_crate(&self, name: &str) -> bool {
        self.segments.first() == Some(&name) && (self.imported || self.segments.len() > 1)
    }
}

/// A `mod` item.
pub(super) struct Module<'a> {
    pub(super) name: &'a str,
    pub(super) line: usize,
    /// True for `mod name;`, whose content is a file of its own.
    pub(super) in_file: bool,
    /// The modules of this file that it stands in, outermost first.
    pub(super) inside: Rc<[String]>,
}

impl Source {
    /// Reads `text`; the error is the line at which it stops being Rust.
    pub(super) fn parse(text: &str) -> Result<Self, usize> {
        let stream = TokenStream::from_str(text).map_err(|error| error.span().start().line)?;
        let mut reader = Reader {
            text,
            tokens: Vec::new(),
            covered: Vec::new(),
            test_functions: Vec::new(),
            ignored_tests: Vec::new(),
        };
        reader.read(stream, &Rc::from([]), false);
        let comments = reader.comments();
        let Reader { tokens, test_functions, ignored_tests, .. } = reader;
        Ok(Self { tokens, comments, test_functions, ignored_tests })
    }

    /// Every path and every lone name; most keywords count as names.
    pub(super) fn paths(&self) -> Vec<NamedPath<'_>> {
        let mut paths = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            at = match self.name(at) {
                Some("use") => self.path_tree(at + 1, &[], true, &mut paths),
                Some("crate") if at > 0 && self.name(at - 1) == Some("extern") => {
                    self.path_tree(at + 1, &[], true, &mut paths)
                }
                Some(word)
                    if !PRECEDES_A_GLOBAL_PATH.contains(&word) && !self.continues_a_path(at) =>
                {
                    self.path_tree(at, &[], false, &mut paths)
                }
                _ => at + 1,
            };
        }
        paths
    }

    /// Every `mod` item, at any depth.
    pub(super) fn modules(&self) -> impl Iterator<Item = Module<'_>> {
        (0..self.tokens.len()).filter_map(|at| {
            let (Some("mod"), Some(name)) = (self.name(at), self.name(at + 1)) else {
                return None;
            };
            let in_file = match self.kind(at + 2)? {
                Kind::Mark(';') => true,
                Kind::Open('{') => false,
                _ => return None,
            };
            let token = self.tokens.get(at)?;
            Some(Module { name, line: token.line, in_file, inside: Rc::clone(&token.inside) })
        })
    }

    /// Lines that call the macro `name`.
    pub(super) fn macro_calls(&self, name: &str) -> impl Iterator<Item = usize> {
        self.tokens.iter().enumerate().filter_map(move |(at, token)| {
            let called = self.name(at) == Some(name) && self.kind(at + 1) == Some(&Kind::Mark('!'));
            called.then_some(token.line)
        })
    }

    /// Names of the functions marked `#[test]`.
    pub(super) fn test_functions(&self) -> &[String] {
        &self.test_functions
    }

    /// Lines of the attributes that switch a test off.
    pub(super) fn ignored_tests(&self) -> &[usize] {
        &self.ignored_tests
    }

    pub(super) fn comments(&self) -> &[Comment] {
        &self.comments
    }

    /// Lines that carry code: neither blank, nor comment, nor compiled for tests only.
    pub(super) fn code_lines(&self) -> usize {
        let lines: BTreeSet<usize> = self
            .tokens
            .iter()
            .filter(|token| !token.test)
            .flat_map(|token| token.line..=token.last_line)
            .collect();
        lines.len()
    }

    /// Reads the path, or the group of paths, that starts at `at` and goes on from `prefix`; answers where to read on.
    fn path_tree<'a>(
        &'a self,
        at: usize,
        prefix: &[&'a str],
        imported: bool,
        paths: &mut Vec<NamedPath<'a>>,
    ) -> usize {
        let start = if self.is_separator(at) { at + 2 } else { at };
        let mut segments = prefix.to_vec();
        let mut end = start;
        loop {
            match self.kind(end) {
                Some(Kind::Name(name)) => segments.push(name),
                Some(Kind::Mark('*')) if !segments.is_empty() => segments.push("*"),
                Some(Kind::Open('{')) => {
                    return self.path_group(end + 1, &segments, imported, paths);
                }
                _ => break,
            }
            end += 1;
            let goes_on = matches!(
                self.kind(end + 2),
                Some(Kind::Name(_) | Kind::Mark('*') | Kind::Open('{'))
            );
            if !(self.is_separator(end) && goes_on) {
                break;
            }
            end += 2;
        }
        match self.tokens.get(start) {
            Some(first) if end > start => {
                paths.push(NamedPath {
                    segments,
                    line: first.line,
                    imported,
                    test: first.test,
                    inside: Rc::clone(&first.inside),
                });
                end
            }
            _ => start + 1,
        }
    }

    /// Reads the comma-separated trees of a group up to its closing brace, and answers the place behind it.
    fn path_group<'a>(
        &'a self,
        mut at: usize,
        prefix: &[&'a str],
        imported: bool,
        paths: &mut Vec<NamedPath<'a>>,
    ) -> usize {
        while let Some(kind) = self.kind(at) {
            at = match kind {
                Kind::Close('}') => return at + 1,
                // The new name of `old as new` is no path.
                Kind::Name(name) if name == "as" => at + 2,
                Kind::Mark(',') => at + 1,
                _ => self.path_tree(at, prefix, imported, paths),
            };
        }
        at
    }

    /// Whether the name at `at` stands behind `something::`, and so starts nothing.
    fn continues_a_path(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(2) else {
            return false;
        };
        self.is_separator(before)
            && before.checked_sub(1).and_then(|owner| self.kind(owner)).is_some_and(|kind| {
                match kind {
                    Kind::Name(name) => !PRECEDES_A_GLOBAL_PATH.contains(&name.as_str()),
                    kind => *kind == Kind::Mark('>'),
                }
            })
    }

    fn is_separator(&self, at: usize) -> bool {
        self.kind(at) == Some(&Kind::Mark(':')) && self.kind(at + 1) == Some(&Kind::Mark(':'))
    }

    fn kind(&self, at: usize) -> Option<&Kind> {
        self.tokens.get(at).map(|token| &token.kind)
    }

    fn name(&self, at: usize) -> Option<&str> {
        match self.kind(at)? {
            Kind::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// Keywords behind which `::name` is a path from the crates down, not the rest of one.
const PRECEDES_A_GLOBAL_PATH: &[&str] = &[
    "as", "dyn", "else", "for", "if", "impl", "in", "match", "move", "mut", "ref", "return", "use",
    "while",
];

struct Token {
    kind: Kind,
    line: usize,
    last_line: usize,
    test: bool,
    inside: Rc<[String]>,
}

#[derive(PartialEq, Eq)]
enum Kind {
    Name(String),
    Mark(char),
    Literal,
    Open(char),
    Close(char),
}

struct Reader<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// Byte ranges of all tokens, ascending. What lies between is white space or comment.
    covered: Vec<Range<usize>>,
    test_functions: Vec<String>,
    ignored_tests: Vec<usize>,
}

impl Reader<'_> {
    /// Appends the tokens of `stream`, which stands in the modules `inside` and, if `test`, in code for tests only.
    fn read(&mut self, stream: TokenStream, inside: &Rc<[String]>, mut test: bool) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        // From an attribute up to the end of the item that it stands on.
        let mut only_for_tests = false;
        let mut is_test = false;
        for (at, tree) in trees.iter().enumerate() {
            if self.is_doc_comment(tree) {
                continue;
            }
            if let Some(attribute) = attribute(trees.get(at..).unwrap_or_default()) {
                is_test |= attribute.is("test");
                only_for_tests |= is_test || attribute.is_for_tests();
                test |= attribute.inner && attribute.is_for_tests();
                if attribute.switches_off() {
                    self.ignored_tests.push(attribute.line);
                }
            }
            let before = at.checked_sub(1).and_then(|before| trees.get(before));
            let compiled_for_tests = test || only_for_tests;
            match tree {
                TokenTree::Group(group) => {
                    let name = before.and_then(name_of);
                    let opens_module = at >= 2
                        && trees.get(at - 2).and_then(name_of).is_some_and(|word| word == "mod");
                    match name {
                        Some(name) if opens_module => {
                            let inside: Rc<[String]> =
                                inside.iter().cloned().chain([name]).collect();
                            self.read_group(group, &inside, compiled_for_tests);
                        }
                        _ => self.read_group(group, inside, compiled_for_tests),
                    }
                    if group.delimiter() == Delimiter::Brace {
                        (only_for_tests, is_test) = (false, false);
                    }
                }
                TokenTree::Ident(name) => {
                    let name = name.to_string();
                    if is_test && before.and_then(name_of).is_some_and(|word| word == "fn") {
                        self.test_functions.push(name.clone());
                    }
                    self.push(Kind::Name(name), tree.span(), inside, compiled_for_tests);
                }
                TokenTree::Punct(mark) => {
                    self.push(Kind::Mark(mark.as_char()), tree.span(), inside, compiled_for_tests);
                    if mark.as_char() == ';' {
                        (only_for_tests, is_test) = (false, false);
                    }
                }
                TokenTree::Literal(_) => {
                    self.push(Kind::Literal, tree.span(), inside, compiled_for_tests);
                }
            }
        }
    }

    fn read_group(&mut self, group: &Group, inside: &Rc<[String]>, test: bool) {
        let (open, close) = match group.delimiter() {
            Delimiter::Brace => ('{', '}'),
            Delimiter::Bracket => ('[', ']'),
            Delimiter::Parenthesis | Delimiter::None => ('(', ')'),
        };
        self.push(Kind::Open(open), group.span_open(), inside, test);
        self.read(group.stream(), inside, test);
        self.push(Kind::Close(close), group.span_close(), inside, test);
    }

    fn push(&mut self, kind: Kind, span: Span, inside: &Rc<[String]>, test: bool) {
        let (line, last_line) = (span.start().line, span.end().line);
        self.covered.push(span.byte_range());
        self.tokens.push(Token { kind, line, last_line, test, inside: Rc::clone(inside) });
    }

    /// A doc comment arrives as the attribute it stands for, every token of which spans the whole comment.
    fn is_doc_comment(&self, tree: &TokenTree) -> bool {
        let text = self.text.get(tree.span().byte_range()).unwrap_or_default();
        text.starts_with("//") || text.starts_with("/*")
    }

    fn comments(&self) -> Vec<Comment> {
        let mut comments = Vec::new();
        let mut line = 1;
        let mut end = 0;
        let rest = self.text.len()..self.text.len();
        for token in self.covered.iter().chain([&rest]) {
            let gap = self.text.get(end..token.start).unwrap_or_default();
            for (offset, text) in
                gap.split('\n').enumerate().filter(|(_, text)| !text.trim().is_empty())
            {
                comments.push(Comment { line: line + offset, text: text.trim().to_owned() });
            }
            let passed = self.text.get(end..token.end).unwrap_or_default();
            line += passed.matches('\n').count();
            end = token.end;
        }
        comments
    }
}

struct Attribute {
    words: Vec<String>,
    inner: bool,
    line: usize,
}

impl Attribute {
    fn is(&self, name: &str) -> bool {
        self.words.first().is_some_and(|word| word == name)
    }

    fn has(&self, name: &str) -> bool {
        self.words.iter().any(|word| word == name)
    }

    fn is_for_tests(&self) -> bool {
        self.is("cfg") && self.has("test") && !self.has("not") && !self.has("any")
    }

    fn switches_off(&self) -> bool {
        self.is("ignore") || (self.is("cfg_attr") && self.has("ignore"))
    }
}

/// The attribute that starts with the first of `trees`, if one does.
fn attribute(trees: &[TokenTree]) -> Option<Attribute> {
    let [TokenTree::Punct(mark), rest @ ..] = trees else {
        return None;
    };
    if mark.as_char() != '#' {
        return None;
    }
    let (inner, group) = match rest {
        [TokenTree::Group(group), ..] => (false, group),
        [TokenTree::Punct(mark), TokenTree::Group(group), ..] if mark.as_char() == '!' => {
            (true, group)
        }
        _ => return None,
    };
    let mut words = Vec::new();
    collect_words(group.stream(), &mut words);
    (group.delimiter() == Delimiter::Bracket).then(|| Attribute {
        words,
        inner,
        line: mark.span().start().line,
    })
}

fn collect_words(stream: TokenStream, words: &mut Vec<String>) {
    for tree in stream {
        match tree {
            TokenTree::Ident(name) => words.push(name.to_string()),
            TokenTree::Group(group) => collect_words(group.stream(), words),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn name_of(tree: &TokenTree) -> Option<String> {
    match tree {
        TokenTree::Ident(name) => Some(name.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let source = Source::parse(text).unwrap();
        source
            .paths()
            .iter()
            .filter(|path| path.segments.len() > 1)
            .map(|path| path.segments.join("::"))
            .collect()
    }

    #[test]
    fn paths_are_found_in_uses_types_expressions_and_macros() {
        assert_eq!(paths("use a::b;"), ["a::b"]);
        assert_eq!(
            paths("pub use a::{b, c::{d, self}, e as f, g::*};"),
            ["a::b", "a::c::d", "a::c::self", "a::e", "a::g::*"]
        );
        assert_eq!(paths("use {a::b, ::c::d};"), ["a::b", "c::d"]);
        assert_eq!(
            paths("fn f(x: ::a::B) -> c::D { e::f::<g::H>(1).i() }"),
            ["a::B", "c::D", "e::f", "g::H"]
        );
        assert_eq!(paths("fn f() { assert_eq!(a::b(), vec![c::d]); }"), ["a::b", "c::d"]);
        assert_eq!(
            paths("fn f() { return ::a::b() } const C: u8 = <A as b::C>::D;"),
            ["a::b", "b::C"]
        );
        assert_eq!(
            paths("fn f(a: &[a::B]) { if a::c() { a::d::e!() } }"),
            ["a::B", "a::c", "a::d::e"]
        );
    }

    #[test]
    fn strings_and_comments_name_nothing() {
        assert_eq!(
            paths(
                "// use a::b;\n/// a::b\n/* a::b */ const C: &str = \"use a::b;\"; const D: &str = r#\"a::b\"#;"
            ),
            [""; 0]
        );
    }

    #[test]
    fn a_lone_name_is_a_crate_only_where_it_is_imported() {
        let source =
            Source::parse("use sled; extern crate rand; fn f(log: u8) { let sled = log; }")
                .unwrap();
        let names =
            |name: &str| source.paths().iter().filter(|path| path.names_crate(name)).count();
        assert_eq!((names("sled"), names("rand"), names("log")), (1, 1, 0));
    }

    #[test]
    fn code_for_tests_is_told_from_code() {
        let text = "fn a() {}\n#[cfg(test)]\nfn b() {}\n#[cfg(test)]\nmod t {\n    #[test]\n    fn c() { x::y() }\n}\nfn d() { x::z() }\n";
        let source = Source::parse(text).unwrap();
        assert_eq!(source.test_functions(), ["c"]);
        assert_eq!(source.code_lines(), 2);
        let of_tests: Vec<bool> = source
            .paths()
            .iter()
            .filter(|path| path.segments.len() > 1)
            .map(|path| path.test)
            .collect();
        assert_eq!(of_tests, [true, false]);
        assert_eq!(Source::parse("#![cfg(test)]\nfn a() {}").unwrap().code_lines(), 0);
        assert_eq!(Source::parse("#[cfg(not(test))]\nfn a() {}").unwrap().code_lines(), 2);
    }

    #[test]
    fn modules_are_found_with_what_they_stand_in() {
        let source = Source::parse("mod a;\nmod b { mod c; mod d {} }").unwrap();
        let modules: Vec<(String, bool)> = source
            .modules()
            .map(|module| {
                (
                    module
                        .inside
                        .iter()
                        .map(String::as_str)
                        .chain([module.name])
                        .collect::<Vec<_>>()
                        .join("/"),
                    module.in_file,
                )
            })
            .collect();
        assert_eq!(
            modules,
            [("a".into(), true), ("b".into(), false), ("b/c".into(), true), ("b/d".into(), false)]
        );
    }

    #[test]
    fn comments_keep_their_lines_and_strings_are_none() {
        let source = Source::parse(
            "//! öne\nfn f() { \"// no\\n\n\" } // two\n/* three\nfour */\n/// five\nfn g() {}",
        )
        .unwrap();
        let comments: Vec<(usize, &str)> =
            source.comments().iter().map(|comment| (comment.line, comment.text.as_str())).collect();
        assert_eq!(
            comments,
            [(1, "//! öne"), (3, "// two"), (4, "/* three"), (5, "four */"), (6, "/// five")]
        );
    }

    #[test]
    fn tests_switched_off_are_found_in_every_form() {
        let text = "#[test]\n#[ignore]\nfn a() {}\n#[test]\n#[ignore = \"slow\"]\nfn b() {}\n#[cfg_attr(miri, ignore)]\nfn c() {}";
        assert_eq!(Source::parse(text).unwrap().ignored_tests(), [2, 5, 7]);
    }

    #[test]
    fn text_that_is_no_rust_answers_with_its_line() {
        assert_eq!(Source::parse("fn a() {}\nfn b( {").err(), Some(2));
    }
}
