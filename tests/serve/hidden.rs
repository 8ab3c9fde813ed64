//! What real children of `serve` see of secrets in the directory of their program: nothing, however the secrets change.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::permits_strict_walls;
use crate::support::*;

/// A file that whoever sees it may read.
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

/// A new version of what Kubernetes mounts: complete before the link to it is replaced, and the old one gone after that.
fn publish(conf: &Path, version: &str, secret: &str) {
    std::fs::create_dir(conf.join(version)).unwrap();
    write(&conf.join(version).join("secret-id"), secret);
    let before = std::fs::read_link(conf.join("..data"));
    symlink(version, conf.join("..data_tmp")).unwrap();
    std::fs::rename(conf.join("..data_tmp"), conf.join("..data")).unwrap();
    if let Ok(before) = before {
        std::fs::remove_dir_all(conf.join(before)).unwrap();
    }
}

/// A server in a package of its own, which says all that it can read of the package before it serves.
fn package(dir: &Path) -> std::path::PathBuf {
    let app = dir.join("app");
    std::fs::create_dir_all(app.join("conf")).unwrap();
    for name in ["package.json", "visible"] {
        write(&app.join(name), "{\"is\": \"no secret\"}\n");
    }
    std::fs::copy(child_program(), app.join("child")).unwrap();
    let script = "#!/bin/sh\ncd \"$(dirname \"$0\")\"\nfind -L . -type f ! -name child -exec cat {} + >&2\n\
                  echo it has looked >&2\nexec ./child\n";
    write(&app.join("server"), script);
    std::fs::set_permissions(app.join("server"), std::fs::Permissions::from_mode(0o755)).unwrap();
    app
}

#[tokio::test]
async fn no_child_sees_a_secret_beside_its_program_whatever_it_is_replaced_with() {
    if !permits_strict_walls() {
        return;
    }
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider).strict();
    let app = package(&setup.dir);
    let conf = app.join("conf");
    publish(&conf, "..v1", "secret of the first version\n");
    symlink("..data/secret-id", conf.join("secret-id")).unwrap();
    write(&app.join("token-1"), "secret of the first token\n");
    symlink("token-1", app.join("token")).unwrap();
    let program = app.join("server");
    let named = [("VAULT_SECRET_ID_FILE", "conf/secret-id"), ("VAULT_ROLE_ID_FILE", "token")];
    let setup = named.into_iter().fold(setup.command([program.to_str().unwrap()]), |setup, it| {
        setup.env(it.0, app.join(it.1).to_str().unwrap())
    });
    let served = setup.start().await;
    served.caller(&provider.token("alice")).whoami().await;
    served.stderr.wait("it has looked").await;
    publish(&conf, "..v2", "secret of the second version\n");
    write(&app.join("token-2"), "secret of the second token\n");
    std::fs::remove_file(app.join("token-1")).unwrap();
    symlink("token-2", app.join("token-new")).unwrap();
    std::fs::rename(app.join("token-new"), app.join("token")).unwrap();
    served.caller(&provider.token("bob")).whoami().await;
    served.stderr.wait_nth("it has looked", 2).await;
    served.stderr.wait_nth("no secret", 4).await;
    assert!(!served.stderr.has("secret of"), "{:?}", served.stderr.lines());
}
