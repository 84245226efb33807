//! The names of header fields.

use std::fmt;

macro_rules! header_names {
    ($($variant:ident $text:literal $($compact:literal)?;)*) => {
        /// The name of a header field. Names compare without case, and a compact form (RFC 3261 section 7.3.3) is its
        /// long name.
        #[derive(Clone, Debug)]
        pub enum HeaderName {
            $(#[doc = $text] $variant,)*
            /// Any other, spelt as received.
            Other(String),
        }

        impl HeaderName {
            /// The name as it is written on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(HeaderName::$variant => $text,)*
                    HeaderName::Other(name) => name,
                }
            }

            fn known(name: &str) -> Option<HeaderName> {
                $(
                    if name.eq_ignore_ascii_case($text) $(|| name.eq_ignore_ascii_case($compact))? {
                        return Some(HeaderName::$variant);
                    }
                )*
                None
            }
        }
    };
}

header_names! {
    Via "Via" "v";
    From "From" "f";
    To "To" "t";
    CallId "Call-ID" "i";
    CSeq "CSeq";
    MaxForwards "Max-Forwards";
    Contact "Contact" "m";
    ContentLength "Content-Length" "l";
    ContentType "Content-Type" "c";
    Route "Route";
    RecordRoute "Record-Route";
    Accept "Accept";
    AcceptContact "Accept-Contact" "a";
    AcceptEncoding "Accept-Encoding";
    AcceptLanguage "Accept-Language";
    AlertInfo "Alert-Info";
    Allow "Allow";
    AllowEvents "Allow-Events" "u";
    AuthenticationInfo "Authentication-Info";
    Authorization "Authorization";
    CallInfo "Call-Info";
    ContentDisposition "Content-Disposition";
    ContentEncoding "Content-Encoding" "e";
    ContentLanguage "Content-Language";
    Date "Date";
    ErrorInfo "Error-Info";
    Event "Event" "o";
    Expires "Expires";
    FlowTimer "Flow-Timer";
    HistoryInfo "History-Info";
    Identity "Identity" "y";
    InReplyTo "In-Reply-To";
    InfoPackage "Info-Package";
    MimeVersion "MIME-Version";
    MinExpires "Min-Expires";
    MinSe "Min-SE";
    Organization "Organization";
    PAssertedIdentity "P-Asserted-Identity";
    PPreferredIdentity "P-Preferred-Identity";
    Path "Path";
    Priority "Priority";
    Privacy "Privacy";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthorization "Proxy-Authorization";
    ProxyRequire "Proxy-Require";
    RAck "RAck";
    Reason "Reason";
    RecvInfo "Recv-Info";
    ReferSub "Refer-Sub";
    ReferTo "Refer-To" "r";
    ReferredBy "Referred-By" "b";
    RejectContact "Reject-Contact" "j";
    Replaces "Replaces";
    ReplyTo "Reply-To";
    RequestDisposition "Request-Disposition" "d";
    Require "Require";
    RetryAfter "Retry-After";
    RSeq "RSeq";
    Server "Server";
    ServiceRoute "Service-Route";
    SessionExpires "Session-Expires" "x";
    SipETag "SIP-ETag";
    SipIfMatch "SIP-If-Match";
    Subject "Subject" "s";
    SubscriptionState "Subscription-State";
    Supported "Supported" "k";
    Timestamp "Timestamp";
    Unsupported "Unsupported";
    UserAgent "User-Agent";
    Warning "Warning";
    WwwAuthenticate "WWW-Authenticate";
}

impl HeaderName {
    /// Whether this is a list of addresses or hops, whose elements [`super::Headers`] keeps one by one.
    ///
    /// The authentication header fields are no such lists (RFC 3261 section 7.3.1), and token lists such as Allow stay
    /// on one line.
    pub(super) fn is_split(&self) -> bool {
        use HeaderName as H;
        matches!(
            self,
            H::Via
                | H::Route
                | H::RecordRoute
                | H::Contact
                | H::Path
                | H::ServiceRoute
                | H::HistoryInfo
                | H::PAssertedIdentity
                | H::PPreferredIdentity
                | H::AlertInfo
                | H::CallInfo
                | H::ErrorInfo
        )
    }

    /// Whether a second header field of this name makes the message malformed (RFC 3261 section 7.3.1).
    pub(super) fn is_single(&self) -> bool {
        use HeaderName as H;
        matches!(
            self,
            H::From
                | H::To
                | H::CallId
                | H::CSeq
                | H::MaxForwards
                | H::ContentLength
                | H::ContentType
                | H::ContentDisposition
                | H::Date
                | H::Event
                | H::Expires
                | H::MinExpires
                | H::MinSe
                | H::MimeVersion
                | H::RAck
                | H::ReferTo
                | H::ReplyTo
                | H::RSeq
                | H::SessionExpires
                | H::SubscriptionState
                | H::Timestamp
        )
    }
}

impl From<&str> for HeaderName {
    fn from(name: &str) -> HeaderName {
        HeaderName::known(name).unwrap_or_else(|| HeaderName::Other(name.to_owned()))
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &HeaderName) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl Eq for HeaderName {}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
