//! Stands in until `tandem_sip::switch::Switch` is there: it drops everything.

use tandem_sip::switch::{Input, Output};

pub(crate) struct Switch;
impl Switch {
    /// stub
    pub(crate) fn new(_: tandem_sip::settings::Settings, _: u64) -> Switch {
        Switch
    }
    /// stub
    pub(crate) fn handle(&mut self, _: std::time::Instant, _: Input) {}
    /// stub
    pub(crate) fn next_timeout(&self) -> Option<std::time::Instant> {
        None
    }
    /// stub
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        None
    }
    /// stub
    pub(crate) fn counters(&self) -> Vec<(String, u64)> {
        Vec::new()
    }
}
