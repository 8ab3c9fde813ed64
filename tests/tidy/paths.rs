//! The paths that a file names, read from its text: `use` declarations over any number of lines, and expressions.

/// What a file names.
#[derive(Default)]
pub(crate) struct Paths {
    /// What it brings in by `use`, each under a name of its own.
    pub(crate) imports: Vec<Import>,
    /// What it names where it stands: two segments or more.
    pub(crate) named: Vec<Vec<String>>,
}

/// One name that a `use` declaration brings in.
#[derive(Debug, PartialEq)]
pub(crate) struct Import {
    /// As it is written, with `*` at its end for everything.
    pub(crate) path: Vec<String>,
    /// What it is called here.
    pub(crate) name: String,
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    /// Two colons.
    Separator,
    Mark(char),
}

// === impl Paths ===

impl Paths {
    pub(crate) fn read(code: &str) -> Self {
        let tokens = tokens(code);
        let mut paths = Self::default();
        let mut at = 0;
        while at < tokens.len() {
            let after_a_path =
                at > 0 && matches!(tokens[at - 1], Token::Separator | Token::Mark('.'));
            let Token::Word(word) = &tokens[at] else {
                at += 1;
                continue;
            };
            // `use<'a>` bounds what an opaque type captures.
            if word == "use" && tokens.get(at + 1) != Some(&Token::Mark('<')) {
                at = paths.read_tree(&tokens, at + 1, &[]);
                continue;
            }
            let mut path = vec![word.clone()];
            at += 1;
            while let (Some(Token::Separator), Some(Token::Word(next))) =
                (tokens.get(at), tokens.get(at + 1))
            {
                path.push(next.clone());
                at += 2;
            }
            if path.len() > 1 && !after_a_path {
                paths.named.push(path);
            }
        }
        paths
    }

    /// Reads one branch of a `use` declaration; yields where it ends.
    fn read_tree(&mut self, tokens: &[Token], mut at: usize, before: &[String]) -> usize {
        let mut path = before.to_vec();
        loop {
            match tokens.get(at) {
                Some(Token::Separator) => at += 1,
                Some(Token::Word(word)) if word == "as" => {
                    let Some(Token::Word(name)) = tokens.get(at + 1) else { return at + 1 };
                    self.imports.push(Import { path, name: name.clone() });
                    return at + 2;
                }
                Some(Token::Word(word)) => {
                    // `{self}` is the module itself.
                    if word != "self" || path.is_empty() {
                        path.push(word.clone());
                    }
                    at += 1;
                }
                Some(Token::Mark('*')) => {
                    path.push("*".to_owned());
                    at += 1;
                }
                Some(Token::Mark('{')) => {
                    at += 1;
                    while tokens.get(at).is_some_and(|token| *token != Token::Mark('}')) {
                        at = self.read_tree(tokens, at, &path);
                        if tokens.get(at) == Some(&Token::Mark(',')) {
                            at += 1;
                        }
                    }
                    return at + 1;
                }
                _ => {
                    if let Some(name) = path.last().cloned() {
                        self.imports.push(Import { path, name });
                    }
                    // The mark ends this branch; a comma and a brace belong to the one above.
                    return at;
                }
            }
        }
    }
}

/// The words and marks of a text, without comments, strings and characters.
fn tokens(code: &str) -> Vec<Token> {
    let text: Vec<char> = code.chars().collect();
    let mut all = Vec::new();
    let mut at = 0;
    let starts =
        |at: usize, what: &str| what.chars().enumerate().all(|(i, c)| text.get(at + i) == Some(&c));
    while at < text.len() {
        let c = text[at];
        if starts(at, "//") {
            at += text[at..].iter().position(|c| *c == '\n').unwrap_or(text.len() - at);
        } else if starts(at, "r\"") || starts(at, "r#\"") {
            let hashes = text[at + 1..].iter().take_while(|c| **c == '#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            at += 2 + hashes;
            while at < text.len() && !starts(at, &end) {
                at += 1;
            }
            at += end.len();
        } else if c == '"' {
            at += 1;
            while at < text.len() && text[at] != '"' {
                at += if text[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if c == '\'' {
            // A character has its end right behind it, a lifetime has none.
            let length = if text.get(at + 1) == Some(&'\\') {
                text[at + 3..].iter().position(|c| *c == '\'').map_or(1, |end| end + 4)
            } else if text.get(at + 2) == Some(&'\'') {
                3
            } else {
                1
            };
            at += length;
        } else if c.is_alphanumeric() || c == '_' {
            let length =
                text[at..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
            all.push(Token::Word(text[at..at + length].iter().collect()));
            at += length;
        } else if starts(at, "::") {
            all.push(Token::Separator);
            at += 2;
        } else {
            if !c.is_whitespace() {
                all.push(Token::Mark(c));
            }
            at += 1;
        }
    }
    all
}

#[test]
fn declarations_and_expressions_are_read() {
    let paths = Paths::read(
        r##"
        pub use super::a::{
            self, B, // C
            d::{E as F, *},
        };
        fn f<'a>(x: &'a str) -> impl Sized + use<'a> {
            let y = ("use crate::no;", r#"crate::"no"#, ':', '\'');
            x.g::<crate::h::I>(super::j::k::<L>())
        }
        "##,
    );
    let imports: Vec<(String, &str)> =
        paths.imports.iter().map(|one| (one.path.join("::"), one.name.as_str())).collect();
    let expected =
        [("super::a", "a"), ("super::a::B", "B"), ("super::a::d::E", "F"), ("super::a::d::*", "*")];
    assert_eq!(imports, expected.map(|(path, name)| (path.to_owned(), name)));
    let named: Vec<String> = paths.named.iter().map(|path| path.join("::")).collect();
    assert_eq!(named, ["crate::h::I", "super::j::k"]);
}
