//! Seals secrets before they enter the log, and opens them when a run that needs them is armed.
//!
//! XChaCha20-Poly1305 with a nonce drawn for each sealing. Owner, name and key are authenticated with the value: a
//! sealed value that is moved to another name or another owner does not open. The key is in a file of its own,
//! `secrets.key`, and neither in the state nor in the log nor in a snapshot. The file may hold several keys, one a
//! line: the first seals, all open. That is how a key is changed, and how a node gets the key of others.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use odin_api::SealError;
use odin_model::secret::{SealedSecret, SealingKeyId};
use odin_model::{Owner, SecretName, SecretValue};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What each line begins with.
const VERSION: &str = "v1 ";
/// The longest key file: a hundred keys are more than anybody changes.
const FILE_BYTES_MAX: u64 = 8 * 1024;

/// The keys of this node.
pub struct Keyring {
    /// The first seals.
    keys: Vec<Key>,
    /// Why there is none.
    problem: String,
}

struct Key {
    id: SealingKeyId,
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids = self.keys.iter().map(|key| key.id.to_string());
        f.debug_list().entries(ids).finish()
    }
}

impl Keyring {
    /// The keys of a file. Without a file, a new key; but not where `needed` says that secrets are sealed by another:
    /// the file was lost then, and may yet be put back. A file that cannot be read leaves the node without keys.
    ///
    /// # Errors
    /// When a new file cannot be written.
    pub(crate) fn open(
        path: &Path,
        needed: &[SealingKeyId],
        draw: impl FnOnce(&mut [u8; 32]),
    ) -> io::Result<Self> {
        let keyring = match read(path) {
            Ok(keys) => Self {
                keys,
                problem: String::new(),
            },
            Err(error) if error.kind() == ErrorKind::NotFound && needed.is_empty() => {
                let mut bits = Zeroizing::new([0; 32]);
                draw(&mut bits);
                write(path, &bits)?;
                Self::of_key(&bits)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Self::without(format!(
                "{} is missing: put it back and restart the server",
                path.display()
            )),
            Err(error) => Self::without(format!("{} cannot be read: {error}", path.display())),
        };
        keyring.report(needed);
        Ok(keyring)
    }

    /// A single key, drawn by the caller.
    #[must_use]
    pub fn of_key(bits: &[u8; 32]) -> Self {
        Self {
            keys: vec![Key::new(bits)],
            problem: String::new(),
        }
    }

    fn without(problem: String) -> Self {
        Self {
            keys: Vec::new(),
            problem,
        }
    }

    /// Which of the keys `needed` the file does not have, or all if it cannot be read.
    pub(crate) fn missing(path: &Path, needed: &[SealingKeyId]) -> Vec<SealingKeyId> {
        let keys = read(path).unwrap_or_default();
        let is_missing = |id: &&SealingKeyId| !keys.iter().any(|key| key.id == **id);
        needed.iter().filter(is_missing).copied().collect()
    }

    fn report(&self, needed: &[SealingKeyId]) {
        if !self.problem.is_empty() {
            tracing::error!(code = "secret/key-missing", "{}", self.problem);
            return;
        }
        for id in needed.iter().filter(|id| self.key(**id).is_none()) {
            tracing::error!(code = "secret/key-missing", key = %id, "secrets are sealed by a key that secrets.key does not have");
        }
    }

    fn key(&self, id: SealingKeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Seals a value for the log, with a nonce that was drawn for it.
    pub(crate) fn seal(
        &self,
        owner: &Owner,
        name: &SecretName,
        value: &SecretValue,
        nonce: [u8; 24],
    ) -> Result<SealedSecret, SealError> {
        let Some(Key { id, cipher }) = self.keys.first() else {
            return Err(SealError::KeyMissing(self.problem.clone()));
        };
        let aad = bound_to(owner, name, *id);
        let payload = Payload {
            msg: value.expose(),
            aad: &aad,
        };
        let ciphertext = cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("64 KiB are within what the cipher takes");
        Ok(SealedSecret {
            key: *id,
            nonce,
            ciphertext,
        })
    }

    /// Opens what was sealed for this owner and name.
    pub(crate) fn open_sealed(
        &self,
        owner: &Owner,
        name: &SecretName,
        sealed: &SealedSecret,
    ) -> Result<SecretValue, SealError> {
        let Some(Key { id, cipher }) = self.key(sealed.key) else {
            let problem = if self.problem.is_empty() {
                format!(
                    "it is sealed by key {}, which secrets.key does not have",
                    sealed.key
                )
            } else {
                self.problem.clone()
            };
            return Err(SealError::KeyMissing(problem));
        };
        let aad = bound_to(owner, name, *id);
        let payload = Payload {
            msg: &sealed.ciphertext,
            aad: &aad,
        };
        let opened = cipher.decrypt(&XNonce::from(sealed.nonce), payload);
        opened
            .ok()
            .and_then(|bytes| SecretValue::new(bytes).ok())
            .ok_or(SealError::Damaged)
    }
}

impl Key {
    fn new(bits: &[u8; 32]) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"odin secrets key id");
        digest.update(bits);
        let digest: [u8; 32] = digest.finalize().into();
        Self {
            id: SealingKeyId(*digest.first_chunk().expect("a digest is longer")),
            cipher: XChaCha20Poly1305::new(bits.into()),
        }
    }
}

/// What is authenticated beside the value. Lengths first: no two owners and names run into one text.
fn bound_to(owner: &Owner, name: &SecretName, key: SealingKeyId) -> Vec<u8> {
    let mut bytes = b"odin secret 1".to_vec();
    bytes.extend(key.0);
    bytes.extend(owner.uid.to_be_bytes());
    for text in [owner.user.as_str(), name.as_str()] {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

fn read(path: &Path) -> io::Result<Vec<Key>> {
    let file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others could read the key of the secrets; now they cannot");
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    let mut text = Zeroizing::new(String::with_capacity(1024));
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let lines = text.lines().map(str::trim).zip(1..);
    let keys: Result<Vec<_>, _> = lines
        .filter(|(line, _)| !line.is_empty())
        .map(|(line, number)| {
            parse(line).ok_or_else(|| {
                io::Error::new(
                    ErrorKind::InvalidData,
                    format!("line {number} is no key (`v1` and 64 hexadecimal digits)"),
                )
            })
        })
        .collect();
    let keys = keys?;
    if keys.is_empty() {
        return Err(io::Error::new(ErrorKind::InvalidData, "it is empty"));
    }
    Ok(keys)
}

fn parse(line: &str) -> Option<Key> {
    let digits = line.strip_prefix(VERSION)?.as_bytes();
    let mut bits = Zeroizing::new([0; 32]);
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bits.iter_mut().zip(digits.chunks(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).expect("two digits");
    }
    Some(Key::new(&bits))
}

/// Written aside and renamed: a crash leaves no half of a key, with which nothing could be opened later.
fn write(path: &Path, bits: &[u8; 32]) -> io::Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(128));
    text.push_str(VERSION);
    for byte in bits {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).expect("below 16"));
        }
    }
    text.push('\n');
    let partial = path.with_extension("key.partial");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&partial, path)?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(user: &str, uid: u32) -> Owner {
        Owner {
            user: user.to_owned(),
            uid,
        }
    }

    fn name(text: &str) -> SecretName {
        SecretName::parse(text).unwrap()
    }

    fn value(text: &str) -> SecretValue {
        SecretValue::new(text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_owner_and_name_alone() {
        let keyring = Keyring::of_key(&[7; 32]);
        let (ann, key) = (owner("ann", 1000), name("KEY"));
        let sealed = keyring
            .seal(&ann, &key, &value("hunter22"), [1; 24])
            .unwrap();
        assert_eq!(sealed.ciphertext.len(), 8 + 16);
        let opened = keyring.open_sealed(&ann, &key, &sealed).unwrap();
        assert_eq!(opened.expose(), b"hunter22");
        for (owner, name) in [
            (owner("ann", 1001), name("KEY")),
            (owner("bob", 1000), name("KEY")),
            (owner("ann", 1000), name("KEY2")),
        ] {
            let opened = keyring.open_sealed(&owner, &name, &sealed);
            assert_eq!(opened, Err(SealError::Damaged));
        }
        for place in 0..sealed.ciphertext.len() {
            let mut damaged = sealed.clone();
            damaged.ciphertext[place] ^= 1;
            let opened = keyring.open_sealed(&ann, &key, &damaged);
            assert_eq!(opened, Err(SealError::Damaged), "{place}");
        }
    }

    #[test]
    fn the_file_is_made_once_for_the_server_alone_and_read_again() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("secrets.key");
        let open = |byte| Keyring::open(&path, &[], |bits| bits.fill(byte)).unwrap();
        let first = open(1);
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(format!("{:?}", open(2)), format!("{first:?}"));
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn a_lost_file_is_not_made_anew_while_secrets_need_it() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("secrets.key");
        let needed = [Keyring::of_key(&[1; 32]).keys[0].id];
        let keyring = Keyring::open(&path, &needed, |bits| bits.fill(2)).unwrap();
        assert!(!path.exists());
        let (ann, key) = (owner("ann", 1000), name("KEY"));
        let error = keyring
            .seal(&ann, &key, &value("hunter22"), [1; 24])
            .unwrap_err();
        assert_eq!(error.code(), "secret/key-missing");
        assert!(
            error.to_string().contains("secrets.key is missing"),
            "{error}"
        );
    }

    #[test]
    fn a_second_line_opens_what_the_first_did_not_seal() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("secrets.key");
        let (ann, key) = (owner("ann", 1000), name("KEY"));
        let old = Keyring::of_key(&[1; 32]);
        let sealed = old.seal(&ann, &key, &value("hunter22"), [1; 24]).unwrap();
        let line = |byte: u8| format!("v1 {}\n", format!("{byte:02x}").repeat(32));
        let open = |text: String| {
            std::fs::write(&path, text).unwrap();
            Keyring::open(&path, &[sealed.key], |_| unreachable!()).unwrap()
        };
        let both = open(line(2) + &line(1));
        let opened = both.open_sealed(&ann, &key, &sealed).unwrap();
        assert_eq!(opened.expose(), b"hunter22");
        let again = both.seal(&ann, &key, &opened, [2; 24]).unwrap();
        assert_ne!(again.key, sealed.key);
        let error = open(line(2)).open_sealed(&ann, &key, &sealed).unwrap_err();
        assert_eq!(error.code(), "secret/key-missing");
        for damaged in ["", "\n", "v1 00\n", "v2 00\n", "v1 zz\n"] {
            let error = open(damaged.to_owned()).open_sealed(&ann, &key, &sealed);
            assert_eq!(
                error.unwrap_err().code(),
                "secret/key-missing",
                "{damaged:?}"
            );
        }
    }
}
