//! Accounts at providers that users of local domains have.

use crate::registrar::AddressOfRecord;
use crate::sip::auth::Credentials;
use crate::sip::user_agent::KeepAlive;
use crate::sip::{SipUri, Uri};

/// A user's account at a provider. A user may have several.
#[derive(Clone, Debug)]
pub struct Line {
    /// Whose it is: calls to the account ring wherever this user can be reached.
    pub owner: AddressOfRecord,
    /// Its address at the provider.
    pub uri: SipUri,
    /// Where its requests go first: the outbound proxy.
    pub route: Option<Uri>,
    /// What proves it to the provider.
    pub credentials: Credentials,
    /// Whether it is registered, so as to be called.
    pub register: bool,
    /// Numbers of nobody here that the user dials with this before them go out by the account, without it. Of several
    /// accounts the longest prefix decides, and of equal ones the first account.
    pub prefix: String,
    /// How the path from the provider is kept open.
    pub keep_alive: KeepAlive,
}
