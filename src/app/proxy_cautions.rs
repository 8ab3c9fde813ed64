//! What an operator should know of the proxy in front: that children share loopback with it, and strangers its address.

use crate::config::Serve;
use crate::http::Proxies;

/// Whether an issuer is asked about tokens that nobody here can judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Anybody may have it asked.
    Issuer,
    /// All tokens are signed.
    Nobody,
}

pub(super) fn of(config: &Serve, asks: Asks) -> Option<String> {
    let trusted = &config.auth.trusted_proxies;
    let at = config.listen.addr.ip();
    let loopback = ["127.0.0.1", "::1"].into_iter().filter_map(|address| address.parse().ok());
    let proxies = Proxies::new(trusted);
    if loopback.into_iter().any(|address| proxies.trust(address)) {
        return Some(
            "--trusted-proxy names loopback, which children share: they may take all connections, and say which address \
             they come from"
                .to_owned(),
        );
    }
    (at.is_loopback() && trusted.is_empty() && asks == Asks::Issuer).then(|| {
        "the issuer is asked about opaque tokens, and no proxy is named: all who come through one on this machine share \
         its part of the questions, so that a stranger who makes up tokens keeps new users waiting; name it with \
         --trusted-proxy"
            .to_owned()
    })
}
