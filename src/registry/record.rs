//! The record of one peer.
