//! The repair of video, piece by piece; what joins the pieces is the session's. Nothing here decodes pictures.
//!
//! - Of what a peer **sends**: [`requests`] are what it is asked for and told. [`missing`] finds holes, [`rtx`] takes what
//!   comes again, [`key_frames`] are asked for, [`arrivals`] and [`bitrate`] tell the sender what its line and the
//!   other side's carry.
//! - Of what a peer **receives**: [`repeats`] sends again what it misses, out of a [`store`]; [`hold`] lets one that asks
//!   for nothing wait until we have what we asked for; [`parameter_sets`] repeats what a decoder needs first.
//! - [`h264`] and [`vp8`] look into payloads, [`sequence_set`] by its [`bits`] into what describes pictures, [`extension`]
//!   into headers; [`feedback`] reads and writes RTCP. [`picture_sizes`] are told.

pub mod arrivals;
pub mod bitrate;
pub mod bits;
pub mod extension;
pub mod feedback;
pub mod h264;
pub mod hold;
pub mod key_frames;
pub mod limits;
pub mod missing;
pub mod parameter_sets;
pub mod picture_sizes;
pub mod repeats;
pub mod requests;
pub mod rtx;
pub mod sequence_set;
pub mod store;
pub mod vp8;
