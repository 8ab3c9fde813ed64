//! How one value is written: durations, sizes, addresses, URLs, names, choices.
//!
//! Every function takes the text and gives a type that cannot be wrong, or says what is wrong with a remedy.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use url::{Host, Url};

use super::wrong::Wrong;
use crate::http::{Network, NotANetwork};

/// Longer times are typing errors, and some clocks overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    let hint = "write a number with a unit, like 30s, 15m or 2h";
    match humantime::parse_duration(text.trim()) {
        Ok(Duration::ZERO) => Err(Wrong::new(format!("{text:?} is no time at all")).hint(hint)),
        Ok(long) if long > LONGEST => {
            Err(Wrong::new(format!("{text:?} is longer than a year")).hint(hint))
        }
        Ok(duration) => Ok(duration),
        Err(_) => Err(Wrong::new(format!("{text:?} is not a duration")).hint(hint)),
    }
}

pub(super) fn size(text: &str) -> Result<usize, Wrong> {
    let hint = "write a number with a unit, like 512KiB, 4MiB or 1GiB";
    let bytes = text.trim().parse::<bytesize::ByteSize>();
    match bytes.map(|size| usize::try_from(size.as_u64())) {
        Ok(Ok(0)) => Err(Wrong::new(format!("{text:?} leaves room for nothing")).hint(hint)),
        Ok(Ok(size)) => Ok(size),
        _ => Err(Wrong::new(format!("{text:?} is not a size")).hint(hint)),
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, Wrong> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    local.map(|port| (Ipv4Addr::LOCALHOST, port).into()).ok_or_else(|| {
        let wrong = Wrong::new(format!("{text:?} is not an address with a port"));
        wrong.hint("write IP:PORT, like 127.0.0.1:8808 or [::1]:8808; port 0 takes a free one")
    })
}

pub(super) fn count(text: &str) -> Result<usize, Wrong> {
    match text.parse() {
        Ok(0) | Err(_) => {
            Err(Wrong::new(format!("{text:?} is not a count")).hint("write a whole number from 1"))
        }
        Ok(count) => Ok(count),
    }
}

pub(super) fn network(text: &str) -> Result<Network, Wrong> {
    text.parse().map_err(|error: NotANetwork| {
        Wrong::new(error.to_string()).hint("write ADDRESS/PREFIX, like 10.0.0.0/8")
    })
}

/// One of a closed set of words.
pub(super) fn choice<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Wrong::new(format!("{text:?} is not one of the known words"))
            .hint(format!("write one of {}", known.join(", ")))
    })
}

/// The path of the endpoint: letters, digits and `-._~` between slashes, so that it needs no escaping anywhere.
pub(super) fn endpoint_path(text: &str) -> Result<String, Wrong> {
    let hint = "write a path like /mcp or /github/mcp";
    let plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
            && part.bytes().any(|b| b != b'.')
    };
    match text.strip_prefix('/') {
        Some(rest) if rest.split('/').all(plain) => Ok(text.to_owned()),
        _ => Err(Wrong::new(format!("{text:?} is not a plain absolute path")).hint(hint)),
    }
}

/// A URL that tokens may travel to: https, or http on loopback; no credentials, query or fragment.
pub(super) fn secure_url(text: &str) -> Result<Url, Wrong> {
    let hint = "write an https URL, like https://login.example.com/realms/main";
    let url =
        Url::parse(text).map_err(|_| Wrong::new(format!("{text:?} is not a URL")).hint(hint))?;
    let secure = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => false,
    };
    if !secure {
        return Err(Wrong::new(format!("{text:?} must be https, or http on loopback")).hint(hint));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Wrong::new("the URL holds a user name or password").hint(hint));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Wrong::new(format!("{text:?} has a query or a fragment")).hint(hint));
    }
    Ok(url)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A web origin in its serialised form, or the word `null` refused with the rest.
pub(super) fn origin(text: &str) -> Result<String, Wrong> {
    let wrong = || {
        Wrong::new(format!("{text:?} is not an origin"))
            .hint("write scheme://host[:port], without a path")
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let bare = url.path().trim_matches('/').is_empty()
        && url.query().is_none()
        && url.fragment().is_none();
    if url.has_host() && bare && url.username().is_empty() && url.password().is_none() {
        // An origin of a scheme that the URL standard does not know is opaque, yet editors do send theirs.
        let known = url.origin();
        return Ok(if known.is_tuple() {
            known.ascii_serialization()
        } else {
            text.trim_end_matches('/').to_lowercase()
        });
    }
    Err(wrong())
}

/// What a `Host` header may say: a name or an address, with a port or without.
pub(super) fn host(text: &str) -> Result<String, Wrong> {
    let wrong = || {
        Wrong::new(format!("{text:?} is not a host"))
            .hint("write a name with or without a port, like mcp.example.com:8443")
    };
    let url = Url::parse(&format!("http://{text}/")).map_err(|_| wrong())?;
    let same = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    if !same || text.contains(['/', '\\', '@', '?', '#']) {
        return Err(wrong());
    }
    Ok(text.to_lowercase())
}

/// Any text that is not blank.
pub(super) fn word(text: &str) -> Result<String, Wrong> {
    match text.trim() {
        "" => Err(Wrong::new("the value is empty")),
        word => Ok(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails<T: std::fmt::Debug>(parsed: Result<T, Wrong>) {
        let wrong = parsed.unwrap_err();
        assert!(wrong.hint.is_some(), "{wrong:?} has no remedy");
    }

    #[test]
    fn durations_need_a_unit_and_an_extent() {
        assert_eq!(duration("15m").unwrap(), Duration::from_secs(900));
        assert_eq!(duration("1h 30m").unwrap(), Duration::from_secs(5400));
        for text in ["10", "", "0s", "10x", "-1s", "1000y"] {
            fails(duration(text));
        }
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(size("4MiB").unwrap(), 4 << 20);
        assert_eq!(size("4096").unwrap(), 4096);
        for text in ["", "0", "much", "4MiX"] {
            fails(size(text));
        }
    }

    #[test]
    fn addresses_are_numbers_or_localhost() {
        assert_eq!(address("localhost:80").unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(address("[::1]:0").unwrap().to_string(), "[::1]:0");
        for text in ["8808", "127.0.0.1", "example.com:80", ":8808"] {
            fails(address(text));
        }
    }

    #[test]
    fn paths_need_no_escaping() {
        assert_eq!(endpoint_path("/github/mcp").unwrap(), "/github/mcp");
        for text in ["", "mcp", "/", "/a//b", "/../a", "/a?b", "/a b", "/a/", "/%2e"] {
            fails(endpoint_path(text));
        }
    }

    #[test]
    fn urls_for_tokens_are_secure() {
        assert!(secure_url("https://a.example/x").is_ok());
        assert!(secure_url("http://127.0.0.1:9/x").is_ok());
        for text in
            ["http://a.example", "ftp://a", "https://u:p@a.example", "https://a.example/?q", "x"]
        {
            fails(secure_url(text));
        }
    }

    #[test]
    fn a_url_with_a_password_is_not_repeated() {
        assert!(!secure_url("https://u:hunter2@a.example").unwrap_err().what.contains("hunter2"));
    }

    #[test]
    fn origins_and_hosts_are_bare() {
        assert_eq!(origin("HTTPS://App.Example:443").unwrap(), "https://app.example");
        assert_eq!(origin("vscode-webview://abc").unwrap(), "vscode-webview://abc");
        assert_eq!(host("MCP.example:8443").unwrap(), "mcp.example:8443");
        fails(origin("https://a.example/path"));
        fails(origin("null"));
        fails(origin("*"));
        fails(host("http://a.example"));
        fails(host(""));
    }
}
