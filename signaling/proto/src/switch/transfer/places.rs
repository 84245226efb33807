//! Who stands where in which call.

use crate::call::{Call, Who};
use crate::switch::calls::{CallId, Calls, Endpoint, Plan};

impl Calls {
    /// The call that an endpoint is in, and its place there.
    pub(in crate::switch) fn place_of(&self, endpoint: &Endpoint) -> Option<(CallId, Who)> {
        self.by_endpoint.get(endpoint).copied()
    }

    pub(in crate::switch) fn call(&self, id: CallId) -> Option<&Call> {
        self.entries.get(&id).map(|entry| &entry.call)
    }

    pub(in crate::switch) fn plan(&self, id: CallId) -> Option<&Plan> {
        self.entries.get(&id).map(|entry| &entry.plan)
    }

    /// Whether a user is in an answered call.
    pub(in crate::switch) fn is_talking(&self, user: &str) -> bool {
        self.by_user.get(user).iter().any(|id| self.call(*id).is_some_and(Call::is_answered))
    }

    /// The identifier that the next call gets.
    pub(in crate::switch) fn next_id(&self) -> CallId {
        CallId(self.last_id + 1)
    }

    /// Who stands in a place.
    pub(in crate::switch) fn endpoint(&self, id: CallId, who: Who) -> Option<&Endpoint> {
        let entry = self.entries.get(&id)?;
        match who {
            Who::Caller => Some(&entry.caller),
            Who::Callee(branch) => entry.rung.get(&branch),
        }
    }

    /// Puts somebody into a place; who stood there before, and is in no call now.
    pub(in crate::switch) fn put(&mut self, id: CallId, who: Who, endpoint: Endpoint) -> Endpoint {
        let Some(entry) = self.entries.get_mut(&id) else { return Endpoint::Nobody };
        let place = match who {
            Who::Caller => &mut entry.caller,
            Who::Callee(branch) => entry.rung.entry(branch).or_insert(Endpoint::Nobody),
        };
        let before = std::mem::replace(place, endpoint.clone());
        if before.is_somebody() {
            self.by_endpoint.remove(&before);
        }
        if endpoint.is_somebody() {
            self.by_endpoint.insert(endpoint, (id, who));
        }
        before
    }

    /// The transferee is counted where it is now. A user that made a call to the outside, and left it to others, pays for it
    /// as long as it lasts, and so it stays counted; there is none where nobody had answered.
    pub(in crate::switch) fn move_user(&mut self, from: (CallId, Option<Who>, Who), to: (CallId, Who)) {
        let ((call, transferor, transferee), (target, place)) = (from, to);
        let Some(plan) = self.entries.get(&call).map(|entry| &entry.plan) else { return };
        let arriving = plan.party(transferee);
        let leaving = transferor.and_then(|transferor| plan.party(transferor).user);
        let mut payers = plan.payers.clone();
        let Some(plan) = self.entries.get_mut(&target).map(|entry| &mut entry.plan) else { return };
        let arrived = arriving.clone();
        let left = plan.set_party(place, arriving);
        let is_outside = plan.users.iter().any(Option::is_none);
        payers.extend(leaving.filter(|_| is_outside));
        payers.retain(|payer| !plan.payers.contains(payer));
        payers.sort_unstable();
        payers.dedup();
        plan.payers.extend_from_slice(&payers);
        for user in payers.iter().chain(&arrived.user) {
            self.by_user.insert(user, target);
        }
        if let Some(remote) = &arrived.remote {
            self.by_remote.insert(remote, target);
        }
        if let Some(user) = &left.user {
            self.by_user.remove(user, target);
        }
        if let Some(remote) = &left.remote {
            self.by_remote.remove(remote, target);
        }
    }
}
