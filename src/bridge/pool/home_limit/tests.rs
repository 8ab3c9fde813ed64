//! When a home is cleared, and whom it lets in.

use std::fs;
use std::path::Path;

use super::*;
use crate::process::home::{Whose, of_user, prepare};
use crate::scratch::Scratch;

const MOST: u64 = 1 << 20;

fn of<'a>(authority: &'a str) -> Whose<'a> {
    Whose { user: "abc", tenant: None, authority: Some(authority) }
}

/// More than a home may hold, in one of its directories.
fn fill(dir: &Path) -> PathBuf {
    write(dir, (1 << 20) + 1)
}

fn write(dir: &Path, bytes: usize) -> PathBuf {
    let file = dir.join("large");
    fs::write(&file, vec![7; bytes]).unwrap();
    file
}

/// A sibling still works with what is there.
#[tokio::test]
async fn a_home_is_cleared_when_its_last_child_has_ended() {
    let dir = Scratch::new();
    let home = prepare(&dir, of("a"), None).unwrap();
    let limit = HomeLimit::new(dir.to_path_buf(), MOST);
    let (first, second) = (limit.admit(&home).unwrap(), limit.admit(&home).unwrap());
    let file = fill(&home.tmp);
    assert!(first.is_full(Tree::default()).await.contains("--home-size"));
    first.leave().await;
    assert!(file.exists(), "the sibling uses it");
    assert!(limit.admit(&home).is_err(), "there is no third meanwhile");
    second.leave().await;
    assert!(!file.exists() && home.tmp.exists());
    drop(limit.admit(&home).unwrap());
    assert!(limit.homes().is_empty(), "nothing is kept of whoever is within it");
}

/// A child whose start failed says no word at its end.
#[tokio::test]
async fn a_home_that_nobody_cleared_is_cleared_at_the_next_start() {
    let dir = Scratch::new();
    let home = prepare(&dir, of("a"), None).unwrap();
    let limit = HomeLimit::new(dir.to_path_buf(), MOST);
    let watched = limit.admit(&home).unwrap();
    let (gone, kept) = (fill(&home.cache), fill(&home.data));
    watched.is_full(Tree::default()).await;
    drop(watched);
    assert!(limit.admit(&home).is_err());
    assert!(!gone.exists() && kept.exists());
    fs::remove_file(kept).unwrap();
    limit.admit(&home).unwrap();
}

/// A claim that varies gives its user one home after the other.
#[tokio::test]
async fn the_homes_of_a_user_are_bounded_together() {
    let dir = Scratch::new();
    let limit = HomeLimit::new(dir.to_path_buf(), MOST);
    let names = ["a", "b", "c", "d", "e"];
    let homes = names.map(|name| prepare(&dir, of(name), None).unwrap());
    let most = |dir: &Path| write(dir, 900_000);
    let room = |whose| limit.room(&of_user(&dir, whose).unwrap());
    let used = limit.admit(&homes[0]).unwrap();
    room(of("f")).unwrap();
    let (mine, cached) = (most(&homes[0].cache), most(&homes[1].cache));
    let kept = [&homes[2], &homes[3], &homes[4]].map(|home| most(&home.data));
    room(of("f")).unwrap();
    assert!(mine.exists() && !cached.exists(), "only where no child uses it");
    let more = most(&homes[1].data);
    let refused = room(of("f")).unwrap_err();
    assert!(matches!(refused, Full::User { .. }), "{refused}");
    let another = Whose { user: "def", ..of("f") };
    room(another).unwrap();
    fs::remove_file(&kept[0]).unwrap();
    room(of("f")).unwrap();
    limit.admit(&homes[1]).unwrap();
    drop((used, more));
}

#[test]
fn nobody_starts_on_a_full_disk() {
    let dir = Scratch::new();
    let limit = HomeLimit::new(dir.to_path_buf(), u64::MAX);
    let refused = limit.room(&[]).unwrap_err();
    assert!(matches!(refused, Full::Disk { .. }), "{refused}");
}
