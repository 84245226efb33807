//! From bytes to a message.

use super::header_name::HeaderName;
use super::headers::{HeaderError, Headers};
use super::lexer::{is_token, is_token_byte, split_commas};
use super::limits;
use super::message::{Message, Method, Request, Response, default_reason, reply};
use super::uri::{Uri, UriError};
use std::borrow::Cow;

/// Bytes that are no acceptable message.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{status} {reason}")]
pub struct ParseError {
    /// The response that a request of this kind deserves: 400, 414, 505, 513.
    pub status: u16,
    /// What is wrong: a reason phrase, and words for a log. It holds nothing of the sender's.
    pub reason: String,
    /// Of a request, what is needed to answer it: the method, and of the header fields Via, From, To, Call-ID and CSeq
    /// those that were there, not checked. Its URI says nothing.
    pub request: Option<Box<Request>>,
}

impl ParseError {
    fn new(status: u16, reason: impl Into<String>) -> ParseError {
        ParseError { status, reason: reason.into(), request: None }
    }

    fn bad(reason: impl Into<String>) -> ParseError {
        ParseError::new(400, reason)
    }

    /// The response. `None` where none can be sent: to a response, to an ACK (RFC 3261 section 17), without a Via.
    pub fn response(&self) -> Option<Response> {
        let request = self.request.as_deref()?;
        if request.method == Method::Ack || request.headers.via().is_err() {
            return None;
        }
        let reason = match self.status {
            400 => format!("{} - {}", default_reason(400), self.reason),
            status => default_reason(status).to_owned(),
        };
        Some(reply(request, self.status, reason))
    }
}

impl From<HeaderError> for ParseError {
    fn from(error: HeaderError) -> ParseError {
        // The spelling of an unknown name is the sender's, but only known names are checked while parsing.
        ParseError::bad(error.to_string())
    }
}

enum StartLine<'a> {
    Request { method: &'a str, uri: &'a str, version: &'a str },
    Response { status: u16, reason: &'a str },
}

impl Message {
    /// Reads one message: a datagram, a WebSocket frame, or what [`super::StreamBuffer`] cut out of a stream. CRLFs before
    /// the start line are left out (RFC 3261 section 7.5).
    ///
    /// Bytes beyond Content-Length are ignored; a body shorter than it is an error (RFC 3261 section 18.3).
    pub fn parse(bytes: &[u8]) -> Result<Message, ParseError> {
        if bytes.len() > limits::MESSAGE {
            return Err(ParseError::new(513, "the message is too large"));
        }
        let bytes = skip_line_ends(bytes);
        let head_end = find(bytes, b"\r\n\r\n");
        // Without the empty line the rest can still tell whom to answer.
        let (head, body) = match head_end.and_then(|end| Some((bytes.get(..end)?, bytes.get(end + 4..)?))) {
            Some(parts) => parts,
            None => (bytes, &[][..]),
        };
        let line_end = find(head, b"\r\n").unwrap_or(head.len());
        let (line, fields) = head.split_at_checked(line_end).unwrap_or((head, &[]));
        let start_line = read_start_line(line)?;
        let (headers, content_length, problem) = read_headers(fields);
        let problem = match head_end {
            Some(_) => problem,
            None => problem.or(Some(ParseError::bad("the header fields have no end"))),
        };
        let result = match problem {
            Some(problem) => Err(problem),
            None => read_body(body, content_length).and_then(|body| finish(&start_line, &headers, body)),
        };
        result.map_err(|error| ParseError { request: salvage(&start_line, headers), ..error })
    }
}

/// Leaves out the CRLFs that may stand before a start line.
fn skip_line_ends(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\r\n") {
        bytes = rest;
    }
    bytes
}

/// Where a short pattern first stands.
fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    find_from(bytes, pattern, 0)
}

/// The same, not before `start`.
pub(super) fn find_from(bytes: &[u8], pattern: &[u8], start: usize) -> Option<usize> {
    let index = bytes.get(start..)?.windows(pattern.len()).position(|window| window == pattern)?;
    Some(start + index)
}

fn read_start_line(line: &[u8]) -> Result<StartLine<'_>, ParseError> {
    if line.len() > limits::START_LINE {
        return Err(ParseError::bad("the start line is too long"));
    }
    let line = std::str::from_utf8(line).map_err(|_| ParseError::bad("the start line is no UTF-8"))?;
    let malformed = || ParseError::bad("the start line is malformed");
    if line.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(malformed());
    }
    let version = line.split(' ').next().unwrap_or("");
    if is_version(version) {
        let rest = line.get(version.len() + 1..).ok_or_else(malformed)?;
        let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        if !version.eq_ignore_ascii_case("SIP/2.0") {
            return Err(ParseError::new(505, "the version is not SIP/2.0"));
        }
        if status.len() != 3 || !status.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        return match status.parse() {
            Ok(status) if (100..700).contains(&status) => Ok(StartLine::Response { status, reason }),
            _ => Err(malformed()),
        };
    }
    // RFC 3261 section 7.1: one SP between the elements, none elsewhere. The outermost blanks are taken, so that a
    // request whose URI holds more can still be answered.
    let (method, rest) = line.split_once(' ').ok_or_else(malformed)?;
    let (uri, version) = rest.trim_end_matches(' ').rsplit_once(' ').ok_or_else(malformed)?;
    let blanks = rest.len() - rest.trim_end_matches(' ').len();
    if !is_token(method) || !is_version(version) {
        return Err(malformed());
    }
    // A trailing blank makes the version no version; `finish` refuses the blank, with the request to be answered.
    let version = rest.get(rest.len() - blanks - version.len()..).unwrap_or(version);
    Ok(StartLine::Request { method, uri, version })
}

/// `SIP-Version = "SIP" "/" 1*DIGIT "." 1*DIGIT`
fn is_version(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (name, numbers) = text.split_once('/').unwrap_or((text, ""));
    name.eq_ignore_ascii_case("SIP")
        && numbers.split_once('.').is_some_and(|(major, minor)| digits(major) && digits(minor))
}

/// Reads the header fields: those that could be read, Content-Length, and the first problem.
fn read_headers(fields: &[u8]) -> (Headers, Option<usize>, Option<ParseError>) {
    let mut headers = Headers::new();
    let mut content_length = None;
    let mut problem = None;
    let mut rest = fields.strip_prefix(b"\r\n").unwrap_or(fields);
    while !rest.is_empty() {
        let (field, after) = next_field(rest);
        rest = after;
        if let Err(error) = read_header(&field, &mut headers, &mut content_length) {
            problem.get_or_insert(error);
        }
        if headers.len() > limits::HEADERS {
            problem.get_or_insert(ParseError::bad("there are too many header fields"));
            break;
        }
    }
    (headers, content_length, problem)
}

/// Cuts off one header field with its folded lines, each fold made one blank (RFC 3261 section 7.3.1).
fn next_field(bytes: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let mut field: Cow<'_, [u8]> = Cow::Borrowed(&[]);
    let mut rest = bytes;
    loop {
        let end = find(rest, b"\r\n").unwrap_or(rest.len());
        let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        rest = after.strip_prefix(b"\r\n").unwrap_or(after);
        if field.is_empty() {
            field = Cow::Borrowed(line);
        } else {
            field.to_mut().push(b' ');
            field.to_mut().extend_from_slice(line.trim_ascii_start());
        }
        if !rest.starts_with(b" ") && !rest.starts_with(b"\t") {
            return (field, rest);
        }
    }
}

fn read_header(field: &[u8], headers: &mut Headers, length: &mut Option<usize>) -> Result<(), ParseError> {
    if field.len() > limits::HEADER_FIELD {
        return Err(ParseError::bad("a header field is too long"));
    }
    // A line end that is no CRLF could be one to the next parser (attacks.md row 13).
    if field.iter().any(|byte| *byte == b'\r' || *byte == b'\n') {
        return Err(ParseError::bad("a header field holds a bare CR or LF"));
    }
    // Bytes that are no UTF-8 are outside the grammar, but some telephones send Latin-1 names; they become U+FFFD.
    let field = String::from_utf8_lossy(field);
    let (name, value) =
        field.split_once(':').ok_or_else(|| ParseError::bad("a header field has no colon"))?;
    let name = name.trim_end_matches([' ', '\t']);
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        return Err(ParseError::bad("the name of a header field is malformed"));
    }
    let (name, value) = (HeaderName::from(name), value.trim_matches([' ', '\t']));
    if name.is_single() && headers.get(name.clone()).is_some() {
        return Err(HeaderError::new(name, "the header field appears twice").into());
    }
    if name == HeaderName::ContentLength {
        if length.is_some() {
            return Err(HeaderError::new(name, "the header field appears twice").into());
        }
        *length = Some(parse_content_length(value).map_err(|problem| HeaderError::new(name, problem))?);
    } else if name.is_split() && !value.is_empty() {
        let elements = split_commas(value).map_err(|problem| HeaderError::new(name.clone(), problem))?;
        elements.iter().take(limits::HEADERS + 1).for_each(|element| headers.push(name.clone(), element));
    } else {
        headers.push(name, value);
    }
    Ok(())
}

/// The number of a Content-Length.
pub(super) fn parse_content_length(value: &str) -> Result<usize, &'static str> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("the number is malformed");
    }
    value.parse().map_err(|_| "the number is too large")
}

fn read_body(body: &[u8], content_length: Option<usize>) -> Result<&[u8], ParseError> {
    // RFC 3261 section 18.3: without Content-Length the body of a datagram is all that follows.
    body.get(..content_length.unwrap_or(body.len()))
        .ok_or_else(|| ParseError::bad("the body is shorter than Content-Length"))
}

fn finish(start_line: &StartLine<'_>, headers: &Headers, body: &[u8]) -> Result<Message, ParseError> {
    if let StartLine::Request { version, .. } = start_line
        && !version.trim_end_matches(' ').eq_ignore_ascii_case("SIP/2.0")
    {
        return Err(ParseError::new(505, "the version is not SIP/2.0"));
    }
    let cseq_method = check(headers)?;
    match *start_line {
        StartLine::Request { method, uri, version } => {
            if version.ends_with(' ') {
                return Err(ParseError::bad("a blank ends the request line"));
            }
            let uri: Uri = uri
                .parse()
                .map_err(|UriError(problem)| ParseError::bad(format!("Request-URI: {problem}")))?;
            let method = Method::from(method);
            if method != cseq_method {
                return Err(HeaderError::new(HeaderName::CSeq, "the method is not the request's").into());
            }
            // RFC 3261 section 19.1.1, table 1: a Request-URI has neither header fields nor a method.
            if uri.as_sip().is_some_and(|uri| !uri.headers.is_empty() || uri.params.has("method")) {
                return Err(ParseError::bad("Request-URI: it holds header fields or a method"));
            }
            Ok(Message::Request(Request { method, uri, headers: headers.clone(), body: body.to_vec() }))
        }
        StartLine::Response { status, reason } => Ok(Message::Response(Response {
            status,
            reason: reason.to_owned(),
            headers: headers.clone(),
            body: body.to_vec(),
        })),
    }
}

/// Checks what every element must understand. Returns the method of CSeq.
fn check(headers: &Headers) -> Result<Method, ParseError> {
    if headers.all(HeaderName::Via).count() > limits::VIAS {
        return Err(ParseError::bad("there are too many Via header fields"));
    }
    headers.via()?;
    headers.vias()?;
    headers.from()?;
    headers.to()?;
    let call_id = headers.call_id()?;
    if call_id.is_empty() || call_id.contains(|c: char| c == ' ' || c.is_ascii_control()) {
        return Err(HeaderError::new(HeaderName::CallId, "the header field is malformed").into());
    }
    let (_, method) = headers.cseq()?;
    headers.max_forwards()?;
    headers.contacts()?;
    headers.routes()?;
    headers.record_routes()?;
    headers.content_type()?;
    Ok(method)
}

/// Keeps of a request that cannot be read what answering it takes.
fn salvage(start_line: &StartLine<'_>, mut headers: Headers) -> Option<Box<Request>> {
    use HeaderName as H;
    let StartLine::Request { method, .. } = start_line else { return None };
    headers.retain(|name| [H::Via, H::From, H::To, H::CallId, H::CSeq].contains(name));
    let uri = Uri::Other("urn:unread".to_owned());
    Some(Box::new(Request { method: Method::from(*method), uri, headers, body: Vec::new() }))
}
