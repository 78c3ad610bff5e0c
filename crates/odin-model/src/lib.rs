//! The nouns of Odin: ids, jobs, policies, runs and their state machines, commands.
