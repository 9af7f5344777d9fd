//! Commands to a running agent.

use super::args::{JobSub, Named, OperatorFiles, Reach};
use super::exit::Exit;
use super::terminal::{Failure, Output, Terminal};
use super::{config, render, watch};
use crate::Program;
use crate::address::Address;
use crate::client::{Client, Operator};
use model::job::CutoverOptions;
use model::{Class, Fault, JobName, JobSpec, JobStatus, codes};
use runtime::config::{TlsFiles, job_file};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

pub(super) async fn run(
    program: Program,
    command: JobSub,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    match command {
        JobSub::Create {
            file,
            dry_run,
            watch,
            reach,
        } => {
            let mut spec = read_spec(&file)?;
            spec.dry_run |= dry_run;
            let mut client = connect(&reach).await?;
            let status = client.create(&spec).await?;
            // The answer of a dry run is what preflight finds, so there is something to wait for.
            answer(
                program,
                &mut client,
                status,
                watch || spec.dry_run,
                terminal,
            )
            .await
        }
        JobSub::List { reach } => {
            let jobs = connect(&reach).await?.list().await?;
            terminal.show(&jobs, |jobs| render::jobs(jobs))?;
            Ok(Exit::Done)
        }
        JobSub::Show(Named { name, reach }) => {
            let status = connect(&reach).await?.show(&name).await?;
            terminal.show(&status, render::job)?;
            Ok(Exit::Done)
        }
        JobSub::Watch(Named { name, reach }) => {
            follow(program, &mut connect(&reach).await?, &name, terminal).await
        }
        JobSub::Cancel(Named { name, reach }) => {
            let status = connect(&reach).await?.cancel(&name).await?;
            terminal.show(&status, render::job)?;
            Ok(Exit::Done)
        }
        JobSub::Pause(Named { name, reach }) => {
            let status = connect(&reach).await?.pause(&name).await?;
            terminal.show(&status, render::job)?;
            Ok(Exit::Done)
        }
        JobSub::Resume(Named { name, reach }) => {
            let status = connect(&reach).await?.resume(&name).await?;
            terminal.show(&status, render::job)?;
            Ok(Exit::Done)
        }
        JobSub::Cutover {
            named: Named { name, reach },
            max_lag,
            timeout,
            dry_run,
        } => {
            let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            let options = CutoverOptions {
                max_lag_ms: max_lag.map(millis),
                timeout_ms: timeout.map(millis),
                dry_run,
            };
            let status = connect(&reach).await?.cut_over(&name, options).await?;
            terminal.show(&status, render::job)?;
            if dry_run {
                terminal.remark("it could cut over now")?;
                return Ok(Exit::Done);
            }
            Ok(Exit::of_job(&status))
        }
        JobSub::Verify {
            named: Named { name, reach },
            watch,
        } => {
            let mut client = connect(&reach).await?;
            let status = client.verify(&name).await?;
            answer(program, &mut client, status, watch, terminal).await
        }
        JobSub::Report(Named { name, reach }) => {
            let report = connect(&reach).await?.report(&name).await?;
            terminal.show(&report, render::report)?;
            Ok(Exit::of_report(&report))
        }
    }
}

/// Shows the status that a call was answered with, or the job until its end.
async fn answer(
    program: Program,
    client: &mut Client,
    status: JobStatus,
    watch: bool,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    if watch {
        return follow(program, client, &status.spec.name, terminal).await;
    }
    terminal.show(&status, render::job)?;
    terminal.remark(&format!(
        "`{program} job watch {}` shows its progress",
        status.spec.name
    ))?;
    Ok(Exit::Done)
}

async fn follow(
    program: Program,
    client: &mut Client,
    name: &JobName,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let last = watch::follow(client, name, terminal).await?;
    if terminal.output == Output::Text {
        for line in render::outcome(&last) {
            terminal.line(&line)?;
        }
    }
    let exit = Exit::of_job(&last);
    if exit == Exit::Differs {
        terminal.remark(&format!(
            "`{program} job report {name}` names every difference"
        ))?;
    }
    Ok(exit)
}

async fn connect(reach: &Reach) -> Result<Client, Fault> {
    let address = match (&reach.admin, &reach.config) {
        (Some(address), _) => address.clone(),
        (None, Some(file)) => Address::of_section(&config::load(file)?.admin),
        (None, None) => {
            let hint = "give --admin unix:/path of its socket, or --config FILE (PASSAGE_CONFIG) to take it from";
            return Err(Fault::new(
                codes::CONFIG_INVALID,
                Class::Operator,
                "which agent is meant is not said",
                hint,
            ));
        }
    };
    match &reach.operator {
        Some(files) => Client::connect_as(&operator(files), &address).await,
        None => Client::connect(&address).await,
    }
}

fn operator(files: &OperatorFiles) -> Operator {
    let tls = TlsFiles {
        cert: files.admin_cert.clone(),
        key: files.admin_key.clone(),
        peer_ca: files.admin_ca.clone(),
        crl: None,
    };
    Operator {
        tls,
        agent: files.admin_agent.clone(),
    }
}

fn read_spec(file: &Path) -> Result<JobSpec, Fault> {
    if file != Path::new("-") {
        return Ok(job_file::load(file)?);
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| {
            let message = format!("standard input can't be read: {error}");
            Fault::new(
                codes::CONFIG_INVALID,
                Class::Operator,
                message,
                "give a file instead of -",
            )
        })?;
    Ok(job_file::parse("standard input", &text)?)
}
