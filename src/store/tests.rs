//! What the store keeps, whose it is, and which changes from outside it notices.

use super::*;
use crate::private_file;
use crate::scratch::Scratch;
use rusqlite::Connection;
use secrecy::ExposeSecret as _;

struct Fixture {
    dir: Scratch,
    keys: Keyring,
}

impl Fixture {
    fn new() -> Self {
        let dir = Scratch::new();
        let keys = Keyring::load_or_create(&dir).unwrap();
        Self { dir, keys }
    }

    fn path(&self) -> PathBuf {
        self.dir.join("store.sqlite")
    }

    fn open(&self) -> Result<Store, Error> {
        Store::open(&self.path(), self.keys.clone())
    }

    fn raw(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }
}

fn user(tenant: Option<&str>, subject: &str) -> UserRef {
    UserRef {
        issuer: "https://idp.example".into(),
        tenant: tenant.map(Into::into),
        subject: subject.into(),
    }
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

async fn shown(store: &Store, user: &UserRef, name: &str) -> Option<String> {
    let value = store.get(user, name).await.unwrap()?;
    Some(value.expose_secret().to_owned())
}

#[tokio::test]
async fn each_user_has_his_own_values() {
    let fixture = Fixture::new();
    let store = fixture.open().unwrap();
    let users =
        [user(None, "alice"), user(Some(""), "alice"), user(Some("a"), "lice"), user(None, "bob")];
    for (n, user) in users.iter().enumerate() {
        store.set(user, "TOKEN", &secret(&format!("v{n}"))).await.unwrap();
    }
    for (n, user) in users.iter().enumerate() {
        assert_eq!(shown(&store, user, "TOKEN").await, Some(format!("v{n}")));
        assert_eq!(shown(&store, user, "OTHER").await, None);
    }
    assert_eq!(store.rm(&users[0], "TOKEN").await.unwrap(), Removed::Gone);
    assert_eq!(store.rm(&users[0], "TOKEN").await.unwrap(), Removed::Absent);
    assert_eq!(shown(&store, &users[0], "TOKEN").await, None);
    assert_eq!(shown(&store, &users[1], "TOKEN").await.unwrap(), "v1");
    let of_bob = Filter { user: Some(users[3].clone()), name: None };
    let listed = store.list(&of_bob).await.unwrap();
    assert_eq!((listed.len(), listed[0].version), (1, 4));
}

#[tokio::test]
async fn two_processes_share_the_file_and_a_rotation() {
    let fixture = Fixture::new();
    let server = fixture.open().unwrap();
    let cli = Store::open(&fixture.path(), Keyring::load_or_create(&fixture.dir).unwrap()).unwrap();
    let alice = user(None, "alice");
    cli.set(&alice, "A", &secret("first")).await.unwrap();
    assert_eq!(shown(&server, &alice, "A").await.unwrap(), "first");
    fixture.keys.rotate().unwrap();
    server.set(&alice, "B", &secret("second")).await.unwrap();
    assert_eq!(shown(&cli, &alice, "A").await.unwrap(), "first");
    assert_eq!(shown(&cli, &alice, "B").await.unwrap(), "second");
}

#[tokio::test]
async fn no_value_stands_in_the_file() {
    let fixture = Fixture::new();
    let store = fixture.open().unwrap();
    let value = "ghp_plainly_visible_value";
    store.set(&user(None, "alice"), "T", &secret(value)).await.unwrap();
    for entry in std::fs::read_dir(&fixture.dir).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(memchr::memmem::find(&bytes, value.as_bytes()).is_none());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
    }
}

#[tokio::test]
async fn changes_from_outside_are_refused() {
    let alice = user(None, "alice");
    for change in [
        "UPDATE secret SET sealed = (SELECT s.sealed FROM secret s WHERE s.subject = 'bob') WHERE subject = 'alice'",
        "UPDATE secret SET subject = 'x' WHERE subject = 'alice'; UPDATE secret SET subject = 'alice' WHERE subject = 'bob'",
        "UPDATE secret SET name = 'OTHER' WHERE subject = 'alice'",
        "UPDATE secret SET tenant = '=t' WHERE subject = 'alice'",
        "UPDATE secret SET version = version + 1 WHERE subject = 'alice'",
        "UPDATE secret SET updated = 0 WHERE subject = 'alice'",
        "UPDATE secret SET sealed = x'00' WHERE subject = 'alice'",
        "DELETE FROM secret WHERE subject = 'bob'",
        "DELETE FROM head",
        "UPDATE head SET sealed = x'01'",
        "DELETE FROM secret WHERE subject = 'alice';
         INSERT INTO secret SELECT issuer, tenant, 'alice', name, version, updated, sealed FROM secret",
    ] {
        let fixture = Fixture::new();
        let store = fixture.open().unwrap();
        for (subject, value) in [("alice", "one"), ("bob", "two")] {
            store
                .set(&user(None, subject), "T", &secret(value))
                .await
                .unwrap();
        }
        fixture.raw().execute_batch(change).unwrap();
        let got = store.get(&alice, "T").await;
        assert!(matches!(got, Err(Error::Tampered { .. })), "{change}");
    }
}

/// A value is somebody's: under another name nobody gets it, whichever part of the name is another.
#[tokio::test]
async fn a_row_belongs_to_its_user_and_name() {
    let alice = UserRef { tenant: Some("t".into()), ..user(None, "alice") };
    let others = [
        (
            "issuer",
            "https://idp.other",
            UserRef { issuer: "https://idp.other".into(), ..alice.clone() },
        ),
        ("tenant", "=u", UserRef { tenant: Some("u".into()), ..alice.clone() }),
        ("tenant", "", UserRef { tenant: None, ..alice.clone() }),
        ("subject", "mallory", UserRef { subject: "mallory".into(), ..alice.clone() }),
        ("name", "OTHER", alice.clone()),
    ];
    for (column, value, other) in others {
        let fixture = Fixture::new();
        let store = fixture.open().unwrap();
        store.set(&alice, "T", &secret("for alice")).await.unwrap();
        // It is the only row: neither the order nor the number of rows gives the change away.
        let change = format!("UPDATE secret SET {column} = ?");
        assert_eq!(fixture.raw().execute(&change, [value]).unwrap(), 1);
        let name = if column == "name" { value } else { "T" };
        let got = store.get(&other, name).await;
        assert!(matches!(got, Err(Error::Tampered { .. })), "{column}: {got:?}");
    }
}

/// The row's own seal holds without the head's: what was sealed for one opens for nobody else.
#[test]
fn a_sealed_value_is_bound_to_its_user() {
    let row = |user: &UserRef, name| file::row_binding(user, name, 1, 2);
    let alice = user(Some("t"), "alice");
    let own = row(&alice, "T");
    let others = [
        row(&UserRef { issuer: "https://idp.other".into(), ..alice.clone() }, "T"),
        row(&user(Some("u"), "alice"), "T"),
        row(&user(Some(""), "alice"), "T"),
        row(&user(None, "alice"), "T"),
        row(&user(Some("t"), "bob"), "T"),
        row(&user(Some("tal"), "ice"), "T"),
        row(&alice, "OTHER"),
        file::row_binding(&alice, "T", 2, 2),
        file::row_binding(&alice, "T", 1, 3),
    ];
    let keys = Keyring::ephemeral().unwrap();
    let sealed = keys.seal(&own, b"for alice").unwrap();
    assert!(keys.open(&own, &sealed).is_ok());
    for (at, other) in others.iter().enumerate() {
        assert!(keys.open(other, &sealed).is_err(), "{at}");
    }
}

#[tokio::test]
async fn an_old_version_put_back_is_refused() {
    let fixture = Fixture::new();
    let store = fixture.open().unwrap();
    let alice = user(None, "alice");
    store.set(&alice, "T", &secret("leaked")).await.unwrap();
    let raw = fixture.raw();
    raw.execute_batch("CREATE TEMP TABLE old AS SELECT * FROM secret; CREATE TEMP TABLE oldhead AS SELECT * FROM head")
        .unwrap();
    store.set(&alice, "T", &secret("renewed")).await.unwrap();
    raw.execute_batch("INSERT OR REPLACE INTO secret SELECT * FROM old").unwrap();
    assert!(matches!(store.get(&alice, "T").await, Err(Error::Tampered { .. })));
    assert!(fixture.open().is_err());
    // With the old head it is consistent, yet this process has seen a newer one.
    raw.execute_batch("INSERT OR REPLACE INTO head SELECT * FROM oldhead").unwrap();
    assert!(matches!(store.get(&alice, "T").await, Err(Error::Tampered { .. })));
}

#[tokio::test]
async fn other_keys_and_open_files_are_refused() {
    let fixture = Fixture::new();
    let store = fixture.open().unwrap();
    store.set(&user(None, "a"), "T", &secret("x")).await.unwrap();
    let other = Store::open(&fixture.path(), Keyring::ephemeral().unwrap());
    assert!(matches!(other, Err(Error::Tampered { .. })));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(fixture.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            fixture.open(),
            Err(Error::File { cause: private_file::Error::Exposed { .. } })
        ));
    }
}

#[tokio::test]
async fn empty_and_huge_values_are_refused() {
    let fixture = Fixture::new();
    let store = fixture.open().unwrap();
    for value in [String::new(), "x".repeat(MAX_VALUE + 1)] {
        let set = store.set(&user(None, "a"), "T", &SecretString::from(value)).await;
        assert!(matches!(set, Err(Error::Size { .. })));
    }
}
