//! Where a secret's value comes from. Never from an argument: those are seen by all users, and kept by shells.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

use odin_model::{SecretName, SecretValue};
use rustix::process::DumpableBehavior;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::error::CliError;

/// What a terminal sends for keys that act.
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const BACKSPACE: [u8; 2] = [8, 127];
const LINE_END: [u8; 2] = [b'\r', b'\n'];

/// The value of a file as it is; or what is piped or typed, without one line end at its end.
pub(super) fn read(name: &SecretName, file: Option<&Path>) -> Result<SecretValue, CliError> {
    // No core dump, and no other process of this user, gets to see it.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let bytes = match file {
        Some(path) => {
            let file = File::open(path).map_err(|error| CliError::file(path, &error))?;
            whole(file).map_err(|error| CliError::file(path, &error))?
        }
        None if io::stdin().is_terminal() => typed(name)
            .map_err(|error| cannot_read(&error))?
            .ok_or_else(|| {
                CliError::refused("cli/nothing-set", format!("secret {name} is as it was"))
            })?,
        None => {
            let mut bytes = whole(io::stdin().lock()).map_err(|error| cannot_read(&error))?;
            strip_line_end(&mut bytes);
            bytes
        }
    };
    SecretValue::new(bytes.to_vec()).map_err(|error| {
        CliError::refused("secret/bad-value", error.to_string())
            .with_help("Pipe the value in, name a file with --from-file, or type it.")
    })
}

fn cannot_read(error: &io::Error) -> CliError {
    CliError::refused("cli/file", format!("standard input: {error}"))
}

/// Everything, up to one byte more than a value may have.
fn whole(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // With room for all of it: growing would leave copies.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SecretValue::BYTES_MAX + 64));
    let limit = u64::try_from(SecretValue::BYTES_MAX + 2).expect("it is small");
    from.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn strip_line_end(bytes: &mut Vec<u8>) {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
}

/// Puts the terminal back as it was.
struct Quiet(Termios);

impl Quiet {
    /// Shows nothing, and hands over every key: an interrupt must not leave the terminal like this.
    fn begin() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(stdin.as_fd())?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(stdin.as_fd(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // The terminal was there a moment ago; if it is gone, there is nothing to put back.
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, &self.0);
        let _ = writeln!(io::stderr());
    }
}

/// One line from the terminal. `None`: the person thought better of it.
fn typed(name: &SecretName) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut stderr = io::stderr();
    write!(stderr, "Value of {name} (not shown): ")?;
    stderr.flush()?;
    let _quiet = Quiet::begin()?;
    let mut line = Zeroizing::new(Vec::with_capacity(SecretValue::BYTES_MAX + 64));
    let mut key = [0];
    loop {
        let count = io::stdin().lock().read(&mut key)?;
        match key[0] {
            _ if count == 0 => return Ok(Some(line)),
            INTERRUPT => return Ok(None),
            END if line.is_empty() => return Ok(None),
            END => return Ok(Some(line)),
            byte if LINE_END.contains(&byte) => return Ok(Some(line)),
            byte if BACKSPACE.contains(&byte) => erase(&mut line),
            byte if line.len() <= SecretValue::BYTES_MAX => line.push(byte),
            _ => {}
        }
    }
}

/// Takes the last character off, however many bytes it has.
fn erase(line: &mut Vec<u8>) {
    while let Some(byte) = line.pop() {
        let continues = byte & 0xc0 == 0x80;
        if !continues {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_at_the_end_is_left_out() {
        for (text, expected) in [
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            ("a", "a"),
            ("a\r", "a\r"),
            ("\n", ""),
        ] {
            let mut bytes = text.as_bytes().to_vec();
            strip_line_end(&mut bytes);
            assert_eq!(bytes, expected.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn a_character_is_erased_whole() {
        let mut line = "aé😀".as_bytes().to_vec();
        for expected in ["aé", "a", "", ""] {
            erase(&mut line);
            assert_eq!(line, expected.as_bytes());
        }
    }
}
