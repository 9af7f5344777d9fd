//! The admin API over an agent's jobs.

mod door;
mod listener;
mod watching;

pub use listener::{Listener, Operators};

use crate::jobs::Jobs;
use crate::wire::{self, Wire, status_of};
use futures::StreamExt;
use model::{Class, Fault, JobName, JobStatus, codes};
use proto::admin;
use proto::admin::admin_server::{Admin, AdminServer};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

/// How long open calls may take to end once the agent stops.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// Serves the admin API, gRPC's health check and its reflection until `shutdown`, then ends open calls within a few seconds and
/// removes the socket's file.
///
/// # Errors
/// `admin_unavailable` when the listener breaks.
pub async fn serve_admin<J: Jobs>(
    listener: Listener,
    jobs: Arc<J>,
    shutdown: CancellationToken,
) -> Result<(), Fault> {
    let (health, health_server) = tonic_health::server::health_reporter();
    health.set_serving::<AdminServer<Api<J>>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(admin::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| broken(&error))?;
    let api = Api {
        jobs,
        shutdown: shutdown.clone(),
    };
    let routes = tonic::transport::Server::builder()
        .add_service(AdminServer::new(api))
        .add_service(health_server)
        .add_service(reflection);
    let serving = listener.serve(routes, shutdown.clone());
    tokio::select! {
        served = serving => served.map_err(|error| broken(&error)),
        () = async { shutdown.cancelled().await; tokio::time::sleep(DRAIN_LIMIT).await } => Ok(()),
    }
}

fn broken(error: &dyn std::error::Error) -> Fault {
    let hint = "see the log for the cause, and start the agent again";
    Fault::new(
        codes::ADMIN_UNAVAILABLE,
        Class::Operator,
        format!("the admin API stopped: {error}"),
        hint,
    )
}

/// The generated service's implementation.
struct Api<J> {
    jobs: Arc<J>,
    shutdown: CancellationToken,
}

impl<J: Jobs> Api<J> {
    fn status(&self, name: &str) -> Result<JobStatus, Status> {
        let receiver = self
            .jobs
            .watch(&job_name(name)?)
            .map_err(|fault| status_of(&fault))?;
        let status = receiver.borrow().clone();
        Ok(status)
    }
}

fn job_name(text: &str) -> Result<JobName, Status> {
    text.parse()
        .map_err(|error| malformed(&wire::Malformed::Name(error)))
}

fn malformed(error: &wire::Malformed) -> Status {
    status_of(&error.in_request())
}

/// The job's status as an answer, or the fault as a failure; either is logged, for these calls change something.
fn told(
    call: &'static str,
    name: &JobName,
    outcome: Result<JobStatus, Fault>,
) -> Result<admin::JobStatus, Status> {
    match outcome {
        Ok(status) => {
            tracing::info!(job = %name, call, phase = %status.phase, "operator's call done");
            Ok(status.to_wire())
        }
        Err(fault) => {
            tracing::warn!(job = %name, call, error = %fault, "operator's call refused");
            Err(status_of(&fault))
        }
    }
}

#[tonic::async_trait]
impl<J: Jobs> Admin for Api<J> {
    async fn create_job(
        &self,
        request: Request<admin::CreateJobRequest>,
    ) -> Result<Response<admin::CreateJobResponse>, Status> {
        let spec: model::JobSpec =
            wire::required("spec", request.into_inner().spec).map_err(|e| malformed(&e))?;
        let name = spec.name.clone();
        let status = told("create", &name, self.jobs.create(spec).await)?;
        Ok(Response::new(admin::CreateJobResponse {
            status: Some(status),
        }))
    }

    async fn get_job(
        &self,
        request: Request<admin::GetJobRequest>,
    ) -> Result<Response<admin::GetJobResponse>, Status> {
        let status = self.status(&request.into_inner().name)?.to_wire();
        Ok(Response::new(admin::GetJobResponse {
            status: Some(status),
        }))
    }

    async fn list_jobs(
        &self,
        _request: Request<admin::ListJobsRequest>,
    ) -> Result<Response<admin::ListJobsResponse>, Status> {
        Ok(Response::new(admin::ListJobsResponse {
            jobs: wire::all(&self.jobs.list()),
        }))
    }

    async fn watch_job(
        &self,
        request: Request<admin::WatchJobRequest>,
    ) -> Result<Response<BoxStream<admin::WatchJobResponse>>, Status> {
        let name = job_name(&request.into_inner().name)?;
        let receiver = self.jobs.watch(&name).map_err(|fault| status_of(&fault))?;
        let answers = watching::statuses(receiver)
            .map(|status| {
                Ok(admin::WatchJobResponse {
                    status: Some(status),
                })
            })
            .take_until(self.shutdown.clone().cancelled_owned());
        Ok(Response::new(Box::pin(answers)))
    }

    async fn cancel_job(
        &self,
        request: Request<admin::CancelJobRequest>,
    ) -> Result<Response<admin::CancelJobResponse>, Status> {
        let name = job_name(&request.into_inner().name)?;
        let status = told("cancel", &name, self.jobs.cancel(&name).await)?;
        Ok(Response::new(admin::CancelJobResponse {
            status: Some(status),
        }))
    }

    async fn pause_job(
        &self,
        request: Request<admin::PauseJobRequest>,
    ) -> Result<Response<admin::PauseJobResponse>, Status> {
        let name = job_name(&request.into_inner().name)?;
        let status = told("pause", &name, self.jobs.set_paused(&name, true).await)?;
        Ok(Response::new(admin::PauseJobResponse {
            status: Some(status),
        }))
    }

    async fn resume_job(
        &self,
        request: Request<admin::ResumeJobRequest>,
    ) -> Result<Response<admin::ResumeJobResponse>, Status> {
        let name = job_name(&request.into_inner().name)?;
        let status = told("resume", &name, self.jobs.set_paused(&name, false).await)?;
        Ok(Response::new(admin::ResumeJobResponse {
            status: Some(status),
        }))
    }

    async fn verify_job(
        &self,
        request: Request<admin::VerifyJobRequest>,
    ) -> Result<Response<admin::VerifyJobResponse>, Status> {
        let name = job_name(&request.into_inner().name)?;
        let status = told("verify", &name, self.jobs.verify(&name).await)?;
        Ok(Response::new(admin::VerifyJobResponse {
            status: Some(status),
        }))
    }

    async fn cut_over_job(
        &self,
        request: Request<admin::CutOverJobRequest>,
    ) -> Result<Response<admin::CutOverJobResponse>, Status> {
        let request = request.into_inner();
        let name = job_name(&request.name)?;
        let options = wire::Wire::from_wire(request.options.unwrap_or_default());
        let options = options.map_err(|error| malformed(&error))?;
        let status = told("cutover", &name, self.jobs.cut_over(&name, options).await)?;
        Ok(Response::new(admin::CutOverJobResponse {
            status: Some(status),
        }))
    }

    async fn get_report(
        &self,
        request: Request<admin::GetReportRequest>,
    ) -> Result<Response<BoxStream<admin::GetReportResponse>>, Status> {
        let status = self.status(&request.into_inner().name)?;
        let report = status
            .report
            .ok_or_else(|| status_of(&not_verified(&status.spec.name)))?;
        let answers = futures::stream::iter(report.collections).map(|collection| {
            Ok(admin::GetReportResponse {
                collection: Some(collection.to_wire()),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

fn not_verified(name: &JobName) -> Fault {
    let message = format!("job {name} has no report: no verification of it has ended");
    let hint = "wait for the job's verification (`job watch`), or begin one with `job verify`";
    Fault::new(codes::JOB_PHASE, Class::Operator, message, hint)
}

#[cfg(test)]
mod tests;
