//! What of Markdown becomes which roff.

use super::*;

/// The roff below the title, without the preamble.
fn body(markdown: &str) -> String {
    let page = page(&format!("# p: q\n\n{markdown}"), "s", "m");
    let (_, body) = page.split_once(".SH DESCRIPTION\n").unwrap();
    body.to_owned()
}

#[test]
fn the_first_heading_is_the_title() {
    let page = page("# mcpwrap-walls: what parts\n\nIntro.\n", "mcpwrap 1.0", "Concepts");
    let expected = ".TH mcpwrap-walls 7 \"\" \"mcpwrap 1.0\" Concepts\n.nh\n.ad l\n\
                    .SH NAME\nmcpwrap\\-walls \\- what parts\n.SH DESCRIPTION\nIntro.\n";
    assert!(page.ends_with(expected), "{page}");
    assert!(!page.starts_with(HAS_TABLES));
}

#[test]
fn headings_are_sections_and_subsections() {
    assert_eq!(body("## Two eras\n\n### `a` child\n"), ".SH \"TWO ERAS\"\n.SS \"a child\"\n");
}

#[test]
fn fonts_are_those_of_a_manual() {
    assert_eq!(body("a *b* **c** `d-e`\nnext\n"), "a \\fIb\\fR \\fBc\\fR \\fBd\\-e\\fR\nnext\n");
}

#[test]
fn what_roff_would_obey_is_escaped() {
    assert_eq!(body(".dot \\n\n'quote' it's\n"), "\\&.dot \\\\n\n\\*(Aqquote\\*(Aq it\\*(Aqs\n");
    assert_eq!(
        body("```sh\n.dot\n\n  a \\\n'b'\n```\n"),
        ".RS 4\n.EX\n\\&.dot\n\n  a \\\\\n\\*(Aqb\\*(Aq\n.EE\n.RE\n"
    );
}

#[test]
fn lists_nest_and_count() {
    assert_eq!(
        body("- one\n  more\n  - deep\n- two\n"),
        ".IP \\(bu 4\none\nmore\n.RS 4\n.IP \\(bu 4\ndeep\n.RE\n.IP \\(bu 4\ntwo\n"
    );
    assert_eq!(body("- one\n\nnext\n"), ".IP \\(bu 4\none\n.PP\nnext\n");
    assert_eq!(
        body("1. one\n\n   more\n2. two\n"),
        ".IP 1. 4\none\n.IP \\& 4\nmore\n.IP 2. 4\ntwo\n"
    );
}

#[test]
fn links_name_a_page_or_an_address() {
    assert_eq!(
        body("[a-b(7)](a-b.7.md), [x](https://x.example/y)\n"),
        "\\fBa\\-b\\fR(7), x <https://x.example/y>\n"
    );
}

#[test]
fn tables_are_for_tbl() {
    let page = page("# p: q\n\n| a | b |\n|---|---|\n| `x` | y z \\| |\n|  | . |\n", "s", "m");
    assert!(page.starts_with(HAS_TABLES));
    let expected = ".TS\ntab(|);\nlw(1n) lw(5n).\nT{\n\\fBa\\fR\nT}|T{\n\\fBb\\fR\nT}\n_\n\
                    T{\n\\fBx\\fR\nT}|T{\ny z |\nT}\nT{\nT}|T{\n\\&.\nT}\n.TE\n";
    assert!(page.ends_with(expected), "{page}");
}

#[test]
fn what_has_no_place_in_a_manual_is_left_out() {
    assert_eq!(body("<!-- c -->\n\nText.\n"), "Text.\n");
}

#[test]
fn the_longest_column_takes_what_is_left() {
    let long = "x".repeat(WIDEST + 1);
    let body = body(&format!("| a | b |\n|---|---|\n| c | {long} |\n"));
    assert!(body.contains("\nlw(1n) lx.\n"), "{body}");
}
