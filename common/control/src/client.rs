//! The admin API from its caller's end, in model types.

use crate::address::Address;
use crate::wire::{self, Malformed, Wire, fault_of, unreachable_agent};
use channel::tls::Trust;
use channel::{LinkError, secure};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use hyper_util::rt::TokioIo;
use model::job::CutoverOptions;
use model::report::CollectionReport;
use model::{Class, Fault, JobName, JobSpec, JobStatus, VerifyReport, codes};
use proto::admin;
use proto::admin::admin_client::AdminClient;
use runtime::config::{Peer, PeerId, TlsFiles};
use std::error::Error;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
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

/// How an operator is known at an agent's TCP port, and the agent to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The operator's certificate and key, and the CA of the agent's certificate.
    pub tls: TlsFiles,
    /// Who must be at the other end.
    pub agent: PeerId,
}

impl Client {
    /// Connects to an agent at its unix socket.
    ///
    /// # Errors
    /// `agent_unreachable` when nobody listens there, or the socket may not be opened; `config_invalid` for a TCP address, which
    /// is for [`Client::connect_as`].
    pub async fn connect(address: &Address) -> Result<Self, Fault> {
        let Address::Unix(path) = address else {
            let message =
                format!("the admin API at {address} can't be called without certificates");
            let hint = "give --admin-cert, --admin-key, --admin-ca and --admin-agent, or the agent's unix socket";
            return Err(Fault::new(
                codes::CONFIG_INVALID,
                Class::Permanent,
                message,
                hint,
            ));
        };
        let path = path.clone();
        let connector = tower::service_fn(move |_| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        Self::over(endpoint().connect_with_connector(connector).await, address)
    }

    /// Connects to an agent at its TCP port.
    ///
    /// # Errors
    /// `agent_unreachable`; `certificate_invalid` or `certificate_expired` for the operator's own certificate; `peer_untrusted`
    /// or `peer_not_allowed` when somebody else is at the other end. An agent that does not know the operator ends the
    /// connection, which reads as `agent_unreachable`.
    pub async fn connect_as(operator: &Operator, address: &Address) -> Result<Self, Fault> {
        let Address::Tcp(place) = address else {
            return Self::connect(address).await;
        };
        let agent = Peer {
            name: "agent".to_owned(),
            id: operator.agent.clone(),
        };
        let trust = channel::trust(&operator.tls, &[agent])?;
        let place = place.clone();
        let connector = tower::service_fn(move |_| {
            let (trust, place) = (trust.clone(), place.clone());
            async move { secured(&trust, place).await.map(TokioIo::new) }
        });
        Self::over(endpoint().connect_with_connector(connector).await, address)
    }

    fn over(
        channel: Result<Channel, tonic::transport::Error>,
        address: &Address,
    ) -> Result<Self, Fault> {
        let channel = channel.map_err(|error| {
            told_by(&error)
                .unwrap_or_else(|| unreachable_agent(&format!("{address}: {}", innermost(&error))))
        })?;
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

    /// The job's status now and after each change. The stream ends by itself only after a status in which it
    /// has ended; an agent that stops before ends it with `agent_unreachable`.
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

    /// Has a job rest until it is resumed.
    ///
    /// # Errors
    /// As [`crate::Jobs::set_paused`].
    pub async fn pause(&mut self, name: &JobName) -> Result<JobStatus, Fault> {
        let name = name.to_string();
        let answer = self.0.pause_job(admin::PauseJobRequest { name }).await;
        told(answer, |answer| wire::required("status", answer.status))
    }

    /// Has a paused job go on.
    ///
    /// # Errors
    /// As [`crate::Jobs::set_paused`].
    pub async fn resume(&mut self, name: &JobName) -> Result<JobStatus, Fault> {
        let name = name.to_string();
        let answer = self.0.resume_job(admin::ResumeJobRequest { name }).await;
        told(answer, |answer| wire::required("status", answer.status))
    }

    /// Cuts a live job over, and waits until it is done or undone.
    ///
    /// # Errors
    /// As [`crate::Jobs::cut_over`].
    pub async fn cut_over(
        &mut self,
        name: &JobName,
        options: CutoverOptions,
    ) -> Result<JobStatus, Fault> {
        let answer = self
            .0
            .cut_over_job(admin::CutOverJobRequest {
                name: name.to_string(),
                options: Some(wire::Wire::to_wire(&options)),
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

/// The URI is required by HTTP and looked up by nobody: the connectors know the way.
fn endpoint() -> Endpoint {
    Endpoint::from_static("http://agent").connect_timeout(CONNECT_LIMIT)
}

async fn secured(
    trust: &Trust,
    place: String,
) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, Fault> {
    let socket = TcpStream::connect(&place)
        .await
        .map_err(|error| unreachable_agent(&format!("{place}: {error}")))?;
    let host = place
        .rsplit_once(':')
        .map_or(place.as_str(), |(host, _)| host.trim_matches(['[', ']']));
    match secure::connect(trust, host, socket).await {
        Ok((stream, _)) => Ok(stream),
        Err(error) => Err(LinkError::Tls { peer: place, error }.into()),
    }
}

/// The fault that a connector ended with, out of what stands around it.
fn told_by(error: &(dyn Error + 'static)) -> Option<Fault> {
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(|error| error.downcast_ref().cloned())
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
