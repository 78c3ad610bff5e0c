//! Who owns a job and who asks.

use serde::{Deserialize, Serialize};

use crate::Refusal;

/// A job's owner: a Linux user's name with the uid it had at deploy. A node runs the job only where the name
/// resolves to that uid.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// The user's name.
    pub user: String,
    /// The uid that the name had.
    pub uid: u32,
}

/// What a principal may do apart from owning jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Sees its own jobs.
    Viewer,
    /// Sees and changes its own jobs.
    Operator,
    /// Sees and changes all: root, the server's own user, and who was made admin.
    Admin,
}

impl Role {
    /// The word in the API and the CLI.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Who asks: stated by the kernel (a unix socket's peer) or by a token, never by a request's body.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Principal {
    /// The Linux user behind the request.
    pub user: Owner,
    /// What it may do.
    pub role: Role,
}

impl Principal {
    /// Whether it may see what belongs to `owner`.
    #[must_use]
    pub fn may_see(&self, owner: &Owner) -> bool {
        self.role == Role::Admin || self.user == *owner
    }

    /// Whether it may change what belongs to `owner`.
    #[must_use]
    pub fn may_change(&self, owner: &Owner) -> bool {
        self.role == Role::Admin || (self.role == Role::Operator && self.user == *owner)
    }

    /// Refuses whose role is less than `needed`, whatever they own.
    ///
    /// # Errors
    /// [`Refusal::RoleNeeded`].
    pub fn need(&self, needed: Role) -> Result<(), Refusal> {
        match self.role >= needed {
            true => Ok(()),
            false => Err(Refusal::RoleNeeded { needed }),
        }
    }
}
