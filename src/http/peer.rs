//! Where a request comes from: the connection's address, or the one that a proxy we trust vouches for.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::HeaderMap;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// Addresses of one household or office share these many bits.
const V4_PREFIX: u8 = 24;
const V6_PREFIX: u8 = 48;
const V4_LOOPBACK: u8 = 8;

/// A network: an address and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that is no network.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a network")]
pub struct NotANetwork {
    text: String,
}

/// Proxies in front of us, whose word on who is behind them counts.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<Network>);

// === impl Network ===

impl Network {
    /// Whether the network holds the address; an IPv4 address that is mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && masked(address, self.prefix) == masked(self.address, self.prefix)
    }

    /// The neighbourhood of an address, by which refusals are counted.
    #[must_use]
    pub fn around(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let prefix = match address {
            // All of it is this machine.
            IpAddr::V4(v4) if v4.is_loopback() => V4_LOOPBACK,
            IpAddr::V4(_) => V4_PREFIX,
            IpAddr::V6(_) => V6_PREFIX,
        };
        Self { address: masked(address, prefix), prefix }
    }

    /// Its first address, by which those tell it apart who know nothing of networks.
    #[must_use]
    pub fn first(&self) -> IpAddr {
        masked(self.address, self.prefix)
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::from((v4.to_bits() & mask).to_be_bytes())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::from((v6.to_bits() & mask).to_be_bytes())
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let wrong = || NotANetwork { text: text.to_owned() };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(widest), str::parse).map_err(|_| wrong())?;
        match address.to_canonical() {
            _ if prefix > widest => Err(wrong()),
            // An IPv4 network that is written as its place in IPv6.
            IpAddr::V4(v4) if address.is_ipv6() && prefix >= 96 => {
                Ok(Self { address: v4.into(), prefix: prefix - 96 })
            }
            _ => Ok(Self { address, prefix }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

// === impl Proxies ===

impl Proxies {
    /// These networks are trusted, and nobody else.
    #[must_use]
    pub fn new(trusted: &[Network]) -> Self {
        Self(trusted.to_vec())
    }

    /// Whether the address is one of theirs.
    #[must_use]
    pub fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Who is behind a connection: the last address of `X-Forwarded-For` that is not a trusted proxy's own, as each
    /// proxy appends whom it saw. From anybody but a trusted proxy the header says nothing.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        let values = headers.get_all(FORWARDED_FOR).iter().rev();
        // What one client wrote into the line must not spoil what the proxies appended.
        let mut hops = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
        while self.trust(client)
            && let Some(hop) = hops.next().and_then(address)
        {
            client = hop;
        }
        client
    }
}

/// An address as proxies write it: with or without a port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let plain = text.parse().ok();
    plain
        .or_else(|| Some(text.parse::<std::net::SocketAddr>().ok()?.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        for (network, address, holds) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("192.168.1.7", "192.168.1.7", true),
            ("192.168.1.7", "192.168.1.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("fd00::/8", "fd12::1", true),
            ("::/0", "2001:db8::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), holds, "{network} {address}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "proxy", "10.0.0.0/"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_trusted_proxies_vouch() {
        let proxies = Proxies::new(&["10.0.0.0/8".parse().unwrap()]);
        for (peer, forwarded, client) in [
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "6.6.6.6, 198.51.100.1:4711, 10.0.0.2", "198.51.100.1"),
            ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
            ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
            ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
            ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_FOR, forwarded.parse().unwrap());
            let seen = proxies.client(peer.parse().unwrap(), &headers);
            assert_eq!(seen, client.parse::<IpAddr>().unwrap(), "{peer} {forwarded}");
        }
        let mut headers = HeaderMap::new();
        let spoiled = http::HeaderValue::from_bytes(b"\xff, 198.51.100.1").unwrap();
        headers.insert(FORWARDED_FOR, spoiled);
        let seen = proxies.client("10.0.0.1".parse().unwrap(), &headers);
        assert_eq!(seen.to_string(), "198.51.100.1", "bytes of a client spoil nothing");
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, "6.6.6.6".parse().unwrap());
        headers.append(FORWARDED_FOR, "198.51.100.1".parse().unwrap());
        let seen = proxies.client("10.0.0.1".parse().unwrap(), &headers);
        assert_eq!(seen.to_string(), "198.51.100.1", "the last line is the last proxy's");
    }

    #[test]
    fn neighbourhoods_are_short() {
        for (address, around) in [
            ("203.0.113.9", "203.0.113.0/24"),
            ("::ffff:203.0.113.9", "203.0.113.0/24"),
            ("2001:db8:1:2::3", "2001:db8:1::/48"),
            ("127.5.6.7", "127.0.0.0/8"),
        ] {
            assert_eq!(Network::around(address.parse().unwrap()).to_string(), around);
        }
    }
}
