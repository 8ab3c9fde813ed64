//! What a child finds behind its walls.

use crate::world::*;

#[tokio::test]
async fn smoke() {
    as_ordinary("walls::smoke");
    for kind in Kind::possible() {
        let state = State::new();
        let user = state.user("alice", 200_001, *kind);
        println!("{kind:?} {}", user.says("id; pwd; ls -la / /tmp /dev /proc/ | head -90; ls -la ..; cat /proc/self/status | grep -E '^(Cap|NoNew|Secc|Pid|PPid|NStgid)'; env; cat /proc/mounts; touch x /tmp/y; ls /root /etc; ulimit -c; exit 0").await);
    }
}
