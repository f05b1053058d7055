//! From audits to money: begin, judge, accept, reject, withhold, settle.

use crate::{Draft, Effect, Refusal, Reply, accounts, jobs, lease_ends, nodes, settling};
use tatau_audit::{Decision, Judged, decide, is_measured, need, verdict};
use tatau_model::{
    AccountKey, Amount, Attempt, AttemptId, AttemptState, Audit, AuditId, AuditState, Card, CardKind, Change,
    Digest, EntryKind, JobKind, Measurement, Purpose, TaskState, Verdict, Work,
};
use tatau_workload::{audit as parts, units};

/// Audits that said nothing about the claim before it is given up.
const SPOILT_AUDITS: u32 = 12;
/// So many stake faults bars an account from leases.
const FAULTS_TO_BAR: u64 = 3;
/// Said of work whose honest distance nobody has measured, and of which re-computations agree with each other, or do not.
const UNLIKE: &str = "two independent re-computations agree with each other and not with the delivered result; how far honest results of \
                      such cards differ was not measured, so it is not paid and no stake is taken";
const UNSURE: &str = "the re-computations of this result did not agree; how far honest results of such cards differ was not measured, so it is \
                      not paid and no stake is taken";

/// Outputs are here and the challenge is drawn: open the audits, or accept where the draw spared this one or the buyer's own machine
/// made it.
pub(crate) fn begin(draft: &mut Draft<'_>, id: AttemptId, challenge: Digest) -> Result<(), Refusal> {
    let attempt = draft.attempt(id)?;
    let job = draft.job(attempt.job)?;
    // What cannot be run again with the same result nobody can check: those whom the buyer trusts did it.
    if job.is_own_work(&attempt.provider) || job.is_unchecked() {
        return accept(draft, id);
    }
    let work = &draft.task(attempt.task)?.work;
    let need = need(attempt.newcomer, work, &challenge, draft.state.config.rerun_ppm);
    if need.passes == 0 {
        return accept(draft, id);
    }
    open_audits(draft, id, challenge, need.passes)
}

fn open_audits(draft: &mut Draft<'_>, id: AttemptId, challenge: Digest, count: u32) -> Result<(), Refusal> {
    let attempt = draft.attempt(id)?;
    let (task, job) = (attempt.task, attempt.job);
    let config = &draft.state.config;
    let part = parts::audit_work(
        &draft.task(task)?.work,
        draft.job(job)?,
        &challenge,
        config.crops,
        config.crop_ppm,
    );
    for _ in 0..count {
        let audit = draft.next_audit();
        let now = draft.now;
        draft.put_audit(Audit {
            id: audit,
            attempt: id,
            task,
            job,
            work: part.clone(),
            state: AuditState::Open,
            node: None,
            validator: None,
            excluded: Vec::new(),
            created: now,
            due: now,
            commitment: None,
            files: Vec::new(),
            work_ms: 0,
            measurement: None,
            agrees_with: Vec::new(),
            fee: Amount::ZERO,
        });
    }
    draft.effect(Effect::WakeValidators);
    Ok(())
}

/// The comparator's answer for one revealed audit.
pub(crate) fn judge(
    draft: &mut Draft<'_>,
    id: AuditId,
    measurement: Measurement,
    agrees_with: Vec<AuditId>,
) -> Result<Reply, Refusal> {
    let Ok(audit) = draft.audit(id) else { return Ok(Reply::Done) };
    if audit.state != AuditState::Revealed {
        return Ok(Reply::Done);
    }
    let (attempt, task) = (audit.attempt, audit.task);
    let verdict = verdict(&draft.task(task)?.work, &audit.work, &measurement);
    let nan = measurement.fault.as_deref() == Some("nan");
    let audit = draft.audit_mut(id)?;
    audit.become_state(AuditState::Judged { verdict })?;
    audit.measurement = Some(measurement);
    audit.agrees_with = agrees_with;
    if draft.attempt(attempt)?.state != AttemptState::Delivered {
        return Ok(Reply::Done);
    }
    if nan {
        let sentence = "the picture holds values that are no numbers (NaN or infinite)";
        withhold(draft, attempt, "nan", sentence)?;
        return Ok(Reply::Done);
    }
    evaluate(draft, attempt)?;
    Ok(Reply::Done)
}

fn evaluate(draft: &mut Draft<'_>, id: AttemptId) -> Result<(), Refusal> {
    let attempt = draft.attempt(id)?;
    let challenge =
        attempt.challenge.ok_or_else(|| Refusal::new("internal", "a judged attempt has no challenge"))?;
    let passes =
        need(attempt.newcomer, &draft.task(attempt.task)?.work, &challenge, draft.state.config.rerun_ppm)
            .passes;
    let ids: Vec<AuditId> = draft.state.audits_of(id).map(|a| a.id).collect();
    let mut judged = Vec::new();
    let (mut under_way, mut spoilt) = (0, 0);
    for audit in ids {
        let audit = draft.audit(audit)?;
        match &audit.state {
            // A validator's garbage or a broken comparator says nothing about the claim.
            AuditState::Judged { .. } if says_nothing(audit) => spoilt += 1,
            AuditState::Judged { verdict } => {
                judged.push(Judged {
                    id: audit.id,
                    verdict: *verdict,
                    agrees_with: audit.agrees_with.clone(),
                });
            }
            AuditState::Void => {}
            _ => under_way += 1,
        }
    }
    match decide(passes, draft.state.config.max_audits, &judged) {
        Decision::More(_) if spoilt > SPOILT_AUDITS => {
            give_up(draft, id, "no_verdict", "no usable audit of this result could be had; nobody is paid")
        }
        Decision::More(wanted) if wanted > under_way => open_audits(draft, id, challenge, wanted - under_way),
        Decision::More(_) => Ok(()),
        Decision::Accept => accept(draft, id),
        Decision::Reject(provers) => {
            let sentence = reason(draft, &judged)?;
            let malformed = judged.iter().any(|j| j.verdict == Verdict::Malformed);
            if !malformed && !is_measured_work(draft, id)? {
                return give_up(draft, id, "unlike", UNLIKE);
            }
            reject(draft, id, "wrong_result", &sentence, &provers)
        }
        // Nor is it the buyer's fault then, who would pay for it.
        Decision::Withhold if !is_measured_work(draft, id)? => give_up(draft, id, "unlike", UNSURE),
        Decision::Withhold => withhold(draft, id, "inconclusive", "the audits of this result did not agree"),
    }
}

/// Is the honest distance of what was done known?
fn is_measured_work(draft: &Draft<'_>, id: AttemptId) -> Result<bool, Refusal> {
    let attempt = draft.attempt(id)?;
    let on_device = draft.task(attempt.task)?.work.is_on_device();
    Ok(!on_device || is_measured(draft.job(attempt.job)?.device()))
}

/// Was this judged audit about its validator's files or the comparator, not about the claim?
fn says_nothing(audit: &Audit) -> bool {
    let fault = audit.measurement.as_ref().and_then(|m| m.fault.as_deref());
    matches!(fault, Some("crop_malformed" | "validator_file" | "comparator_failed"))
}

/// The attempt is decided: validators whose verdict stands with the decision are paid, the others are remembered.
fn conclude_audits(draft: &mut Draft<'_>, id: AttemptId, right: Option<Verdict>) -> Result<(), Refusal> {
    let ids: Vec<AuditId> = draft.state.audits_of(id).map(|a| a.id).collect();
    for audit_id in ids {
        let audit = draft.audit(audit_id)?;
        let (AuditState::Judged { verdict }, Some(validator)) = (&audit.state, audit.validator) else {
            continue;
        };
        let comparator =
            audit.measurement.as_ref().is_some_and(|m| m.fault.as_deref() == Some("comparator_failed"));
        let wrong =
            (says_nothing(audit) && !comparator) || right.is_some_and(|right| opposed(*verdict, right));
        if wrong {
            draft.account_mut(validator)?.audit_faults += 1;
        } else {
            draft.account_mut(validator)?.audits_done += 1;
            settling::pay_audit(draft, audit_id, validator)?;
        }
    }
    Ok(())
}

/// Does this verdict contradict the one that stands? An inconclusive one contradicts nothing.
fn opposed(verdict: Verdict, right: Verdict) -> bool {
    match right {
        Verdict::Pass => verdict == Verdict::Fail,
        _ => verdict == Verdict::Pass,
    }
}

fn reason(draft: &Draft<'_>, judged: &[Judged]) -> Result<String, Refusal> {
    for one in judged.iter().filter(|j| j.verdict == Verdict::Malformed) {
        if let Some(measured) = &draft.audit(one.id)?.measurement {
            return Ok(format!(
                "the delivered files contradict the signed receipt or the task: {}",
                measured.sentence
            ));
        }
    }
    Ok("two independent re-computations agree with each other and contradict the delivered result".into())
}

/// The result stands: post the price, plan what follows.
pub(crate) fn accept(draft: &mut Draft<'_>, id: AttemptId) -> Result<(), Refusal> {
    let attempt = draft.attempt(id)?.clone();
    conclude_audits(draft, id, Some(Verdict::Pass))?;
    let paid = earned(draft, &attempt)?;
    let fee = paid.scale(draft.state.config.fee_ppm, 1_000_000)?;
    let pay = paid.sub(fee)?;
    let owner = draft.job(attempt.job)?.owner;
    let held = AccountKey::Owner(owner, Purpose::Held(attempt.job));
    let back = jobs::change_account(draft, attempt.job)?;
    draft.pay(
        EntryKind::Post { attempt: id },
        &[
            (held, AccountKey::Owner(attempt.provider, Purpose::Pending), pay),
            (held, AccountKey::Fees, fee),
            (held, back, attempt.price.sub(paid)?),
        ],
    )?;
    let (spent, reference_ms) = draft.meter(attempt.job)?;
    draft.set_meter(attempt.job, spent.add(paid)?, reference_ms);
    let until = draft.now.plus(draft.state.config.dispute_ms);
    let drafted = draft.attempt_mut(id)?;
    drafted.become_state(AttemptState::Accepted)?;
    drafted.pay = pay;
    drafted.dispute_until = Some(until);
    void_audits(draft, id)?;
    draft.task_mut(attempt.task)?.become_state(TaskState::Accepted)?;
    if matches!(draft.task(attempt.task)?.work, Work::Benchmark) {
        place_card(draft, &attempt)?;
    } else if !draft.job(attempt.job)?.is_own_work(&attempt.provider) {
        draft.account_mut(attempt.provider)?.accepted += 1;
        accounts::update_standing(draft, attempt.provider)?;
    }
    draft.effect(Effect::WakeJob(attempt.job));
    jobs::advance(draft, attempt.job, attempt.task)
}

/// What verified work earned: its fixed price, with the provider's own clock as a ceiling.
fn earned(draft: &Draft<'_>, attempt: &Attempt) -> Result<Amount, Refusal> {
    let job = draft.job(attempt.job)?;
    let task = draft.task(attempt.task)?;
    let reference = units::reference_ms(&task.work, job).max(1);
    let claimed = attempt.receipt.as_ref().map_or(0, |r| r.claimed_ms);
    let score = draft.node(attempt.node)?.cards.get(usize::from(attempt.card)).and_then(|c| c.score_milli);
    // A graphics card's score is its class', no measure of it: its work earns its price.
    let rough = !is_measured_work(draft, attempt.id)?;
    let on_reference = if rough { reference } else { claimed.saturating_mul(score.unwrap_or(1_000)) / 1_000 };
    let least = draft.state.config.least_price.min(attempt.price);
    Ok(attempt.price.scale(on_reference.min(reference), reference)?.max(least))
}

/// The verified benchmark sets the card's score: reference time over the time that the server saw pass.
fn place_card(draft: &mut Draft<'_>, attempt: &Attempt) -> Result<(), Refusal> {
    let job = draft.job(attempt.job)?.clone();
    let JobKind::Benchmark { node, card, device, .. } = job.kind else { return Ok(()) };
    let took = attempt.committed.map_or(0, |at| at.since(attempt.leased)).max(1);
    let score = (units::reference_ms(&Work::Benchmark, &job).saturating_mul(1_000) / took).max(1);
    let Ok(node) = draft.node_mut(node) else { return Ok(()) };
    // A card that was replaced meanwhile is measured when its node is heard of again.
    let same = |card: &&mut Card| nodes::measured_on(card) == Some(device);
    if let Some(card) = node.cards.get_mut(usize::from(card)).filter(same) {
        let class = card.class().map_or(1, |class| class.score_milli);
        card.score_milli = Some(match card.kind {
            // Twice its class, of so many cores, is the most that is believed.
            CardKind::Cpu => score.min(class.saturating_mul(2 * u64::from(card.threads))),
            // The scene is so small that a card's time is nearly all start: it is proven to render, and as fast as its class.
            CardKind::Gpu => class,
        });
    }
    draft.effect(Effect::WakeProviders);
    Ok(())
}

/// Judged wrong, or silent after its receipt: not paid, stake and unsettled pay taken, the task goes to another.
pub(crate) fn reject(
    draft: &mut Draft<'_>,
    id: AttemptId,
    code: &str,
    sentence: &str,
    provers: &[AuditId],
) -> Result<(), Refusal> {
    let attempt = draft.attempt(id)?.clone();
    if draft.job(attempt.job)?.is_own_work(&attempt.provider) {
        return give_up(draft, id, code, sentence);
    }
    conclude_audits(draft, id, Some(Verdict::Fail))?;
    let slashed = settling::slash(draft, &attempt, provers)?;
    let account = draft.account_mut(attempt.provider)?;
    account.stake_faults += 1;
    account.established = false;
    account.barred = account.barred || account.stake_faults >= FAULTS_TO_BAR;
    conclude_rejected(draft, &attempt, code, sentence, slashed)?;
    // Remembered like a failed try, never as the buyer's: five caught cheats in a row stop the job as well.
    lease_ends::remember_failure(draft, &attempt, "wrong_result", sentence, Amount::ZERO)
}

/// No agreement: not paid, nobody slashed; the same on two providers is the buyer's scene.
fn withhold(draft: &mut Draft<'_>, id: AttemptId, code: &str, sentence: &str) -> Result<(), Refusal> {
    let attempt = draft.attempt(id)?.clone();
    conclude_audits(draft, id, None)?;
    conclude_rejected(draft, &attempt, code, sentence, Amount::ZERO)?;
    // Anyone can write NaN into a file: that is never paid, or two friends would be.
    let owed = if code == "nan" { Amount::ZERO } else { attempt.price };
    lease_ends::remember_failure(draft, &attempt, code, sentence, owed)
}

/// Nothing could be found out: not paid, not slashed, nobody's fault; the task goes to anyone.
pub(crate) fn give_up(
    draft: &mut Draft<'_>,
    id: AttemptId,
    code: &str,
    sentence: &str,
) -> Result<(), Refusal> {
    let attempt = draft.attempt(id)?.clone();
    conclude_audits(draft, id, None)?;
    conclude_rejected(draft, &attempt, code, sentence, Amount::ZERO)?;
    lease_ends::remember_failure(draft, &attempt, code, sentence, Amount::ZERO)
}

fn conclude_rejected(
    draft: &mut Draft<'_>,
    attempt: &Attempt,
    code: &str,
    sentence: &str,
    slashed: Amount,
) -> Result<(), Refusal> {
    let drafted = draft.attempt_mut(attempt.id)?;
    drafted.become_state(AttemptState::Rejected {
        code: code.to_owned(),
        sentence: sentence.to_owned(),
        slashed,
    })?;
    drafted.reserved = Amount::ZERO;
    // Slashing emptied the reservation already; without it the stake goes back.
    let reserved = if slashed.is_positive() { Amount::ZERO } else { attempt.reserved };
    lease_ends::release(draft, &Attempt { reserved, ..attempt.clone() })?;
    void_audits(draft, attempt.id)?;
    lease_ends::ready_again(draft, attempt)?;
    let benchmark = matches!(draft.task(attempt.task)?.work, Work::Benchmark);
    let task = draft.task_mut(attempt.task)?;
    if !benchmark && !task.excluded.contains(&attempt.provider) {
        task.excluded.push(attempt.provider);
    }
    draft.last(Change::CloseAttempt(attempt.id));
    Ok(())
}

/// Audits that nobody needs any more. A validator at work is still paid when its answer comes? No: it is told to stop.
fn void_audits(draft: &mut Draft<'_>, id: AttemptId) -> Result<(), Refusal> {
    let open: Vec<AuditId> =
        draft.state.audits_of(id).filter(|a| !a.state.is_ended()).map(|a| a.id).collect();
    for audit in open {
        if !draft.audit(audit)?.state.is_ended() {
            draft.audit_mut(audit)?.become_state(AuditState::Void)?;
        }
    }
    Ok(())
}
