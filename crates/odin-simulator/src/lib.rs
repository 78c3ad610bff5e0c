//! A whole cluster in one thread, with a simulated clock and network.
