//! Requests inside a dialog (RFC 3261 section 12.2).

use super::{ACCEPT, ALLOW, RequestHandle, UaEvent, UserAgent};
use crate::sip::{HeaderName, Method};
use std::time::Instant;

impl UserAgent {
    pub(super) fn receive_in_dialog(&mut self, now: Instant, id: u64) {
        let Some(incoming) = self.incoming.get(&id) else { return };
        let (request, flow) = (incoming.request.clone(), incoming.flow);
        let call = self.call_of(&request);
        let Some((call, each)) = call.and_then(|call| Some((call, self.calls.get_mut(&call)?))) else {
            if request.method != Method::Subscribe || !self.receive_subscribe(now, id, &request) {
                self.refuse(now, id, 481, Vec::new());
            }
            return;
        };
        if each.is_ended.is_some() {
            // A BYE that crosses what ours waits for.
            if request.method == Method::Bye {
                self.refuse(now, id, 200, Vec::new());
                return self.end_call(call);
            }
            return self.refuse(now, id, 481, Vec::new());
        }
        let tag =
            request.headers.from().ok().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        let number = request.headers.cseq().map_or(0, |(number, _)| number);
        let in_order = each.fork_mut(&tag).is_some_and(|fork| fork.dialog.accept_cseq(number));
        if !in_order {
            // Section 12.2.2: a lower number is answered by 500.
            return self.refuse(now, id, 500, Vec::new());
        }
        match request.method {
            Method::Bye => self.receive_bye(now, id, call, &request.headers),
            Method::Invite | Method::Update => self.receive_offer(now, id, call),
            Method::Prack => self.receive_prack(now, id, call),
            Method::Info => self.receive_info(now, id, call, &request),
            Method::Refer => self.receive_refer(now, id, call, &request),
            // RFC 3428 section 4 allows a MESSAGE inside a dialog; it is routed as one outside.
            Method::Message => {
                let request = Box::new(request);
                self.events.push_back(UaEvent::Request { handle: RequestHandle(id), flow, request });
            }
            Method::Options => {
                let allow = (HeaderName::Allow, ALLOW.to_owned());
                self.refuse(now, id, 200, vec![allow, (HeaderName::Accept, ACCEPT.to_owned())]);
            }
            _ => self.refuse(now, id, 405, vec![(HeaderName::Allow, ALLOW.to_owned())]),
        }
        self.schedule_call(call);
    }
}
