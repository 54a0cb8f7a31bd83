//! As much of the ZIP format as wheels use: entries by the directory at the end, stored or deflated, below 4 GiB.
//!
//! Source of the offsets: PKWARE's APPNOTE.TXT, 4.3.

use std::borrow::Cow;
use std::io;

use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// A file in the archive.
pub(crate) struct Entry<'a> {
    /// Its path in there.
    pub(crate) name: &'a str,
    /// Its size when unpacked, in bytes.
    pub(crate) size: usize,
    /// Whether it may be run.
    pub(crate) is_program: bool,
    method: u16,
    packed: usize,
    header: usize,
}

/// The archive's entries, as its directory has them.
pub(crate) fn entries(archive: &[u8]) -> io::Result<Vec<Entry<'_>>> {
    let end = archive
        .windows(4)
        .rposition(|bytes| bytes == b"PK\x05\x06")
        .ok_or_else(broken)?;
    let count = short(archive, end + 10)?;
    let mut at = long(archive, end + 16)?;
    let mut entries = Vec::with_capacity(count.into());
    for _ in 0..count {
        if part(archive, at, 4)? != b"PK\x01\x02" {
            return Err(broken());
        }
        let [name, extra, comment] =
            [28, 30, 32].map(|field| short(archive, at + field).map(usize::from));
        let (name, extra, comment) = (name?, extra?, comment?);
        entries.push(Entry {
            name: std::str::from_utf8(part(archive, at + 46, name)?).map_err(|_| broken())?,
            size: long(archive, at + 24)?,
            // The upper half is the mode that Unix gives a file.
            is_program: short(archive, at + 40)? & 0o111 != 0,
            method: short(archive, at + 10)?,
            packed: long(archive, at + 20)?,
            header: long(archive, at + 42)?,
        });
        at += 46 + name + extra + comment;
    }
    Ok(entries)
}

impl Entry<'_> {
    /// What is in the file.
    pub(crate) fn content<'a>(&self, archive: &'a [u8]) -> io::Result<Cow<'a, [u8]>> {
        if part(archive, self.header, 4)? != b"PK\x03\x04" {
            return Err(broken());
        }
        let before = [26, 28].map(|field| short(archive, self.header + field).map(usize::from));
        let [name, extra] = before;
        let start = self.header + 30 + name? + extra?;
        let packed = part(archive, start, self.packed)?;
        let content = match self.method {
            0 => Cow::Borrowed(packed),
            8 => Cow::Owned(decompress_to_vec_with_limit(packed, self.size).map_err(|_| broken())?),
            _ => return Err(broken()),
        };
        if content.len() == self.size {
            Ok(content)
        } else {
            Err(broken())
        }
    }
}

fn part(archive: &[u8], at: usize, length: usize) -> io::Result<&[u8]> {
    let end = at.checked_add(length).ok_or_else(broken)?;
    archive.get(at..end).ok_or_else(broken)
}

fn short(archive: &[u8], at: usize) -> io::Result<u16> {
    let bytes = part(archive, at, 2)?;
    Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
}

fn long(archive: &[u8], at: usize) -> io::Result<usize> {
    let bytes = part(archive, at, 4)?;
    let number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    usize::try_from(number).map_err(|_| broken())
}

fn broken() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the wheel that was built in can't be read",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `zip` makes of a file `a/b`, stored.
    fn archive() -> Vec<u8> {
        let mut bytes =
            b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\0\0\0\x04\0\0\0\x03\0\0\0a/btext"
                .to_vec();
        let directory = u32::try_from(bytes.len()).unwrap();
        bytes.extend(b"PK\x01\x02\x14\x03\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\0\0\0\x04\0\0\0\x03\0\0\0\0\0\0\0\0\0");
        bytes.extend(b"\0\0\xed\x81\0\0\0\0a/b");
        let size = u32::try_from(bytes.len()).unwrap() - directory;
        bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        bytes.extend(size.to_le_bytes());
        bytes.extend(directory.to_le_bytes());
        bytes.extend(b"\0\0");
        bytes
    }

    #[test]
    fn a_file_is_read_and_a_part_of_an_archive_is_not() {
        let whole = archive();
        let found = entries(&whole).unwrap();
        let [entry] = &found[..] else {
            panic!("{}", found.len())
        };
        assert_eq!((entry.name, entry.size, entry.is_program), ("a/b", 4, true));
        assert_eq!(&*entry.content(&whole).unwrap(), b"text");
        for end in 0..whole.len() - 2 {
            assert!(entries(&whole[..end]).is_err(), "{end}");
        }
        for end in 0..37 {
            assert!(entry.content(&whole[..end]).is_err(), "{end}");
        }
    }
}
