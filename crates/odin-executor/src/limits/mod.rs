//! How much of the machine a run may use: control groups of either version, found where they are mounted.
//!
//! A run without limits has no group. One with limits has a group of its own in each hierarchy that is needed, made
//! before its process and entered by it before it becomes the program, so no instruction of the job runs unlimited.

mod abilities;
mod group;
mod groups;
mod hierarchies;
mod survey;

pub use abilities::{
    Ability, ControlGroups, MachineAbilities, Means, NotEnforceable, TreeKill, control_groups,
    machine_abilities,
};
pub(crate) use group::Group;
pub(crate) use groups::Groups;
