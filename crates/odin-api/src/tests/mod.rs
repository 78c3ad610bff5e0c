//! The API as its clients see it, over a real store.

mod access;
mod alert_access;
mod bad_requests;
mod bundles;
mod changes;
mod deployments;
mod following;
mod history;
mod links;
mod listeners;
mod run_lists;
mod secrets;
