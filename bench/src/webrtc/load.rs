//! A run: clients log in, call, talk together for a while, hang up and leave; telephones answer in a thread beside.

use super::board::Board;
use super::client::{Client, Order, Plan, WebSocket};
use super::options::{Mode, Options};
use super::peer::{CONNECT_TIMEOUT, Identity};
use super::signaling::{Account, Protocol};
use crate::measure::histogram::Histogram;
use crate::measure::machine::Machine;
use crate::measure::process::Usage;
use crate::measure::{report, stop};
use crate::sip;
use crate::sip::event::Cause;
use crate::sip::generator::{Control, Generator};
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// How often a run looks at its clients.
const LOOK: Duration = Duration::from_millis(50);
/// How long clients may take to log in or to leave, beside what their rate takes.
const PATIENCE: Duration = Duration::from_secs(15);
/// From the last call's first packet to the beginning of the measurement.
const WARM_UP: Duration = Duration::from_secs(1);
/// For BYEs and what follows them.
const SETTLE: Duration = Duration::from_millis(500);
/// Telephones, which take turns in being called.
const MAX_PHONES: usize = 100;

/// What the gateway used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// CPU time from the first call to the last one's first packet.
    pub(crate) set_up: Duration,
    /// CPU time while all calls stood, and how long they did.
    pub(crate) standing: Duration,
    pub(crate) stood: Duration,
    /// Resident memory that came with the calls, in bytes.
    pub(crate) resident: u64,
    /// The CPU time of this process meanwhile.
    pub(crate) own: Duration,
    /// The load of everything else meanwhile, as a share of one core.
    pub(crate) others: f64,
}

/// What a run found.
pub(crate) struct Outcome {
    pub(crate) board: Board,
    /// What the telephones found.
    pub(crate) phones: Option<sip::report::Report>,
    pub(crate) cost: Option<Cost>,
    pub(crate) stopped: bool,
}

/// Telephones in a thread of their own.
struct Phones {
    control: Arc<Control>,
    thread: JoinHandle<io::Result<sip::report::Report>>,
    address: SocketAddr,
    users: usize,
}

impl Phones {
    fn start(options: &Options) -> io::Result<Phones> {
        let users = options.calls.clamp(1, MAX_PHONES);
        let generator = Generator::new(sip::options::Options {
            server: options.sip_server,
            local: options.local,
            domain: options.domain.clone(),
            users,
            password: options.password.clone(),
            role: sip::options::Role::Callee,
            no_register: options.protocol == Protocol::Janus,
            codec: options.codec,
            time: f64::MAX,
            quiet: true,
            ..sip::options::Options::default()
        })?;
        let address =
            generator.callee_address().ok_or_else(|| io::Error::other("no socket for telephones"))?;
        let control = Arc::new(Control::default());
        let theirs = Arc::clone(&control);
        let thread =
            std::thread::Builder::new().name("phones".into()).spawn(move || generator.run(&theirs))?;
        Ok(Phones { control, thread, address, users })
    }

    /// Whom the caller with this number calls.
    fn target(&self, protocol: Protocol, index: usize) -> String {
        let name = format!("callee{}", index % self.users);
        if protocol == Protocol::Janus { format!("sip:{name}@{}", self.address) } else { name }
    }

    fn stop(self) -> io::Result<sip::report::Report> {
        self.control.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| io::Error::other("the telephones' thread panicked"))?
    }
}

/// Runs the load. `usage` reads what the gateway has used.
///
/// # Errors
/// If sockets cannot be opened or the gateway's figures not be read.
pub(crate) fn run(options: &Options, usage: Option<&dyn Fn() -> io::Result<Usage>>) -> io::Result<Outcome> {
    let phones = (options.mode == Mode::Phones).then(|| Phones::start(options)).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let board = Rc::new(RefCell::new(Board::default()));
    let cost = local.block_on(&runtime, conduct(options, phones.as_ref(), Rc::clone(&board), usage));
    drop(local);
    report::progress_done();
    let phones = phones.map(Phones::stop).transpose()?;
    Ok(Outcome { board: board.take(), phones, cost: cost?, stopped: stop::requested() })
}

async fn conduct(
    options: &Options,
    phones: Option<&Phones>,
    board: Rc<RefCell<Board>>,
    usage: Option<&dyn Fn() -> io::Result<Usage>>,
) -> io::Result<Option<Cost>> {
    let usage = || usage.map(|usage| usage()).transpose();
    let identity = Arc::new(Identity::generate().map_err(io::Error::other)?);
    let (orders, receiver) = watch::channel(Order::LogIn);
    let clients = options.clients();
    for index in 0..clients {
        if stop::requested() {
            break;
        }
        let plan = plan(options, phones, index, &identity);
        let name = if index < options.calls {
            format!("caller{index}")
        } else {
            format!("callee{}", index - options.calls)
        };
        let account = Account { name, password: options.password.clone(), domain: options.domain.clone() };
        tokio::task::spawn_local(client(options.clone(), plan, account, Rc::clone(&board), receiver.clone()));
        tokio::time::sleep(options.interval()).await;
    }
    let all = |count: fn(&Board) -> usize| {
        let board = Rc::clone(&board);
        move || count(&board.borrow()) >= clients
    };
    let is_ready = |board: &Board| board.ready + board.left;
    wait(options, "logging in", PATIENCE, || {
        all(is_ready)() && phones.is_none_or(|phones| phones.control.ready.load(Ordering::Relaxed))
    })
    .await;

    let before = usage()?;
    orders.send_replace(Order::Call { from: Instant::now(), interval: options.interval() });
    let placing = options.interval() * u32::try_from(options.calls).unwrap_or(u32::MAX);
    wait(options, "calling", placing + CONNECT_TIMEOUT + PATIENCE, all(|board| board.heard + board.over))
        .await;
    let set_up = usage()?;
    wait(options, "warming up", WARM_UP, || false).await;
    // While handshakes went on, this thread was late with everything else.
    board.borrow_mut().lateness = Histogram::default();
    board.borrow_mut().latency = Histogram::default();
    let (machine, from, first, own) = (Machine::now()?, Instant::now(), usage()?, Usage::of_self()?);
    wait(options, "talking", options.hold(), || false).await;
    let (last, stood, own) = (usage()?, from.elapsed(), Usage::of_self()? - own);
    let known = first.zip(last).map_or(Duration::ZERO, |(first, last)| (last - first).cpu);
    let others = machine.others_until_now(known + own.cpu)?;

    orders.send_replace(Order::HangUp);
    wait(options, "hanging up", PATIENCE, all(|board| board.over)).await;
    tokio::time::sleep(SETTLE).await;
    orders.send_replace(Order::Leave);
    wait(options, "leaving", PATIENCE, all(|board| board.left)).await;
    let figures = before.zip(set_up).zip(first).zip(last);
    Ok(figures.map(|(((before, set_up), first), last)| Cost {
        set_up: (set_up - before).cpu,
        standing: (last - first).cpu,
        stood,
        resident: (last - before).resident,
        own: own.cpu,
        others,
    }))
}

fn plan(options: &Options, phones: Option<&Phones>, index: usize, identity: &Arc<Identity>) -> Plan {
    let target = match phones {
        Some(phones) => Some(phones.target(options.protocol, index)),
        None => (index < options.calls).then(|| format!("callee{index}")),
    };
    Plan {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        target,
        codec: options.codec,
        identity: Arc::clone(identity),
    }
}

async fn client(
    options: Options,
    plan: Plan,
    account: Account,
    board: Rc<RefCell<Board>>,
    orders: watch::Receiver<Order>,
) {
    let socket = UdpSocket::bind((options.local, 0)).await;
    let page = options.protocol.page(account);
    let client = socket.and_then(|socket| Client::new(plan, page, socket, Rc::clone(&board), orders));
    match (client, connect(&options).await) {
        (Ok(client), Some(socket)) => client.run(socket).await,
        _ => {
            let mut board = board.borrow_mut();
            board.fail("WebSocket", Cause::Transport);
            board.over += 1;
            board.left += 1;
        }
    }
}

async fn connect(options: &Options) -> Option<WebSocket> {
    let mut request = options.url.as_str().into_client_request().ok()?;
    if let Some(protocol) = options.protocol.subprotocol() {
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(protocol));
    }
    let connecting = tokio_tungstenite::connect_async_with_config(request, None, true);
    let (socket, _) = tokio::time::timeout(PATIENCE, connecting).await.ok()?.ok()?;
    Some(socket)
}

/// Waits until `done`, for `longest`, or until Ctrl-C.
async fn wait(options: &Options, what: &str, longest: Duration, done: impl Fn() -> bool) {
    let until = Instant::now() + longest;
    // After Ctrl-C there is only the leaving to wait for.
    let goes_on = || matches!(what, "hanging up" | "leaving") || !stop::requested();
    while !done() && Instant::now() < until && goes_on() {
        if !options.quiet {
            let left = until.saturating_duration_since(Instant::now());
            report::progress(&format!("{what}, {:.0} s at most", left.as_secs_f64()));
        }
        tokio::time::sleep(LOOK.min(until.saturating_duration_since(Instant::now()))).await;
    }
}
