//! What one network may have of the connections, and who of it keeps his own.

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::support::*;

/// As many as a network may have: a quarter of half the open files.
const SHARE: usize = 16;

/// A child, or anybody else on the machine, opens connections and says nothing: users come in, and who is in stays.
#[tokio::test]
async fn strangers_take_no_connection_from_users() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).open_files(8 * SHARE).start().await;
    let alice = served.caller(&provider.token("alice"));
    let body = alice.body(json!(1), "tools/call", json!({ "name": "hold" }));
    let held = alice.request(&body).send_only(served.at).await;
    alice.call("held", json!({ "count": 1 })).await;
    let mut strangers = Vec::new();
    for _ in 0..SHARE + 1 {
        strangers.push(TcpStream::connect(served.at).await.unwrap());
    }
    let closed = soon("the end of the oldest", strangers[0].read(&mut [0; 1])).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    alice.call("release", json!({})).await;
    assert_eq!(Reply::read(held).await.status, 200);
}
