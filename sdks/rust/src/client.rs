//! What all [`Odin`](crate::Odin)s of a process share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use crate::clock;
use crate::delivery::Delivery;
use crate::environment::{self, Door};
use crate::link::{END_WITHIN, Link};
use crate::mock;
use crate::queue::Room;
use crate::report::Report;
use crate::status::Status;

/// The one of this process, while anybody has it.
static OF_PROCESS: Mutex<Weak<Client>> = Mutex::new(Weak::new());

pub(crate) struct Client {
    /// `None` outside Odin.
    link: Option<Arc<Link>>,
    is_mock: AtomicBool,
}

impl Client {
    pub(crate) fn of_process() -> Arc<Self> {
        let mut shared = OF_PROCESS
            .lock()
            .expect("no code that holds this lock panics");
        if let Some(client) = shared.upgrade() {
            return client;
        }
        let client = Self::new(environment::door(), environment::asks_for_mock());
        *shared = Arc::downgrade(&client);
        client
    }

    pub(crate) fn new(door: Option<Door>, is_mock: bool) -> Arc<Self> {
        Arc::new(Self {
            link: door.map(Link::new),
            is_mock: AtomicBool::new(is_mock),
        })
    }

    pub(crate) fn is_inside(&self) -> bool {
        self.link.is_some()
    }

    pub(crate) fn mock(&self) {
        self.is_mock.store(true, Ordering::Relaxed);
    }

    pub(crate) fn send(&self, report: &Report<'_>) {
        self.send_as(report, Room::IfThereIs, None);
    }

    /// The last report of a program.
    pub(crate) fn send_result(&self, report: &Report<'_>, status: &Status<'_>) {
        self.send_as(report, Room::Always, Some(status));
    }

    fn send_as(&self, report: &Report<'_>, room: Room, status: Option<&Status<'_>>) {
        match &self.link {
            Some(link) => link.send(report.rest_of_line(clock::now()), room),
            None if self.is_mock.load(Ordering::Relaxed) => mock::say(&mock::line(report, status)),
            None => {}
        }
    }

    pub(crate) fn flush(&self, within: Duration) -> Delivery {
        self.link
            .as_ref()
            .map_or_else(Delivery::default, |link| link.flush(within))
    }

    /// Waits for the acknowledgements, and says on stderr what is missing.
    pub(crate) fn finish(&self) -> Delivery {
        let delivery = self.flush(END_WITHIN);
        if !delivery.is_complete() {
            mock::say(&format!("odin: {delivery}"));
        }
        delivery
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            let _ = self.finish();
            link.close();
        }
    }
}
