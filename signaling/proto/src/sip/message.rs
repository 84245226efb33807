//! Requests and responses.

use super::header_name::HeaderName;
use super::headers::Headers;
use super::lexer::is_token;
use super::uri::Uri;
use std::fmt;

macro_rules! methods {
    ($($variant:ident $text:literal $rfc:literal;)*) => {
        /// A method. Methods compare with case (RFC 3261 section 7.1).
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Method {
            $(#[doc = $rfc] $variant,)*
            /// Any other token.
            Other(String),
        }

        impl Method {
            /// The method as it is written on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Method::$variant => $text,)*
                    Method::Other(name) => name,
                }
            }
        }

        impl From<&str> for Method {
            fn from(name: &str) -> Method {
                match name {
                    $($text => Method::$variant,)*
                    _ => Method::Other(name.to_owned()),
                }
            }
        }
    };
}

methods! {
    Invite "INVITE" "RFC 3261.";
    Ack "ACK" "RFC 3261.";
    Bye "BYE" "RFC 3261.";
    Cancel "CANCEL" "RFC 3261.";
    Register "REGISTER" "RFC 3261.";
    Options "OPTIONS" "RFC 3261.";
    Prack "PRACK" "RFC 3262.";
    Update "UPDATE" "RFC 3311.";
    Info "INFO" "RFC 6086.";
    Refer "REFER" "RFC 3515.";
    Notify "NOTIFY" "RFC 6665.";
    Subscribe "SUBSCRIBE" "RFC 6665.";
    Message "MESSAGE" "RFC 3428.";
    Publish "PUBLISH" "RFC 3903.";
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A SIP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The Request-URI.
    pub uri: Uri,
    /// The header fields, without Content-Length.
    pub headers: Headers,
    /// The body, as received.
    pub body: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 100 to 699.
    pub status: u16,
    /// The reason phrase; may be empty.
    pub reason: String,
    /// The header fields, without Content-Length.
    pub headers: Headers,
    /// The body, as received.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without header fields and body.
    pub fn new(method: Method, uri: Uri) -> Request {
        Request { method, uri, headers: Headers::new(), body: Vec::new() }
    }

    /// Its bytes; Content-Length is added.
    pub fn to_bytes(&self) -> Vec<u8> {
        let method = if is_token(self.method.as_str()) { self.method.as_str() } else { "UNKNOWN" };
        write_message(&format!("{method} {} SIP/2.0", self.uri), &self.headers, &self.body)
    }
}

impl Response {
    /// Its bytes; Content-Length is added.
    pub fn to_bytes(&self) -> Vec<u8> {
        write_message(&format!("SIP/2.0 {} {}", self.status, self.reason), &self.headers, &self.body)
    }

    /// 1xx.
    pub fn is_provisional(&self) -> bool {
        self.status < 200
    }

    /// 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Message {
    /// Its bytes; Content-Length is added.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Message::Request(request) => request.to_bytes(),
            Message::Response(response) => response.to_bytes(),
        }
    }

    /// The header fields.
    pub fn headers(&self) -> &Headers {
        match self {
            Message::Request(request) => &request.headers,
            Message::Response(response) => &response.headers,
        }
    }

    /// The header fields, to be changed.
    pub fn headers_mut(&mut self) -> &mut Headers {
        match self {
            Message::Request(request) => &mut request.headers,
            Message::Response(response) => &mut response.headers,
        }
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        match self {
            Message::Request(request) => &request.body,
            Message::Response(response) => &response.body,
        }
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Message {
        Message::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Message {
        Message::Response(response)
    }
}

fn write_message(start_line: &str, headers: &Headers, body: &[u8]) -> Vec<u8> {
    // As in a header field: nothing in it may end the line.
    let start_line = start_line.replace(|character: char| character.is_ascii_control(), " ");
    let mut bytes = Vec::with_capacity(512 + body.len());
    let mut line = |parts: [&str; 3]| {
        parts.iter().for_each(|part| bytes.extend_from_slice(part.as_bytes()));
        bytes.extend_from_slice(b"\r\n");
    };
    line([&start_line, "", ""]);
    for (name, value) in headers.iter().filter(|(name, _)| **name != HeaderName::ContentLength) {
        line([name.as_str(), ": ", value]);
    }
    line(["Content-Length: ", &body.len().to_string(), ""]);
    line(["", "", ""]);
    bytes.extend_from_slice(body);
    bytes
}

/// A response to a request as RFC 3261 section 8.2.6.2 begins it: Via, From, To, Call-ID and CSeq are the request's. The
/// To tag is left to the caller.
pub fn reply(request: &Request, status: u16, reason: impl Into<String>) -> Response {
    use HeaderName as H;
    let copied = [H::Via, H::From, H::To, H::CallId, H::CSeq];
    let mut headers = Headers::new();
    for (name, value) in request.headers.iter().filter(|(name, _)| copied.contains(name)) {
        headers.push(name.clone(), value);
    }
    // RFC 3261 section 8.2.6.1: the Timestamp of the request comes back in a 100.
    if status == 100
        && let Some(timestamp) = request.headers.get(H::Timestamp)
    {
        headers.push(H::Timestamp, timestamp);
    }
    Response { status, reason: reason.into(), headers, body: Vec::new() }
}

/// The reason phrase that the RFCs give a status code.
pub fn default_reason(status: u16) -> &'static str {
    REASONS.iter().find(|(code, _)| *code == status).map_or("Unknown", |(_, reason)| reason)
}

const REASONS: [(u16, &str); 62] = [
    (100, "Trying"),
    (180, "Ringing"),
    (181, "Call Is Being Forwarded"),
    (182, "Queued"),
    (183, "Session Progress"),
    (199, "Early Dialog Terminated"),
    (200, "OK"),
    (202, "Accepted"),
    (300, "Multiple Choices"),
    (301, "Moved Permanently"),
    (302, "Moved Temporarily"),
    (305, "Use Proxy"),
    (380, "Alternative Service"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (406, "Not Acceptable"),
    (407, "Proxy Authentication Required"),
    (408, "Request Timeout"),
    (410, "Gone"),
    (412, "Conditional Request Failed"),
    (413, "Request Entity Too Large"),
    (414, "Request-URI Too Long"),
    (415, "Unsupported Media Type"),
    (416, "Unsupported URI Scheme"),
    (417, "Unknown Resource-Priority"),
    (420, "Bad Extension"),
    (421, "Extension Required"),
    (422, "Session Interval Too Small"),
    (423, "Interval Too Brief"),
    (428, "Use Identity Header"),
    (430, "Flow Failed"),
    (433, "Anonymity Disallowed"),
    (439, "First Hop Lacks Outbound Support"),
    (469, "Bad Info Package"),
    (480, "Temporarily Unavailable"),
    (481, "Call/Transaction Does Not Exist"),
    (482, "Loop Detected"),
    (483, "Too Many Hops"),
    (484, "Address Incomplete"),
    (485, "Ambiguous"),
    (486, "Busy Here"),
    (487, "Request Terminated"),
    (488, "Not Acceptable Here"),
    (489, "Bad Event"),
    (491, "Request Pending"),
    (493, "Undecipherable"),
    (494, "Security Agreement Required"),
    (500, "Server Internal Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
    (504, "Server Time-out"),
    (505, "Version Not Supported"),
    (513, "Message Too Large"),
    (580, "Precondition Failure"),
    (600, "Busy Everywhere"),
    (603, "Decline"),
    (604, "Does Not Exist Anywhere"),
];
