//! Who a job runs as: the passwd entry and all groups of its owner.

use std::ffi::{CStr, CString};
use std::io;
use std::ptr;

use odin_model::Owner;

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

impl Account {
    /// Checks that the name still has the uid that it had at deploy.
    pub(super) fn is_still(&self, owner: &Owner) -> Result<(), IdentityError> {
        if self.uid == owner.uid {
            return Ok(());
        }
        Err(IdentityError::OtherUid {
            user: owner.user.clone(),
            here: self.uid,
            deployed: owner.uid,
        })
    }
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
    #[error(
        "the user database did not say within {seconds} s who `{user}` is: see what `getent passwd {user}` waits for \
         on this machine"
    )]
    Silent { user: String, seconds: u64 },
}

/// Asks the user database, which may take long or for ever: see [`Accounts`](super::Accounts).
pub(super) fn look_up(user: &str) -> Result<Account, IdentityError> {
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

    #[test]
    fn root_is_known_everywhere() {
        let root = look_up("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
    }

    #[test]
    fn whom_a_job_cannot_run_as_is_said_with_the_next_step() {
        let unknown = |user| look_up(user).unwrap_err().to_string();
        assert!(unknown("no-such-user").contains("add the user here"));
        assert!(unknown("with\0null").contains("not known"));
        let owner = Owner {
            user: "root".into(),
            uid: 4242,
        };
        let refused = look_up("root").unwrap().is_still(&owner).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("uid 0 on this machine and had 4242")
        );
    }
}
