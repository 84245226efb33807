//! What every generator and suite shares: durations gathered, processes and the machine watched, sending paced,
//! results reported, Ctrl-C heeded.

pub(crate) mod histogram;
pub(crate) mod machine;
pub(crate) mod pace;
pub(crate) mod process;
pub(crate) mod report;
pub(crate) mod spread;
pub(crate) mod stop;
