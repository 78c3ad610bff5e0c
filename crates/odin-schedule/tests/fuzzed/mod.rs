//! What must hold for any input: the fuzz targets under `fuzz/` call these functions with
//! bytes of their own making, and a test calls them with every input that was kept.

pub(crate) mod engine;
pub(crate) mod text;
