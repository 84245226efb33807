use super::writer::KEPT_EVENTS;
use super::*;
use crate::driver::Waker;
use crate::worker::Command;
use socket2::{Domain, SockAddr, Type};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicU32;
use tandem_control::{EventKind, LegConfig, Refusal, Reply, SessionId, Side, VERSION};

const TIMEOUT: Duration = Duration::from_secs(5);

struct Setup {
    server: ControlServer,
    ends: WorkerEnds,
    commands: Vec<Receiver<Command>>,
    loads: Vec<Arc<AtomicU32>>,
    path: PathBuf,
}

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("tandem-control-{name}-{}", std::process::id()))
}

/// A server over workers that are only queues.
fn setup(name: &str, workers: usize) -> Setup {
    let path = path(name);
    let (ends, from) = queues();
    let progress = Arc::clone(&ends.progress);
    let (mut handles, mut commands, mut loads) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..workers {
        let (commands_in, commands_out) = bounded(4);
        let load = Arc::new(AtomicU32::new(0));
        handles.push(WorkerHandle {
            commands: commands_in,
            waker: Waker::new().unwrap(),
            load: Arc::clone(&load),
        });
        commands.push(commands_out);
        loads.push(load);
    }
    let router = Router::new(handles.into(), 6, [7; 32], vec!["127.0.0.1".parse().unwrap()], progress);
    let server = ControlServer::start(&path, router, from).unwrap();
    Setup { server, ends, commands, loads, path }
}

impl Setup {
    /// The client that the first worker is given to read from.
    fn attached(&self) -> Box<Attached> {
        let command = self.commands[0].recv_timeout(TIMEOUT).unwrap();
        let Command::Attach(attached) = command else { panic!("not a client") };
        attached
    }
}

/// What the first worker reads, once there is something.
fn next(attached: &mut Attached) -> Next {
    let deadline = std::time::Instant::now() + TIMEOUT;
    loop {
        match attached.next(0) {
            Next::Nothing if std::time::Instant::now() < deadline => std::thread::yield_now(),
            next => return next,
        }
    }
}

/// A client that has said hello, and its requests.
fn greeted(setup: &Setup) -> (Socket, Box<Attached>) {
    let client = connect(&setup.path);
    greet(&client);
    (client, setup.attached())
}

fn connect(path: &Path) -> Socket {
    let client = Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    client.connect(&SockAddr::unix(path).unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client
}

fn send(mut client: &Socket, id: u32, request: Request) {
    client.write_all(&encode(&RequestFrame { id, request }).unwrap()).unwrap();
}

fn read(mut client: &Socket) -> Option<Message> {
    let mut record = vec![0; MAX_RECORD];
    let length = client.read(&mut record).unwrap();
    (length > 0).then(|| decode(&record[..length]).unwrap())
}

fn greet(client: &Socket) {
    send(client, 0, Request::Hello { version: VERSION, progress: false });
    assert!(matches!(read(client), Some(Message::Reply { id: 0, result: Ok(Reply::Hello(_)) })));
}

fn event(number: u16) -> Event {
    let kind = EventKind::Digit { side: Side::A, event: 1, duration_ms: number };
    Event { session: SessionId(1), kind }
}

#[test]
fn a_client_must_say_hello_in_our_version() {
    let setup = setup("hello", 1);
    let client = connect(&setup.path);
    send(&client, 3, Request::Counters);
    assert!(matches!(read(&client), Some(Message::Reply { id: 3, result: Err(Refusal::Invalid(_)) })));
    assert_eq!(read(&client), None);
    let client = connect(&setup.path);
    send(&client, 4, Request::Hello { version: VERSION + 1, progress: false });
    let refused = Message::Reply { id: 4, result: Err(Refusal::Version { ours: VERSION }) };
    assert_eq!(read(&client), Some(refused));
    assert_eq!(read(&client), None);
    drop(greeted(&setup));
    setup.server.stop();
}

#[test]
fn requests_reach_their_worker_and_answers_their_client() {
    let setup = setup("route", 2);
    let (client, mut attached) = greeted(&setup);
    let own = RequestFrame { id: 8, request: Request::Query { session: SessionId(7) } };
    let other = RequestFrame { id: 9, request: Request::Query { session: SessionId(1 << 56) } };
    send(&client, 9, other.request.clone());
    send(&client, 10, Request::Query { session: SessionId(2 << 56) });
    send(&client, 8, own.request.clone());
    assert_eq!(next(&mut attached), Next::Request(own));
    let command = setup.commands[1].recv_timeout(TIMEOUT).unwrap();
    let Command::Request { client: asker, frame } = command else { panic!("not a request") };
    assert_eq!(frame, other);
    assert_eq!(read(&client), Some(Message::Reply { id: 10, result: Err(Refusal::UnknownSession) }));
    assert!(asker.answer(9, Ok(Reply::Done)).is_none());
    assert_eq!(read(&client), Some(Message::Reply { id: 9, result: Ok(Reply::Done) }));
    drop(client);
    assert_eq!(next(&mut attached), Next::Gone);
    drop(attached);
    setup.server.stop();
}

#[test]
fn requests_of_one_record_go_where_each_belongs() {
    let setup = setup("together", 2);
    let (client, mut attached) = greeted(&setup);
    let query = |id, session| RequestFrame { id, request: Request::Query { session: SessionId(session) } };
    let mut record = Vec::new();
    for (id, session) in [(1, 7), (2, 1 << 56), (3, 2 << 56), (4, 8)] {
        tandem_control::append(&mut record, &query(id, session)).unwrap();
    }
    (&client).write_all(&record).unwrap();
    assert_eq!(next(&mut attached), Next::Request(query(1, 7)));
    assert_eq!(next(&mut attached), Next::Request(query(4, 8)));
    assert_eq!(attached.next(0), Next::Nothing);
    let command = setup.commands[1].recv_timeout(TIMEOUT).unwrap();
    assert!(matches!(command, Command::Request { frame: RequestFrame { id: 2, .. }, .. }));
    assert_eq!(read(&client), Some(Message::Reply { id: 3, result: Err(Refusal::UnknownSession) }));
    drop(attached);
    setup.server.stop();
}

#[test]
fn two_sessions_of_one_request_must_have_one_worker() {
    let setup = setup("pairs", 2);
    let (client, mut attached) = greeted(&setup);
    let requests = |other: u64| {
        let (first, second) = ((SessionId(7), Side::A), (SessionId(other), Side::B));
        let watch = Request::Watch { session: first.0, side: first.1, source: second };
        [Request::Swap { first, second }, watch]
    };
    for (id, (near, far)) in (0..).zip(requests(8).into_iter().zip(requests(1 << 56))) {
        send(&client, 10 + id, far);
        send(&client, id, near.clone());
        assert_eq!(next(&mut attached), Next::Request(RequestFrame { id, request: near }));
        let refused = read(&client);
        let Some(Message::Reply { id: answered, result: Err(Refusal::Invalid(_)) }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(answered, 10 + id);
    }
    drop(attached);
    setup.server.stop();
}

#[test]
fn what_is_about_all_workers_is_for_the_server() {
    let setup = setup("server", 1);
    let (client, mut attached) = greeted(&setup);
    send(&client, 5, Request::Hello { version: VERSION, progress: false });
    send(&client, 6, Request::Query { session: SessionId(7) });
    assert!(matches!(next(&mut attached), Next::Request(_)));
    assert!(matches!(read(&client), Some(Message::Reply { id: 5, result: Ok(Reply::Hello(_)) })));
    drop(attached);
    setup.server.stop();
}

#[test]
fn an_answer_to_a_client_that_has_gone_reaches_no_other() {
    let setup = setup("gone", 1);
    let (client, mut attached) = greeted(&setup);
    send(&client, 1, Request::Query { session: SessionId(1) });
    assert!(matches!(next(&mut attached), Next::Request(_)));
    let asker = Arc::clone(attached.client());
    drop(client);
    assert_eq!(next(&mut attached), Next::Gone);
    drop(attached);
    let (client, mut attached) = greeted(&setup);
    assert!(asker.answer(1, Ok(Reply::Done)).is_none());
    let record = encode(&Message::Reply { id: 1, result: Ok(Reply::Done) }).unwrap();
    setup.ends.answers.send(Answer { connection: 0, record }).unwrap();
    send(&client, 2, Request::Query { session: SessionId(1 << 56) });
    assert_eq!(attached.next(0), Next::Nothing);
    assert_eq!(read(&client), Some(Message::Reply { id: 2, result: Err(Refusal::UnknownSession) }));
    drop(attached);
    setup.server.stop();
}

#[test]
fn sessions_go_to_the_least_loaded_worker_up_to_the_limit() {
    let setup = setup("load", 2);
    let (client, mut attached) = greeted(&setup);
    setup.loads[0].store(2, Ordering::Relaxed);
    let create = || {
        let port = tandem_control::PortRequest {
            address: "127.0.0.1".parse().unwrap(),
            kind: tandem_control::PortKind::Own,
            video: false,
        };
        let legs = Box::new([LegConfig::idle(), LegConfig::idle()]);
        Request::Create { ports: [port; 2], legs, note: Vec::new(), media_timeout_seconds: 0, near: None }
    };
    (1..=5).for_each(|id| send(&client, id, create()));
    // Two and four make the limit of six: the fifth is refused, without a worker.
    assert!(matches!(next(&mut attached), Next::Request(RequestFrame { id: 3, .. })));
    assert_eq!(attached.next(0), Next::Nothing);
    assert_eq!(read(&client), Some(Message::Reply { id: 5, result: Err(Refusal::TooManySessions) }));
    assert_eq!(setup.commands[1].len(), 3);
    drop(attached);
    setup.server.stop();
}

#[test]
fn a_full_worker_is_busy() {
    let setup = setup("busy", 2);
    let (client, mut attached) = greeted(&setup);
    (1..=5).for_each(|id| send(&client, id, Request::Query { session: SessionId(1 << 56) }));
    assert_eq!(attached.next(0), Next::Nothing);
    assert_eq!(read(&client), Some(Message::Reply { id: 5, result: Err(Refusal::Busy) }));
    drop(attached);
    setup.server.stop();
}

#[test]
fn a_client_that_takes_no_answers_makes_nobody_wait() {
    let setup = setup("full", 1);
    let (client, attached) = greeted(&setup);
    let full = (0..100_000).find_map(|id| Some((id, attached.client().answer(id, Ok(Reply::Done))?)));
    let (id, answer) = full.expect("its socket is full");
    setup.ends.answers.send(answer).unwrap();
    for expected in 0..=id {
        assert_eq!(read(&client), Some(Message::Reply { id: expected, result: Ok(Reply::Done) }));
    }
    attached.client().give_up();
    assert_eq!(read(&client), None);
    drop(attached);
    setup.server.stop();
}

#[test]
fn events_wait_for_the_next_client_and_the_oldest_go_first() {
    let setup = setup("events", 1);
    let count = KEPT_EVENTS as u16 + 10;
    (0..count).for_each(|number| setup.ends.events.send(event(number)).unwrap());
    while !setup.ends.events.is_empty() || setup.server.shared.events_dropped.load(Ordering::Relaxed) < 10 {
        std::thread::yield_now();
    }
    let (client, attached) = greeted(&setup);
    (10..count).for_each(|number| assert_eq!(read(&client), Some(Message::Event(event(number)))));
    drop((client, attached));
    let (client, attached) = greeted(&setup);
    setup.ends.events.send(event(1)).unwrap();
    assert_eq!(read(&client), Some(Message::Event(event(1))));
    drop(attached);
    setup.server.stop();
}

#[test]
fn a_malformed_record_ends_the_connection() {
    let setup = setup("malformed", 1);
    let (client, mut attached) = greeted(&setup);
    (&client).write_all(&[0xFF; 40]).unwrap();
    assert_eq!(next(&mut attached), Next::Gone);
    drop(attached);
    assert_eq!(read(&client), None);
    drop(greeted(&setup));
    setup.server.stop();
}

#[test]
fn only_the_owner_may_connect_and_a_live_socket_is_not_taken() {
    let path = path("file");
    let listener = socket::listen(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(socket::listen(&path), Err(BindError::Live(_))));
    drop(listener);
    // Its file is still there, but nobody listens.
    let listener = socket::listen(&path).unwrap();
    drop(listener);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "not a socket").unwrap();
    assert!(matches!(socket::listen(&path), Err(BindError::System(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"not a socket");
    std::fs::remove_file(&path).unwrap();
}
