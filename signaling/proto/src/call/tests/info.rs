use super::*;

fn info() -> Signal {
    Signal::Info { content_type: "application/x-door".to_owned(), body: b"open".to_vec() }
}

fn told(actions: &[Action]) -> Vec<(Who, Signal)> {
    let told = |action: &Action| match action {
        Action::Signal(who, signal) => Some((*who, signal.clone())),
        _ => None,
    };
    actions.iter().filter_map(told).collect()
}

#[test]
fn an_info_goes_to_the_other_party_and_its_answer_comes_back() {
    let (mut bench, _) = Bench::talking(samples::BARESIP, Kind::Rtp, samples::BARESIP);
    for (from, to) in [(Who::Caller, Who::Callee(0)), (Who::Callee(0), Who::Caller)] {
        assert_eq!(told(&bench.signal(from, info())), [(to, info())]);
        let done = Signal::InfoDone(Cause::new(200, "OK"));
        assert_eq!(told(&bench.signal(to, done.clone())), [(from, done)]);
    }
}

#[test]
fn an_info_that_nobody_can_take_is_refused() {
    let never = PartyMedia { info: TakesInfo::Never, ..party(Kind::Rtp) };
    let bench = Bench::of(Some(samples::BARESIP), party(Kind::Rtp), &[never]);
    let (mut bench, _) = bench.answered(samples::BARESIP);
    let refused = |actions: &[Action]| match told(actions).as_slice() {
        [(Who::Caller, Signal::InfoDone(cause))] => cause.status,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&bench.signal(Who::Caller, info())), 415);
    let mut early = Bench::new(Some(samples::BARESIP), &[Kind::Rtp]);
    early.actions();
    early.create(0);
    assert_eq!(refused(&early.signal(Who::Caller, info())), 480);
}
