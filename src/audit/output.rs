//! Where records go: to stderr, or to the end of a file that may be moved, removed, full, or torn at its end.
//!
//! It knows bytes and lines, and nothing of records or of who waits for them. Everything here blocks.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::private_file::{self, Place};

/// How far back the beginning of a half-written line is looked for, in bytes; no record is as long.
const LONGEST_TAIL: u64 = 256 * 1024;

/// What has to have happened to a record before what it announces may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It has left the process, and survives it.
    Written,
    /// It is on the disk, and survives the machine.
    Synced,
}

/// Where records go.
#[derive(Debug)]
pub(super) enum Output {
    /// To stderr.
    Stderr {
        /// Whether the last line that was written has no end.
        torn: bool,
    },
    /// To the end of a file, a pipe or a device.
    File(Appended),
}

/// A file that is written at its end.
#[derive(Debug)]
pub(super) struct Appended {
    path: PathBuf,
    file: File,
    place: Place,
    writers: Writers,
    /// Whether the last line that is there has no end.
    torn: bool,
    durability: Durability,
}

/// Who writes to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writers {
    /// This process alone: what it left half-written it may cut.
    One,
    /// Perhaps others too; or it is a pipe or a device.
    Many,
}

/// What could be written before it failed.
#[derive(Debug)]
pub(super) struct Broken {
    /// Whole lines, in bytes.
    pub(super) written: usize,
    pub(super) cause: io::Error,
}

/// What was found when a file was opened.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// A line that was half-written before, and is cut now.
    pub(super) torn: Option<String>,
}

// === impl Output ===

impl Output {
    /// Opens the file, or stderr where `path` is `-`.
    pub(super) fn open(path: &Path, durability: Durability) -> io::Result<(Self, Found)> {
        if path.as_os_str() == "-" {
            return Ok((Self::Stderr { torn: false }, Found::default()));
        }
        let (file, found) = Appended::open(path, durability)?;
        Ok((Self::File(file), found))
    }

    /// Opens the file anew where its name means another one by now, or none.
    pub(super) fn follow(&mut self) -> io::Result<Option<Found>> {
        let Self::File(appended) = self else { return Ok(None) };
        if std::fs::metadata(&appended.path).is_ok_and(|now| Place::of(&now) == appended.place) {
            return Ok(None);
        }
        let (fresh, found) = Appended::open(&appended.path, appended.durability)?;
        *appended = fresh;
        Ok(Some(found))
    }

    /// Writes whole lines, as durably as was asked for.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), Broken> {
        match self {
            Self::Stderr { torn } => say(&mut io::stderr().lock(), torn, lines),
            Self::File(appended) => appended.write(lines),
        }
    }
}

// === impl Appended ===

impl Appended {
    fn open(path: &Path, durability: Durability) -> io::Result<(Self, Found)> {
        // Who calls what is not for everybody on the machine.
        let file = private_file::open_log(path)?;
        let about = file.metadata()?;
        let writers = match about.is_file() {
            true => match file.try_lock() {
                Ok(()) => Writers::One,
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => Writers::Many,
            },
            false => Writers::Many,
        };
        let durability = if about.is_file() { durability } else { Durability::Written };
        let mut appended = Self {
            path: path.to_owned(),
            file,
            place: Place::of(&about),
            writers,
            torn: false,
            durability,
        };
        let found = if about.is_file() { appended.mend(about.len()) } else { Found::default() };
        Ok((appended, found))
    }

    /// Cuts a half-written line off the end. Where that may not be, or the file cannot be read, it is only ended.
    fn mend(&mut self, length: u64) -> Found {
        let Ok((tail, whole)) = half_line(&self.path, self.place, length) else {
            self.torn = true;
            return Found::default();
        };
        if tail.is_empty() {
            return Found::default();
        }
        if self.writers == Writers::One && self.file.set_len(whole).is_ok() {
            return Found { torn: Some(String::from_utf8_lossy(&tail).into_owned()) };
        }
        self.torn = true;
        Found::default()
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), Broken> {
        if self.torn {
            self.file.write_all(b"\n").map_err(|cause| Broken { written: 0, cause })?;
            self.torn = false;
        }
        let written = match write_whole(&mut self.file, lines) {
            Ok(()) => lines.len(),
            Err((written, cause)) => {
                let whole = whole(&lines[..written]);
                self.take_back(written - whole);
                return Err(self.unsynced(Broken { written: whole, cause }));
            }
        };
        match self.sync() {
            Ok(()) => Ok(()),
            // Nobody knows what of it is on the disk, so all of it is written again.
            Err(cause) => {
                self.take_back(written);
                Err(Broken { written: 0, cause })
            }
        }
    }

    /// What was written before it failed counts only as far as it is as durable as it has to be.
    fn unsynced(&mut self, broken: Broken) -> Broken {
        match self.sync() {
            Ok(()) => broken,
            Err(_) => {
                self.take_back(broken.written);
                Broken { written: 0, ..broken }
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        match self.durability {
            Durability::Written => Ok(()),
            Durability::Synced => self.file.sync_data(),
        }
    }

    /// Takes the last bytes back, so that no half line stays; where others write too, the next line begins anew.
    fn take_back(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let cut = || {
            let length = self.file.metadata()?.len();
            let whole = length.checked_sub(bytes as u64).ok_or(ErrorKind::InvalidData)?;
            self.file.set_len(whole)
        };
        self.torn = self.writers == Writers::Many || cut().is_err();
    }
}

/// Writes whole lines to where nothing can be taken back: a line of which a part was written begins anew the next time.
fn say(to: &mut impl Write, torn: &mut bool, lines: &[u8]) -> Result<(), Broken> {
    if *torn {
        write_whole(to, b"\n").map_err(|(_, cause)| Broken { written: 0, cause })?;
        *torn = false;
    }
    write_whole(to, lines).map_err(|(written, cause)| {
        let whole = whole(&lines[..written]);
        *torn = whole < written;
        Broken { written: whole, cause }
    })
}

/// Writes all of it; where that fails, says how many bytes were.
fn write_whole(to: &mut impl Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match to.write(rest) {
            Ok(0) => return Err((written, ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
    }
    Ok(())
}

/// How many of these bytes are whole lines.
fn whole(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1)
}

/// What stands behind the last end of a line, and where that is.
fn half_line(path: &Path, place: Place, length: u64) -> io::Result<(Vec<u8>, u64)> {
    let from = length.saturating_sub(LONGEST_TAIL);
    let mut file = File::open(path)?;
    // It was opened to be written to alone, and its name may mean another by now.
    if Place::of(&file.metadata()?) != place {
        return Err(ErrorKind::NotFound.into());
    }
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(length - from).read_to_end(&mut tail)?;
    match memchr::memrchr(b'\n', &tail) {
        Some(end) => {
            let half = tail.split_off(end + 1);
            Ok((half, from + end as u64 + 1))
        }
        None if from == 0 => Ok((tail, 0)),
        // No record is as long, so it is no file of ours.
        None => Err(ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    /// Takes so many bytes, and then none for once.
    struct Full(Vec<u8>, usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.1.min(bytes.len());
            if room == 0 {
                self.1 = usize::MAX;
                return Err(ErrorKind::StorageFull.into());
            }
            self.1 -= room;
            self.0.extend_from_slice(&bytes[..room]);
            Ok(room)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_line_is_said_twice() {
        let mut torn = false;
        let (lines, mut to) = (b"first\nsecond\n", Full(Vec::new(), 9));
        let broken = say(&mut to, &mut torn, lines).unwrap_err();
        assert_eq!(broken.written, 6);
        say(&mut to, &mut torn, &lines[6..]).unwrap();
        assert_eq!(to.0, b"first\nsec\nsecond\n");
    }

    /// Neither what has no end of a line within reach, nor another file that has taken the name.
    #[test]
    fn what_cannot_be_mended_is_ended() {
        let dir = Scratch::new();
        let path = dir.join("log");
        let long = vec![b'x'; usize::try_from(LONGEST_TAIL).unwrap() + 1];
        std::fs::write(&path, &long).unwrap();
        let (mut output, _) = Output::open(&path, Durability::Written).unwrap();
        output.write(b"line\n").unwrap();
        assert!(std::fs::read(&path).unwrap().ends_with(b"x\nline\n"));

        std::fs::write(&path, "half").unwrap();
        let (mut appended, _) = Appended::open(&path, Durability::Written).unwrap();
        std::fs::write(&path, "whole\nhalf").unwrap();
        std::fs::rename(&path, dir.join("moved")).unwrap();
        std::fs::write(&path, "another").unwrap();
        appended.mend(10);
        appended.write(b"line\n").unwrap();
        assert_eq!(std::fs::read(dir.join("moved")).unwrap(), b"whole\nhalf\nline\n");
    }
}
