//! Who a job runs as: the passwd entry and all groups of its owner.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::io;
use std::ptr;
use std::time::Duration;

use odin_model::{Boottime, Owner};

/// How long an answer of the user database is trusted. A user who was put into a group waits that long.
const TRUSTED_FOR: Duration = Duration::from_secs(5);
/// Entries kept, at most; beyond, all are looked up again.
const ENTRIES_MAX: usize = 256;
/// A passwd entry or group list beyond this is refused rather than allocated.
const BUFFER_BYTES_MAX: usize = 1 << 20;
const GROUPS_MAX: usize = 65_536;

/// What the user database says of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// All groups, the primary one included.
    pub(crate) groups: Vec<libc::gid_t>,
    pub(crate) home: String,
    pub(crate) shell: String,
}

/// Why a job cannot run as its owner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdentityError {
    #[error(
        "user `{user}` is not known on this machine: add the user here, or restrict the job's `nodes:`"
    )]
    Unknown { user: String },
    #[error(
        "user `{user}` has uid {here} on this machine and had {deployed} where the job was deployed: \
         give the user the same uid, or let an admin run `odin chown`"
    )]
    OtherUid {
        user: String,
        here: u32,
        deployed: u32,
    },
    #[error(
        "the server runs as uid {own} and is not root, so it can only run that user's jobs, and this one is \
         `{user}`'s (uid {uid}): deploy the job as the server's user, or run the server as root"
    )]
    NotRoot { user: String, uid: u32, own: u32 },
    #[error("the user database cannot tell who `{user}` is: {error}")]
    Database { user: String, error: String },
}

/// The user database with a short memory. One per spawner thread, since a lookup may wait for a directory server.
pub(crate) struct Identities {
    own_uid: u32,
    known: HashMap<String, (Boottime, Account)>,
}

impl Identities {
    pub(crate) fn new() -> Self {
        Self {
            own_uid: rustix::process::geteuid().as_raw(),
            known: HashMap::new(),
        }
    }

    /// Whether processes must change their ids to run as somebody.
    pub(crate) fn must_switch(&self) -> bool {
        self.own_uid == 0
    }

    /// The owner's account, if this executor may run processes for it.
    pub(crate) fn account(
        &mut self,
        owner: &Owner,
        now: Boottime,
    ) -> Result<&Account, IdentityError> {
        let user = &owner.user;
        if self.own_uid != 0 && owner.uid != self.own_uid {
            return Err(IdentityError::NotRoot {
                user: user.clone(),
                uid: owner.uid,
                own: self.own_uid,
            });
        }
        let fresh = self
            .known
            .get(user)
            .is_some_and(|(asked, _)| now.since(*asked) < TRUSTED_FOR);
        if !fresh {
            let account = look_up(user)?;
            if self.known.len() >= ENTRIES_MAX {
                self.known.clear();
            }
            self.known.insert(user.clone(), (now, account));
        }
        let (_, account) = &self.known[user];
        if account.uid != owner.uid {
            let (here, deployed) = (account.uid, owner.uid);
            return Err(IdentityError::OtherUid {
                user: user.clone(),
                here,
                deployed,
            });
        }
        Ok(account)
    }
}

fn look_up(user: &str) -> Result<Account, IdentityError> {
    let unknown = || IdentityError::Unknown {
        user: user.to_owned(),
    };
    let failed = |error: io::Error| IdentityError::Database {
        user: user.to_owned(),
        error: error.to_string(),
    };
    let name = CString::new(user).map_err(|_| unknown())?;
    let mut account = passwd(&name).map_err(failed)?.ok_or_else(unknown)?;
    account.groups = groups(&name, account.gid).map_err(failed)?;
    Ok(account)
}

fn passwd(name: &CStr) -> io::Result<Option<Account>> {
    let mut buffer: Vec<libc::c_char> = vec![0; 4096];
    loop {
        // SAFETY: an all-zero passwd is a valid value: null pointers and numbers.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = ptr::null_mut();
        // SAFETY: the buffer's length is given, and `entry` and `found` outlive the call.
        let code = unsafe {
            libc::getpwnam_r(
                name.as_ptr(),
                &raw mut entry,
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            )
        };
        match code {
            // POSIX lets "no such user" be told as several errors.
            0 | libc::ENOENT | libc::ESRCH if found.is_null() => return Ok(None),
            0 => {
                let text = |pointer: *const libc::c_char| {
                    if pointer.is_null() {
                        return String::new();
                    }
                    // SAFETY: a C string in `buffer`, which is alive and not changed.
                    unsafe { CStr::from_ptr(pointer) }
                        .to_string_lossy()
                        .into_owned()
                };
                return Ok(Some(Account {
                    user: name.to_string_lossy().into_owned(),
                    uid: entry.pw_uid,
                    gid: entry.pw_gid,
                    groups: Vec::new(),
                    home: text(entry.pw_dir),
                    shell: text(entry.pw_shell),
                }));
            }
            libc::ERANGE if buffer.len() < BUFFER_BYTES_MAX => buffer.resize(buffer.len() * 4, 0),
            libc::EINTR => {}
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

fn groups(name: &CStr, primary: u32) -> io::Result<Vec<libc::gid_t>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut count = libc::c_int::try_from(groups.len()).expect("bounded by GROUPS_MAX");
        // SAFETY: the array's length is given; the call writes at most that many and the count.
        let code = unsafe {
            libc::getgrouplist(name.as_ptr(), primary, groups.as_mut_ptr(), &raw mut count)
        };
        if code >= 0 {
            groups.truncate(usize::try_from(count).unwrap_or(0));
            return Ok(groups);
        }
        if groups.len() >= GROUPS_MAX {
            return Err(io::Error::other("the user is in more than 65536 groups"));
        }
        groups.resize(groups.len() * 4, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Boottime = Boottime(Duration::from_secs(100));

    fn account_of(own_uid: u32, user: &str, uid: u32) -> Result<Account, IdentityError> {
        let mut identities = Identities {
            own_uid,
            known: HashMap::new(),
        };
        identities
            .account(
                &Owner {
                    user: user.into(),
                    uid,
                },
                NOW,
            )
            .cloned()
    }

    #[test]
    fn root_is_known_everywhere() {
        let root = account_of(0, "root", 0).unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
    }

    #[test]
    fn whom_a_job_cannot_run_as_is_said_with_the_next_step() {
        let refused = |own, user: &str, uid| account_of(own, user, uid).unwrap_err().to_string();
        assert!(refused(0, "no-such-user", 4242).contains("add the user here"));
        assert!(refused(0, "with\0null", 4242).contains("not known"));
        assert!(refused(0, "root", 4242).contains("uid 0 on this machine and had 4242"));
        assert!(refused(1000, "root", 0).contains("run the server as root"));
    }
}
