//! The admin API from its caller's end, in model types.

use crate::address::Address;
use crate::wire::{self, Malformed, Wire, fault_of, unreachable_agent};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use hyper_util::rt::TokioIo;
use model::report::CollectionReport;
use model::{Class, Fault, JobName, JobSpec, JobStatus, VerifyReport, codes};
use proto::admin;
use proto::admin::admin_client::AdminClient;
use std::error::Error;
use std::time::Duration;
use tokio::net::UnixStream;
use tonic::Response;
use tonic::transport::{Channel, Endpoint};

/// A report of a collection whose thousand named rows all have the longest keys that Milvus takes is 64 MiB.
const MAX_ANSWER_BYTES: usize = 128 << 20;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A connection to an agent's admin API.
///
/// Every call fails with the agent's own fault, or `agent_unreachable` when it does not answer.
#[derive(Debug, Clone)]
pub struct Client(AdminClient<Channel>);

impl Client {
    /// Connects to an agent.
    ///
    /// # Errors
    /// `agent_unreachable` when nobody listens there, or the socket may not be opened.
    pub async fn connect(address: &Address) -> Result<Self, Fault> {
        let channel = match address {
            Address::Unix(path) => {
                let path = path.clone();
                // The URI is required by HTTP and looked up by nobody: the connector knows the way.
                Endpoint::from_static("http://agent")
                    .connect_timeout(CONNECT_LIMIT)
                    .connect_with_connector(tower::service_fn(move |_| {
                        let path = path.clone();
                        async move { UnixStream::connect(path).await.map(TokioIo::new) }
                    }))
                    .await
            }
            Address::Tcp(_) => {
                let hint = "name the agent's unix socket: --admin unix:/path";
                let message =
                    format!("the admin API at {address} can't be called without certificates");
                return Err(Fault::new(
                    codes::CONFIG_INVALID,
                    Class::Permanent,
                    message,
                    hint,
                ));
            }
        };
        let channel = channel
            .map_err(|error| unreachable_agent(&format!("{address}: {}", innermost(&error))))?;
        Ok(Self(
            AdminClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES),
        ))
    }

    /// Creates a job; its status once the agent has it in its journal.
    ///
    /// # Errors
    /// The agent's refusal, such as `job_exists`.
    pub async fn create(&mut self, spec: &JobSpec) -> Result<JobStatus, Fault> {
        let answer = self
            .0
            .create_job(admin::CreateJobRequest {
                spec: Some(spec.to_wire()),
            })
            .await;
        told(answer, |answer| wire::required("status", answer.status))
    }

    /// One job as it stands, without its report.
    ///
    /// # Errors
    /// `job_not_found`.
    pub async fn show(&mut self, name: &JobName) -> Result<JobStatus, Fault> {
        let answer = self
            .0
            .get_job(admin::GetJobRequest {
                name: name.to_string(),
            })
            .await;
        told(answer, |answer| wire::required("status", answer.status))
    }

    /// All jobs, oldest first, without their reports.
    ///
    /// # Errors
    /// Only of the connection.
    pub async fn list(&mut self) -> Result<Vec<JobStatus>, Fault> {
        told(
            self.0.list_jobs(admin::ListJobsRequest {}).await,
            |answer| wire::each(answer.jobs),
        )
    }

    /// The job's status now and after each change. The stream ends by itself only after a settled status
    /// ([`crate::is_settled`]); an agent that stops before ends it with `agent_unreachable`.
    ///
    /// # Errors
    /// `job_not_found`.
    pub async fn watch(
        &mut self,
        name: &JobName,
    ) -> Result<BoxStream<'static, Result<JobStatus, Fault>>, Fault> {
        let answer = self
            .0
            .watch_job(admin::WatchJobRequest {
                name: name.to_string(),
            })
            .await;
        let stream = answer.map_err(|status| fault_of(&status))?.into_inner();
        let statuses = stream.map(|answer| {
            let status = answer.map_err(|status| fault_of(&status))?.status;
            wire::required("status", status).map_err(|error| error.in_answer())
        });
        Ok(statuses.boxed())
    }

    /// Cancels a job; its status from then on.
    ///
    /// # Errors
    /// `job_not_found`, or `job_phase` when it has ended otherwise.
    pub async fn cancel(&mut self, name: &JobName) -> Result<JobStatus, Fault> {
        let answer = self
            .0
            .cancel_job(admin::CancelJobRequest {
                name: name.to_string(),
            })
            .await;
        told(answer, |answer| wire::required("status", answer.status))
    }

    /// Begins another verification of a job.
    ///
    /// # Errors
    /// `job_not_found`, or `job_phase` when the job still copies.
    pub async fn verify(&mut self, name: &JobName) -> Result<JobStatus, Fault> {
        let answer = self
            .0
            .verify_job(admin::VerifyJobRequest {
                name: name.to_string(),
            })
            .await;
        told(answer, |answer| wire::required("status", answer.status))
    }

    /// What the last verification of a job found.
    ///
    /// # Errors
    /// `job_not_found`, or `job_phase` when no verification of it has ended.
    pub async fn report(&mut self, name: &JobName) -> Result<VerifyReport, Fault> {
        let answer = self
            .0
            .get_report(admin::GetReportRequest {
                name: name.to_string(),
            })
            .await;
        let parts = answer.map_err(|status| fault_of(&status))?.into_inner();
        let collections: Vec<CollectionReport> = parts
            .map_err(|status| fault_of(&status))
            .and_then(|part| {
                let collection = wire::required("collection", part.collection);
                std::future::ready(collection.map_err(|error: Malformed| error.in_answer()))
            })
            .try_collect()
            .await?;
        Ok(VerifyReport { collections })
    }
}

fn told<A, T>(
    answer: Result<Response<A>, tonic::Status>,
    take: impl FnOnce(A) -> Result<T, Malformed>,
) -> Result<T, Fault> {
    let answer = answer.map_err(|status| fault_of(&status))?;
    take(answer.into_inner()).map_err(|error| error.in_answer())
}

/// The error's own cause: what stands around it says "transport error" and no more.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
