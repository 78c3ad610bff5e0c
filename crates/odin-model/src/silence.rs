//! Silences: for a while, nobody is told of some alerts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::AlertKind;
use crate::channel::ChannelName;
use crate::id::JobId;
use crate::owner::Owner;

/// How many silences may be in force.
pub const SILENCES_MAX: usize = 1_000;
/// The longest silence: what is forgotten must not be silent for ever.
pub const SILENCE_DAYS_MAX: i64 = 366;

/// Which alerts a silence covers: those that all of its parts fit. With no part at all it covers everything, which
/// takes an admin, as does one without a job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SilenceScope {
    /// Of this job. `None`: of any, and of what is about no job.
    pub job: Option<JobId>,
    /// Of this kind. `None`: of any.
    pub kind: Option<AlertKind>,
    /// Word to this channel. `None`: to any.
    pub channel: Option<ChannelName>,
}

impl SilenceScope {
    /// Whether word of an alert to a channel is covered. `channel` is `None` where the alert itself is asked about.
    #[must_use]
    pub fn covers(
        &self,
        job: Option<JobId>,
        kind: AlertKind,
        channel: Option<&ChannelName>,
    ) -> bool {
        self.job.is_none_or(|it| job == Some(it))
            && self.kind.is_none_or(|it| it == kind)
            && self.channel.as_ref().is_none_or(|it| channel == Some(it))
    }
}

/// A silence as the replicated state holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its number, counting up.
    pub id: u64,
    /// Who made it.
    pub by: Owner,
    /// The owner of the job that it is about. `None`: it is about no one job.
    pub owner: Option<Owner>,
    /// Which alerts.
    pub scope: SilenceScope,
    /// Why.
    pub reason: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_covers_what_all_of_its_parts_fit() {
        let ops = ChannelName::parse("ops").unwrap();
        let (job, other) = (JobId::from_bits(1), JobId::from_bits(2));
        let scope = |job, kind, channel: Option<&ChannelName>| SilenceScope {
            job,
            kind,
            channel: channel.cloned(),
        };
        use AlertKind::{Failure, Late};
        for (scope, expected) in [
            (scope(None, None, None), true),
            (scope(Some(job), None, None), true),
            (scope(Some(other), None, None), false),
            (scope(None, Some(Failure), None), true),
            (scope(None, Some(Late), None), false),
            (scope(Some(job), Some(Failure), Some(&ops)), true),
            (scope(Some(job), Some(Late), Some(&ops)), false),
        ] {
            let covers = scope.covers(Some(job), Failure, Some(&ops));
            assert_eq!(covers, expected, "{scope:?}");
        }
        assert!(!scope(None, None, Some(&ops)).covers(Some(job), Failure, None));
    }
}
