//! Messages to channels: an outbox in the replicated state, so that none is lost while a channel is down or a server
//! restarts. That one is sent is written down before it is tried, and what became of it after.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::AlertEvent;
use crate::channel::ChannelName;
use crate::id::{Epoch, NodeId};
use crate::owner::Owner;

/// How many alerts one message lists.
pub const EVENTS_IN_MESSAGE_MAX: usize = 100;
/// How many messages may wait for one channel; of alerts beyond, the last message says how many there were.
pub const MESSAGES_WAITING_MAX: u64 = 100;
/// How many messages may wait for recipients of a channel who were put off, while others have them; one more is given up.
pub const MESSAGES_PUT_OFF_MAX: u64 = 100;
/// How many messages that are settled are kept; the oldest go first.
pub const SETTLED_KEPT_MAX: u64 = 10_000;

/// A message's number, counting up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryId(pub u64);

/// The id by which receivers know a message: the same however often it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageId {
    /// The channel's token.
    pub token: u64,
    /// The state's generation: a restored backup counts on from an old number.
    pub generation: u8,
    /// The message's number.
    pub delivery: DeliveryId,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            token,
            generation,
            delivery,
        } = self;
        write!(f, "odin_{token:016x}_{generation}_{}", delivery.0)
    }
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeliveryState {
    /// Alerts are gathered until its instant.
    Gathering,
    /// A leader sends it. If nothing is heard of it by its instant, that leader is gone, and it is sent again.
    Sending,
    /// It could not be sent, and is tried again at its instant.
    Retrying,
    /// It was taken.
    Sent,
    /// It was not, and is not tried again.
    GivenUp,
}

impl DeliveryState {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Gathering,
        Self::Sending,
        Self::Retrying,
        Self::Sent,
        Self::GivenUp,
    ];

    /// The word in the API and the CLI.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Gathering => "gathering",
            Self::Sending => "sending",
            Self::Retrying => "retrying",
            Self::Sent => "sent",
            Self::GivenUp => "given_up",
        }
    }

    /// Whether nothing more happens to it.
    #[must_use]
    pub fn is_settled(self) -> bool {
        match self {
            Self::Sent | Self::GivenUp => true,
            Self::Gathering | Self::Sending | Self::Retrying => false,
        }
    }
}

/// A message as the replicated state holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its number.
    pub id: DeliveryId,
    /// To which channel.
    pub channel: ChannelName,
    /// As whom a command runs. `None`: the channel is no command, or it is about no job.
    pub run_as: Option<Owner>,
    /// Where it stands.
    pub state: DeliveryState,
    /// Whether it does not wait in quiet hours.
    pub urgent: bool,
    /// How often it was tried.
    pub attempt: u32,
    /// When something is to be done about it. `None`: it is settled.
    pub next_at: Option<Timestamp>,
    /// When its first alert came.
    pub made_at: Timestamp,
    /// How many alerts it lists.
    pub events: u64,
    /// How many more there were.
    pub more: u64,
    /// What the last attempt came to, in words. `None`: there was none.
    pub last: Option<String>,
    /// When it was settled. `None`: it is not.
    pub settled_at: Option<Timestamp>,
}

/// A recipient of a mail to whom it is not sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledRecipient {
    /// The address, without a name.
    pub address: String,
    /// Why the server refused it for good. `None`: it took the mail for it.
    pub refused: Option<String>,
}

/// A message with what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The id by which receivers know it.
    pub id: MessageId,
    /// To which channel.
    pub channel: ChannelName,
    /// When its first alert came.
    pub made_at: Timestamp,
    /// What it tells of, oldest first.
    pub events: Vec<AlertEvent>,
    /// How many more there were than it lists.
    pub more: u64,
    /// Recipients to whom earlier attempts brought it, or never will; some of them have it. Of a mail only.
    pub settled: Vec<SettledRecipient>,
}

/// A step of a message, proposed by the leader. It counts only if the message is still at that attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryStep {
    /// It is about to be sent for the first time, or again.
    Begin {
        /// Which.
        delivery: DeliveryId,
        /// The number of the attempt, one more than the last.
        attempt: u32,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
        /// By when the attempt is over, whatever happens.
        #[serde(with = "crate::instant")]
        until: Timestamp,
        /// Which node sends it.
        node: NodeId,
        /// In which of its lives: in the next one nothing of this attempt is left.
        epoch: Epoch,
    },
    /// Its channel is quiet: it goes on gathering until then.
    Hold {
        /// Which.
        delivery: DeliveryId,
        /// The number of the last attempt.
        attempt: u32,
        /// Until when.
        #[serde(with = "crate::instant")]
        until: Timestamp,
    },
    /// It was taken.
    Done {
        /// Which.
        delivery: DeliveryId,
        /// At which attempt.
        attempt: u32,
        /// What the receiver said.
        answer: String,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// It was not, or not for all of its recipients.
    Failed {
        /// Which.
        delivery: DeliveryId,
        /// At which attempt.
        attempt: u32,
        /// Why.
        error: String,
        /// When it is tried again. `None`: it is given up.
        #[serde(with = "crate::instant::option")]
        next_at: Option<Timestamp>,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
        /// Whom the next attempt leaves out, besides those of the attempts before: who has it, and who never will. Empty
        /// where nobody got it.
        settled: Vec<SettledRecipient>,
    },
}
