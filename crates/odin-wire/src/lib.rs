//! The messages and error codes that leave a node: the compatibility promise.
