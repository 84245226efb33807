//! The repair of video, piece by piece; what joins the pieces is the session's. Nothing here knows of pictures.
//!
//! - Of what a peer **sends**: [`missing`] finds holes and asks for them, [`rtx`] takes what comes again, [`hold`] lets a
//!   receiver that asks for nothing wait for it, [`key_frames`] asks for key frames, [`arrivals`] and [`bitrate`] tell
//!   the sender what its line and the other side's carry.
//! - Of what a peer **receives**: [`store`] has it sent again, [`parameter_sets`] repeats what a decoder needs first.
//! - [`h264`] and [`vp8`] look into payloads, [`extension`] into headers, [`feedback`] reads and writes RTCP.

pub mod arrivals;
pub mod bitrate;
pub mod extension;
pub mod feedback;
pub mod h264;
pub mod hold;
pub mod key_frames;
pub mod limits;
pub mod missing;
pub mod parameter_sets;
pub mod rtx;
pub mod store;
pub mod vp8;
