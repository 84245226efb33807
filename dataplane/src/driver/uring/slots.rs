//! What the driver knows of each descriptor that it watches.

use std::net::SocketAddr;
use std::os::fd::RawFd;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketState {
    Free,
    Open,
    Closing,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct SocketSlot {
    pub(super) state: SocketState,
    /// Whether a multishot receive is in the kernel.
    pub(super) armed: bool,
    /// The peer that the kernel has connected it to: what is sent there needs no address and no search for a route.
    pub(super) connected: Option<SocketAddr>,
    /// The peer that it is being connected to, and how many of these operations have not completed.
    pub(super) connecting: Option<SocketAddr>,
    pub(super) unconfirmed: u32,
}

impl SocketSlot {
    pub(super) const FREE: SocketSlot = SocketSlot {
        state: SocketState::Free,
        armed: false,
        connected: None,
        connecting: None,
        unconfirmed: 0,
    };
}

/// The descriptor that also wakes the worker.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) descriptor: Option<RawFd>,
    /// Tells the polls of one descriptor from those of the one before.
    pub(super) turn: u32,
    pub(super) armed: bool,
    pub(super) ready: bool,
}
