//! The machine's user database.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;

use odin_api::User;

/// How large an entry may be: groups of thousands of members are not in it.
const ENTRY_BYTES_MAX: usize = 64 * 1024;

/// The user of a uid. Asks whatever the machine's name service is set to, which may take long. `None`: there is
/// none, or the database cannot be read.
#[must_use]
pub(crate) fn of_uid(uid: u32) -> Option<User> {
    // SAFETY: all pointers are to live memory of the sizes given, and nothing of it is kept by the call.
    find(|entry, buffer, length, found| unsafe {
        libc::getpwuid_r(uid, entry, buffer, length, found)
    })
}

/// The user of a name, likewise.
#[must_use]
pub(crate) fn named(name: &str) -> Option<User> {
    let name = CString::new(name).ok()?;
    // SAFETY: as above; `name` ends with a null byte by its type and lives until the call is over.
    find(|entry, buffer, length, found| unsafe {
        libc::getpwnam_r(name.as_ptr(), entry, buffer, length, found)
    })
}

fn find(
    ask: impl FnOnce(*mut libc::passwd, *mut libc::c_char, usize, *mut *mut libc::passwd) -> libc::c_int,
) -> Option<User> {
    let mut buffer = vec![0u8; ENTRY_BYTES_MAX];
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut found = std::ptr::null_mut();
    let error = ask(
        entry.as_mut_ptr(),
        buffer.as_mut_ptr().cast(),
        buffer.len(),
        &raw mut found,
    );
    if error != 0 || found.is_null() {
        return None;
    }
    // SAFETY: the call succeeded and found an entry, so it is filled in; its strings are in `buffer`, which lives.
    let (name, uid, gid) = unsafe {
        let entry = entry.assume_init_ref();
        (
            CStr::from_ptr(entry.pw_name).to_str().ok()?.to_owned(),
            entry.pw_uid,
            entry.pw_gid,
        )
    };
    Some(User { name, uid, gid })
}

/// The gid of a group of this name. `None`: there is none.
#[must_use]
pub(crate) fn group(name: &CStr) -> Option<u32> {
    let mut buffer = vec![0u8; ENTRY_BYTES_MAX];
    let mut entry = MaybeUninit::<libc::group>::uninit();
    let mut found = std::ptr::null_mut();
    // SAFETY: as above; `name` ends with a null byte by its type.
    let error = unsafe {
        libc::getgrnam_r(
            name.as_ptr(),
            entry.as_mut_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            &raw mut found,
        )
    };
    if error != 0 || found.is_null() {
        return None;
    }
    // SAFETY: the call succeeded and found an entry.
    Some(unsafe { entry.assume_init_ref() }.gr_gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_and_nobody_has_the_largest_uid() {
        assert_eq!(
            of_uid(0).map(|user| (user.name, user.gid)),
            Some(("root".to_owned(), 0))
        );
        assert_eq!(named("root"), of_uid(0));
        assert_eq!(of_uid(u32::MAX - 7), None);
        assert_eq!(group(c"root"), Some(0));
        assert_eq!(group(c"no such group"), None);
    }
}
