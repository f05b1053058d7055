//! `tatau submit` of a bundle for a program that the platform knows nothing of.

use crate::{
    ask,
    context::Context,
    deliver::{goes_on, plural, save, set_terms, who_sees},
    exit::{Code, Ended},
    out, quoted,
    stop::Stop,
    submit::Submit,
    told::Told,
};
use serde_json::json;
use tatau_api::ProgramTerms;
use tatau_client::Client;
use tatau_model::{Device, Job, JobId, JobState, Who, environment};
use tatau_submit::{Choice, Event, Program, ProgramOrder, Sent, Target, Watch};

/// Minutes of a task of which its bundle says nothing.
const TASK_MINUTES: f64 = 10.0;
/// Longest time of a task, minutes.
const MOST_MINUTES: f64 = 24.0 * 60.0;

pub async fn run(options: Submit, context: &Context) -> anyhow::Result<()> {
    let program = tatau_submit::read_program(&options.bundle)?;
    let mut order = order(&options, &program)?;
    let mut target = Target::open(&options.out)?;
    let mut stop = Stop::listen()?;
    let client = stop.unless(unpaid, context.account()).await??;
    let mut told = Told::new(context.json());
    let sending = tatau_submit::send_program(&client, &program, &mut told);
    let sent = stop.unless(unpaid, sending).await.inspect_err(|_| told.done())??;
    order.request_key = program.request_key(&sent, &order.environment, &target.state().nonce);
    let before = stop.unless(unpaid, known_job(&client, &target, &order, &options)).await??;
    let job = if let Some(job) = before {
        told.tell(Event::Paid { job: job.id, cap: job.cap, again: true });
        job.id
    } else {
        let asked = Asked { options: &options, program: &program, sent: &sent, order };
        buy(asked, &client, &mut target, &mut told, &mut stop, context).await?
    };
    target.bind(client.base_url(), job)?;
    set_terms(&client, job, options.terms.later(), &mut stop).await?;
    save(&client, job, &mut target, told, &mut stop, context).await
}

fn unpaid() -> Ended {
    Ended::new(Code::Interrupted, "interrupted; nothing was paid")
        .hint("the same command goes on with what was uploaded")
}

/// What flags and bundle say together; flags go first.
fn order(options: &Submit, program: &Program) -> anyhow::Result<ProgramOrder> {
    let (terms, asked) = (&options.terms, &program.asked);
    let named = options.program.as_ref().map(|name| format!("{}{name}", environment::HOST));
    let named = named.or_else(|| terms.environment.map(str::to_owned)).or_else(|| asked.environment.clone());
    let name = named.filter(|name| name.starts_with(environment::HOST)).ok_or_else(|| {
        Ended::usage(
            "this bundle has other steps than the render bundle, and does not say which program of a provider's runs it",
        )
        .hint("name it with --program, such as --program cinema4d@2025, or in the bundle's tatau.yaml: environment: host:cinema4d@2025")
    })?;
    if !environment::is_host(&name) {
        return Err(Ended::usage(format!(
            "'{}' is no name of a program; letters, digits and . _ - make one, and @VERSION may follow",
            out::clean_line(&name)
        ))
        .into());
    }
    let minutes = options.task_minutes.or(asked.task_minutes).unwrap_or(TASK_MINUTES);
    if !(minutes > 0.0 && minutes <= MOST_MINUTES) {
        return Err(Ended::usage("a task takes more than nothing and at most a day, in minutes").into());
    }
    let reproducible = !options.not_reproducible && asked.reproducible.unwrap_or(true);
    if !reproducible && terms.who == Who::Any {
        return Err(Ended::usage("work that cannot be repeated is checked by nobody")
            .hint("say who may do it: --who trusted, or --who own")
            .into());
    }
    if terms.device.is_some() {
        return Err(Ended::usage(
            "--device is for Blender scenes; tasks of other programs run on processors for now",
        )
        .into());
    }
    if let Some(Err(words)) = asked.class.as_deref().map(crate::render::class) {
        return Err(Ended::usage(format!("the class in the bundle's tatau.yaml is wrong: {words}")).into());
    }
    Ok(ProgramOrder {
        environment: name,
        terms: ProgramTerms { task_reference_ms: (minutes * 60_000.0).ceil() as u64, reproducible },
        machines: terms.machines(),
        class: terms.class.clone().or_else(|| asked.class.clone()),
        strategy: terms.strategy.unwrap_or(asked.strategy),
        cap: terms.max_price.or(asked.cap).unwrap_or_default(),
        request_key: String::new(),
    })
}

/// The job whose results the folder holds, if it is of this bundle and not over without them.
async fn known_job(
    client: &Client,
    target: &Target,
    order: &ProgramOrder,
    options: &Submit,
) -> anyhow::Result<Option<Job>> {
    let Some(id) = target.state().job else { return Ok(None) };
    let occupied = || {
        let shown = options.out.display();
        Ended::usage(format!("{shown} holds the results of {id}, which did something else"))
            .hint("choose another folder with --out")
    };
    if target.state().server.as_deref() != Some(client.base_url()) {
        return Err(occupied().into());
    }
    let job = match client.job(id, u64::MAX, 0).await {
        Ok(view) => view.job,
        Err(e) if e.code() == Some("not_found") => return Err(occupied().into()),
        Err(e) => return Err(e.into()),
    };
    if job.request_key != order.request_key
        || matches!(job.state, JobState::Cancelled | JobState::Failed { .. })
    {
        return Err(occupied().into());
    }
    Ok(Some(job))
}

/// Everything that is ordered.
struct Asked<'a> {
    options: &'a Submit,
    program: &'a Program,
    sent: &'a Sent,
    order: ProgramOrder,
}

async fn buy(
    asked: Asked<'_>,
    client: &Client,
    target: &mut Target,
    told: &mut Told,
    stop: &mut Stop,
    context: &Context,
) -> anyhow::Result<JobId> {
    let Asked { options, program, sent, mut order } = asked;
    let asking = tatau_submit::quote_program(client, program, sent, &order);
    let quote = stop.unless(unpaid, asking).await.inspect_err(|_| told.done())??;
    told.done();
    let most = order.cap.is_positive().then_some(order.cap);
    let choice =
        Choice { class: order.class.clone(), device: Device::Cpu, strategy: order.strategy, max_price: most };
    let what = plural(quote.frames as usize, "task");
    let picked = tatau_submit::choose(&quote, &choice).map_err(|e| {
        let name = out::clean_line(&order.environment);
        Ended::new(Code::Refused, format!("{what} for {name}: {e}"))
            .hint("providers offer their own programs with: tatau provide --program NAME=FOLDER")
    });
    let (row, cap) = picked?;
    if context.json() {
        out::json(&json!({"event": "quote", "quote": quote, "chosen": row, "cap": cap}));
    } else {
        out::say(&format!(
            "{what} for {}, {} each on the reference card (a GTX 1080 Ti): paid so, whatever they take",
            out::clean_line(&order.environment),
            out::duration(order.terms.task_reference_ms)
        ));
        out::say(&quoted::table(&quote, row));
        out::say(if order.terms.reproducible {
            "Results are checked by running tasks again elsewhere and comparing the files."
        } else {
            "Nobody checks the results, because they cannot be repeated: you rely on those whom you trust."
        });
        out::say(who_sees(order.machines.who));
    }
    if !options.terms.yes {
        if !ask::can_ask() {
            return Err(Ended::new(Code::Refused, "not paid: nobody is here to agree to the price")
                .hint(format!("add --yes to pay up to {cap} TATAU"))
                .into());
        }
        let question = match order.machines.who {
            Who::Own => format!("Run {what} on your own machines, for nothing?"),
            _ => format!("Put {cap} TATAU into escrow and run {what}?"),
        };
        if !ask::agreed(&question, stop).await? {
            return Err(Ended::new(Code::Refused, "not paid, as you said").into());
        }
    }
    target.store()?;
    order.cap = cap;
    let paying = tatau_submit::pay_program(client, program, sent, order);
    let view = stop.unless(goes_on, paying).await??;
    *told = Told::new(context.json());
    told.tell(Event::Paid { job: view.job.id, cap: view.job.cap, again: false });
    Ok(view.job.id)
}
