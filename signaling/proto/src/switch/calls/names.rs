//! Names for calls that ring at browsers on the WCS protocol, which has no dialogs: so that they too can be picked up by an
//! INVITE with Replaces (RFC 3891), like those that ring at telephones.

use super::{CallId, Calls, Endpoint};
use crate::call::{Call, Who};
use crate::presence::DialogId;
use crate::sip::user_agent::Replaces;
use crate::switch::Switch;

impl Switch {
    /// A call rings on a branch: if that is a browser, the call gets a name that nobody can guess.
    pub(super) fn name_ringing(&mut self, id: CallId, branch: usize, endpoint: &Endpoint) {
        let is_named = self.calls.entries.get(&id).is_none_or(|entry| entry.page_dialog.is_some());
        if is_named || !matches!(endpoint, Endpoint::Browser(..)) {
            return;
        }
        let [call_id, local_tag, remote_tag] = std::array::from_fn(|_| self.token());
        self.calls.by_page_dialog.insert(call_id.clone(), id);
        if let Some(entry) = self.calls.entries.get_mut(&id) {
            entry.page_dialog = Some((branch, DialogId { call_id, local_tag, remote_tag }));
        }
    }
}

impl Calls {
    /// The call that rings at a page by this name, and whom it rings there.
    pub(in crate::switch) fn ringing_at_page(&self, replaces: &Replaces) -> Option<(CallId, Who)> {
        let id = *self.by_page_dialog.get(&replaces.call_id)?;
        let (branch, dialog) = self.named_branch(id)?;
        // We are the telephone's peer, which names its own tag first.
        let is_it = dialog.remote_tag == replaces.to_tag && dialog.local_tag == replaces.from_tag;
        is_it.then_some((id, Who::Callee(*branch)))
    }

    /// The name by which a call can be picked up that rings at a page.
    pub(in crate::switch) fn page_dialog(&self, id: CallId) -> Option<DialogId> {
        self.named_branch(id).map(|(_, dialog)| dialog.clone())
    }

    fn named_branch(&self, id: CallId) -> Option<&(usize, DialogId)> {
        self.entries.get(&id).filter(|entry| !Call::is_answered(&entry.call))?.page_dialog.as_ref()
    }
}
