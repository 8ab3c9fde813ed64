//! Manual pages from Markdown: what our own pages of section 7 use of it, as roff.
//!
//! The first heading is the title, `name: purpose`; a second-level heading is a section, a third-level one a
//! subsection. It knows nothing of which pages there are. What has no place in a manual page (HTML, images) is left out.

use std::mem::take;

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// How far the text of a list stands from its mark, in characters.
const INDENT: &str = "4";
/// A column of a table is no wider, unless it is the longest one, which takes what is left; in characters.
const WIDEST: usize = 26;
/// Announces tables to whatever shows the page; it has to be the first line.
const HAS_TABLES: &str = "'\\\" t\n";

/// The page as roff; the source stands at its foot, the manual's name at its head.
pub(super) fn page(markdown: &str, source: &str, manual: &str) -> String {
    let mut page = Page::default();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::End(TagEnd::Heading(HeadingLevel::H1)) => page.title(source, manual),
            Event::Start(tag) => page.start(tag),
            Event::End(tag) => page.end(tag),
            Event::Text(text) if page.code => page.lines(&text),
            Event::Text(text) => page.text(&text),
            Event::Code(text) => page.line.push(bold(&*text)),
            Event::SoftBreak if page.table.is_none() => page.flush(),
            Event::SoftBreak => page.line.push(roman(" ")),
            _ => {}
        }
    }
    let first = if page.has_tables { HAS_TABLES } else { "" };
    format!("{first}{}", page.roff.render())
}

/// Text as it will stand on one line.
type Line = Vec<Inline>;

/// A page that is being written.
#[derive(Default)]
struct Page {
    roff: Roff,
    /// What of a line there is yet.
    line: Line,
    font: Font,
    link: Option<Link>,
    /// What comes is code, line by line.
    code: bool,
    /// The next number of each list around this place; nothing where it has bullets.
    lists: Vec<Option<u64>>,
    /// A heading or the mark of an item has just made room for what comes.
    has_room: bool,
    /// The rows of the table that is being read, each of cells; the first has the heads.
    table: Option<Vec<Vec<Line>>>,
    has_tables: bool,
}

#[derive(Clone, Copy, Default)]
enum Font {
    #[default]
    Roman,
    Italic,
    Bold,
}

/// Where a link leads.
enum Link {
    /// To a file of ours; its text names the page.
    Ours,
    /// Elsewhere: a reader on paper needs the address.
    Address(String),
}

// === impl Page ===

impl Page {
    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.make_room(),
            Tag::CodeBlock(_) => {
                self.make_room();
                self.control("RS", &[INDENT]);
                self.control("EX", &[]);
                self.code = true;
            }
            Tag::List(first) => {
                if !self.lists.is_empty() {
                    self.control("RS", &[INDENT]);
                }
                self.lists.push(first);
            }
            Tag::Item => self.mark(),
            Tag::Table(_) => self.table = Some(Vec::new()),
            Tag::TableHead | Tag::TableRow => {
                self.table.get_or_insert_default().push(Vec::new());
                self.font = if matches!(tag, Tag::TableHead) { Font::Bold } else { Font::Roman };
            }
            Tag::Emphasis => self.font = Font::Italic,
            Tag::Strong => self.font = Font::Bold,
            Tag::Link { dest_url, .. } if dest_url.contains("://") => {
                self.link = Some(Link::Address(dest_url.into_string()));
            }
            Tag::Link { .. } => self.link = Some(Link::Ours),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(HeadingLevel::H2) => self.heading("SH", str::to_uppercase),
            TagEnd::Heading(_) => self.heading("SS", str::to_owned),
            TagEnd::CodeBlock => {
                self.code = false;
                self.control("EE", &[]);
                self.control("RE", &[]);
            }
            TagEnd::List(_) => {
                self.has_room = false;
                self.lists.pop();
                if !self.lists.is_empty() {
                    self.control("RE", &[]);
                }
            }
            TagEnd::TableCell => {
                let cell = take(&mut self.line);
                if let Some(row) = self.table.as_mut().and_then(|rows| rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Table => self.tabulate(),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::TableHead => self.font = Font::Roman,
            TagEnd::Link => {
                if let Some(Link::Address(url)) = self.link.take() {
                    self.line.push(roman(format!(" <{url}>")));
                }
            }
            _ => self.flush(),
        }
    }

    fn text(&mut self, text: &str) {
        // A page is written as in every manual: its name in bold, its section not.
        if let (Some(Link::Ours), Some((name, section))) = (&self.link, text.split_once('(')) {
            self.line.extend([bold(name), roman(format!("({section}"))]);
            return;
        }
        self.line.push(match self.font {
            Font::Roman => roman(text),
            Font::Italic => italic(text),
            Font::Bold => bold(text),
        });
    }

    fn lines(&mut self, code: &str) {
        for line in code.lines() {
            self.roff.text([roman(line)]);
        }
    }

    /// Ends the line, if there is one.
    fn flush(&mut self) {
        if !self.line.is_empty() {
            self.roff.text(take(&mut self.line));
        }
    }

    fn control(&mut self, name: &str, args: &[&str]) {
        self.flush();
        self.roff.control(name, args.iter().copied());
    }

    fn title(&mut self, source: &str, manual: &str) {
        let title = plain(&take(&mut self.line));
        let (name, purpose) = title.split_once(": ").unwrap_or((&title, ""));
        // The third argument is a date, which no page has; without the quotes it would be lost.
        self.control("TH", &[name, "7", "\"\"", source, manual]);
        // Narrow columns look torn when they are justified, and names must not be hyphenated.
        self.control("nh", &[]);
        self.control("ad", &["l"]);
        self.control("SH", &["NAME"]);
        self.roff.text([roman(format!("{name} - {purpose}"))]);
        self.control("SH", &["DESCRIPTION"]);
        self.has_room = true;
    }

    fn heading(&mut self, name: &str, shape: fn(&str) -> String) {
        let text = shape(&plain(&take(&mut self.line)));
        self.control(name, &[&text]);
        self.has_room = true;
    }

    fn mark(&mut self) {
        let mark = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{}.", *number - 1)
            }
            _ => r"\(bu".to_owned(),
        };
        self.control("IP", &[&mark, INDENT]);
        self.has_room = true;
    }

    /// Parts what comes from what was before.
    fn make_room(&mut self) {
        match (take(&mut self.has_room), self.lists.is_empty()) {
            (true, _) => {}
            (false, true) => self.control("PP", &[]),
            (false, false) => self.control("IP", &[r"\&", INDENT]),
        }
    }

    /// Writes the table that has been read, for tbl: every cell is a text block.
    fn tabulate(&mut self) {
        let rows = self.table.take().unwrap_or_default();
        let columns = rows.first().map_or(0, Vec::len);
        let width = |at: usize| rows.iter().map(|row| plain(&row[at]).chars().count()).max();
        let widths: Vec<usize> = (0..columns).filter_map(width).collect();
        let longest = widths.iter().copied().max().filter(|width| *width > WIDEST);
        let formats: Vec<String> = (widths.into_iter())
            .map(|width| match Some(width) == longest {
                true => "lx".to_owned(),
                false => format!("lw({}n)", width.clamp(1, WIDEST)),
            })
            .collect();
        self.has_tables = true;
        self.make_room();
        self.control("TS", &[]);
        self.roff.text([roman("tab(|);")]);
        self.roff.text([roman(format!("{}.", formats.join(" ")))]);
        for (at, row) in rows.into_iter().enumerate() {
            if at == 1 {
                self.roff.text([roman("_")]);
            }
            self.roff.text([roman("T{")]);
            for (at, cell) in row.into_iter().enumerate() {
                if at > 0 {
                    self.roff.text([roman("T}|T{")]);
                }
                if !cell.is_empty() {
                    self.roff.text(cell);
                }
            }
            self.roff.text([roman("T}")]);
        }
        self.control("TE", &[]);
    }
}

/// The text without its fonts.
fn plain(line: &[Inline]) -> String {
    let texts = line.iter().map(|inline| match inline {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text.as_str(),
        Inline::LineBreak => " ",
    });
    texts.collect()
}

#[cfg(test)]
mod tests;
