//! Fixtures for development: a fake GitHub.
