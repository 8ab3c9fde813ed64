//! Every state of a slot against every event.
