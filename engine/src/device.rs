//! Choice of the compute device at run time.
