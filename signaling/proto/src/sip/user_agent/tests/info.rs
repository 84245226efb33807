use super::*;

/// A call that we made and that is answered.
fn called(bench: &mut Bench) -> (CallHandle, String) {
    let call = bench.agent.invite(bench.now, call_to("sip:bob@192.0.2.9"));
    let invite = bench.request();
    bench.reply(&invite, 200, "one", &[CONTACT], Some("answer"));
    bench.requests();
    bench.signals();
    let (call_id, from) = (invite.headers.call_id().unwrap(), invite.headers.from().unwrap());
    let dialog = format!(
        "Call-ID: {call_id}\r\nFrom: <sip:bob@192.0.2.9>;tag=one\r\nTo: <sip:alice@example.org>;tag={}\r\n",
        from.tag().unwrap()
    );
    (call, dialog)
}

fn info(dialog: &str, number: u32, fields: &str, body: &str) -> String {
    format!(
        "INFO sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKi{number};rport\r\n\
         {dialog}CSeq: {number} INFO\r\n{fields}\r\n{body}"
    )
}

const DOOR: &str = "Content-Type: application/x-door;lock=1\r\n";

#[test]
fn an_info_that_is_no_digit_is_passed_on_and_gets_the_other_partys_answer() {
    let mut bench = Bench::new();
    let (call, dialog) = called(&mut bench);
    bench.receive(&info(&dialog, 1, DOOR, "open"));
    bench.receive(&info(&dialog, 2, DOOR, "shut"));
    assert_eq!(bench.statuses(), [0; 0], "nobody has answered yet");
    let expected = ["open", "shut"].map(|body| Signal::Info {
        content_type: "application/x-door;lock=1".to_owned(),
        body: body.as_bytes().to_vec(),
    });
    assert_eq!(bench.signals(), expected);
    for (given, sent) in [(200, 200), (415, 415), (407, 500)] {
        let done = Signal::InfoDone(Cause::new(given, "words"));
        let result = bench.agent.signal(bench.now, call, done);
        match given {
            407 => assert_eq!(result, Err(UaError::OutOfState), "{sent}: there were two"),
            _ => assert_eq!(bench.statuses(), [sent]),
        }
    }
}

#[test]
fn an_info_of_the_other_party_is_sent_and_its_answer_told() {
    let mut bench = Bench::new();
    let (call, _) = called(&mut bench);
    let signal = Signal::Info { content_type: "text/x-note".to_owned(), body: b"hello".to_vec() };
    bench.agent.signal(bench.now, call, signal).unwrap();
    let request = bench.request();
    assert_eq!((&request.method, request.body.as_slice()), (&Method::Info, b"hello".as_slice()));
    assert_eq!(request.headers.get(HeaderName::ContentType), Some("text/x-note"));
    bench.reply(&request, 200, "", &[], None);
    assert_eq!(bench.signals(), [Signal::InfoDone(Cause::new(200, "OK"))]);
}

#[test]
fn what_cannot_be_passed_on_is_refused() {
    let mut bench = Bench::new();
    let (_, dialog) = called(&mut bench);
    bench.receive(&info(&dialog, 1, "Info-Package: foo\r\nContent-Type: text/x\r\n", "x"));
    let response = bench.responses().remove(0);
    assert_eq!((response.status, response.headers.get(HeaderName::RecvInfo)), (469, Some("")));
    bench.receive(&info(&dialog, 2, "", "no type"));
    bench.receive(&info(&dialog, 3, DOOR, &"x".repeat(20_000)));
    assert_eq!(bench.statuses(), [400, 413]);
    for number in 4..20 {
        bench.receive(&info(&dialog, number, DOOR, "open"));
    }
    assert_eq!(bench.statuses(), [500; 8], "eight wait");
    bench.receive(&info(&dialog, 20, "", ""));
    assert_eq!(bench.statuses(), [200], "it only asks whether we are there");
}
