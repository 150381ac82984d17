//! The one HTTP front: tells the services apart, records, rules on access, and hands each request on.

mod refusal;
mod slack;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::access::{Access, FaultKind, Ruling};
use crate::apigateway;
use crate::bedrock::{self, Bedrock, control_plane};
use crate::cbor;
use crate::cloudwatch;
use crate::elsewhere::Api;
use crate::failure::{Failure, Protocol};
use crate::front::refusal::{denied, internal_error, overloaded, throttled};
use crate::front::slack::Route;
use crate::lambda;
use crate::logs;
use crate::page;
use crate::percent;
use crate::recorder::{Received, Recorder};
use crate::s3::{self, Buckets};
use crate::scenario::{Paging, Scenario, uuid};
use crate::service_quotas;
use crate::slack::{Reply, Slack};
use crate::sns::{self, Outbox};
use crate::ssm;
use crate::sts;
use crate::wire::Answer;

/// More than any service takes; what is longer is not read.
const LARGEST_BODY: usize = 32 * 1024 * 1024;
const CLOUDWATCH_PATH: &str = "/service/GraniteServiceVersion20100801/operation/";

/// Everything that requests share.
pub(crate) struct Shared {
    pub(crate) scenario: Scenario,
    pub(crate) paging: Paging,
    /// Time that each answer takes which is not a model's.
    pub(crate) latency: Duration,
    pub(crate) access: Access,
    pub(crate) recorder: Recorder,
    pub(crate) outbox: Outbox,
    pub(crate) buckets: Buckets,
    pub(crate) bedrock: Bedrock,
    pub(crate) slack: Slack,
    pub(crate) insights: logs::Insights,
    /// Becomes true when the emulator stops; hanging requests end then.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Builds the router: every path is told apart by [`target`], because one port serves many services.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(handle).with_state(shared)
}

/// Where a request goes.
enum Target {
    CloudWatch { operation: String },
    Logs { operation: String },
    Ssm { operation: String },
    ServiceQuotas { operation: String },
    Sns { form: Vec<(String, String)> },
    Sts { form: Vec<(String, String)> },
    S3(s3::Request),
    Lambda(lambda::Request),
    ApiGateway(apigateway::Request),
    Converse { model_id: String },
    ControlPlane(control_plane::Request),
    Elsewhere(Api),
    Bedrock { path: String },
    Slack(Route),
    SlackPage,
    Own { list: String },
    Unknown,
}

impl Target {
    /// Says whether a model is asked, which takes a time of its own.
    fn is_model(&self) -> bool {
        matches!(self, Target::Converse { .. } | Target::Elsewhere(_))
    }
}

/// An AWS call by its names.
struct Call {
    service: &'static str,
    operation: String,
    /// IAM's name of the action.
    action: String,
    protocol: Protocol,
    /// The resource that a denial names.
    resource: Option<String>,
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return response(plain(413, "emulator: the body is too long"));
    };
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let target = target(parts.method.as_str(), path, query, &parts.headers, &body);
    if let Target::Own { list } = &target {
        return response(own(&shared, list));
    }
    if matches!(target, Target::SlackPage) {
        return response(html(shared.slack.page()));
    }
    let call = call(&shared.scenario, &target, &body);
    let (service, action) = match (&call, &target) {
        (Some(call), _) => (call.service, call.operation.clone()),
        (None, Target::Slack(route)) => ("slack", route.action().to_owned()),
        (None, Target::Elsewhere(api)) => (api.provider(), api.operation().to_owned()),
        (None, _) => ("unknown", format!("{} {path}", parts.method)),
    };
    let shown = parts.uri.path_and_query().map_or(path, |both| both.as_str());
    let place = shared.recorder.arrival(Received {
        service: service.to_owned(),
        action,
        iam_action: call.as_ref().map(|call| call.action.clone()),
        resource: call.as_ref().and_then(|call| call.resource.clone()),
        target: format!("{} {shown}", parts.method),
        body: body_text(&target, &body),
        cbor: matches!(target, Target::CloudWatch { .. }).then(|| page::hex(&body)),
        status: None,
        arrived_ms: 0,
        answered_ms: None,
    });
    if !shared.latency.is_zero() && !target.is_model() {
        tokio::time::sleep(shared.latency).await;
    }
    let answer = match (call, &target) {
        (Some(call), _) => aws(&shared, &call, &target, &parts.headers, &body, place).await,
        (None, Target::Slack(route)) => {
            match slack::reply(&shared, route, path, &parts.headers, &body).await {
                Ok(Reply::Answer(answer)) => answer,
                Ok(Reply::BrokenOff) => return slack::broken_off(),
                Err(failure) => {
                    let failed = failure.into_error();
                    shared.recorder.refused(failed.message.clone());
                    plain(failed.status, &failed.message)
                }
            }
        }
        (None, Target::Elsewhere(api)) => elsewhere(&shared, *api, &parts.headers, &body, place).await,
        (None, _) => {
            let message = format!("emulator: unsupported request {} {shown}", parts.method);
            shared.recorder.refused(message.clone());
            plain(400, &message)
        }
    };
    shared.recorder.answered(place, answer.status);
    response(answer)
}

fn target(method: &str, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> Target {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let ("GET", Some(list)) = (method, path.strip_prefix("/emulator/")) {
        return Target::Own { list: list.to_owned() };
    }
    if let Some(request) = s3::Request::of(method, path, query, headers) {
        return Target::S3(request);
    }
    if path == "/slack" && method == "GET" {
        return Target::SlackPage;
    }
    if let Some(api) = Api::of(method, path) {
        return Target::Elsewhere(api);
    }
    if let Some(route) = Route::of(method, path) {
        return Target::Slack(route);
    }
    if let Some(operation) = path.strip_prefix(CLOUDWATCH_PATH) {
        return Target::CloudWatch { operation: operation.to_owned() };
    }
    if let Some(operation) = header("x-amz-target").strip_prefix("Logs_20140328.") {
        return Target::Logs { operation: operation.to_owned() };
    }
    if let Some(operation) = header("x-amz-target").strip_prefix("AmazonSSM.") {
        return Target::Ssm { operation: operation.to_owned() };
    }
    if let Some(operation) = header("x-amz-target").strip_prefix("ServiceQuotasV20190624.") {
        return Target::ServiceQuotas { operation: operation.to_owned() };
    }
    if let Some(rest) = path.strip_prefix("/model/") {
        return match (method, rest.rsplit_once('/')) {
            ("POST", Some((model_id, "converse"))) => Target::Converse { model_id: model_id.to_owned() },
            _ => Target::Bedrock { path: format!("{method} {path}") },
        };
    }
    if let Some(request) = control_plane::request(method, path, query) {
        return Target::ControlPlane(request);
    }
    if let Some(request) = lambda::request(method, path, query) {
        return Target::Lambda(request);
    }
    if let Some(request) = apigateway::request(method, path) {
        return Target::ApiGateway(request);
    }
    if path == "/" && header("content-type").starts_with("application/x-www-form-urlencoded") {
        let form = percent::pairs(&String::from_utf8_lossy(body));
        // Both services take forms at the root; the version of their API tells them apart.
        if form.iter().any(|(name, value)| name == "Version" && value == sts::VERSION) {
            return Target::Sts { form };
        }
        return Target::Sns { form };
    }
    Target::Unknown
}

fn call(scenario: &Scenario, target: &Target, body: &[u8]) -> Option<Call> {
    let place = |service: &str, rest: String| {
        format!("arn:aws:{service}:{}:{}:{rest}", scenario.region(), scenario.account())
    };
    let call = |service: &'static str, operation: &str, protocol, resource| Call {
        service,
        operation: operation.to_owned(),
        action: format!("{service}:{operation}"),
        protocol,
        resource,
    };
    let named = |member: &str| {
        let body: Value = serde_json::from_slice(body).ok()?;
        body.get(member)?.as_str().map(str::to_owned)
    };
    Some(match target {
        Target::CloudWatch { operation } => {
            // The one operation here that is granted on a resource.
            let arn = (operation == "ListTagsForResource").then(|| cbor::decoded(body).ok()).flatten();
            let arn = arn.and_then(|input| input.get("ResourceARN")?.as_str().map(str::to_owned));
            call("cloudwatch", operation, Protocol::Cbor, arn)
        }
        Target::Logs { operation } => {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            // Of a query that names several groups the first; a query itself is no resource.
            let members =
                ["/logGroupName", "/logGroupIdentifier", "/logGroupNames/0", "/logGroupIdentifiers/0"];
            let group = members.iter().find_map(|member| body.pointer(member)?.as_str()).unwrap_or_default();
            let is_of_group = !matches!(operation.as_str(), "GetQueryResults" | "StopQuery");
            let resource = is_of_group.then(|| place("logs", format!("log-group:{group}:log-stream:")));
            call("logs", operation, Protocol::Json, resource)
        }
        Target::Ssm { operation } => {
            let resource = ssm::arn(scenario, &named("Name").unwrap_or_default());
            call("ssm", operation, Protocol::Json, Some(resource))
        }
        Target::Sns { form } => {
            let field = |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
            let operation = field("Action").unwrap_or_else(|| "(none)".to_owned());
            let protocol = Protocol::Query { namespace: sns::NAMESPACE };
            call("sns", &operation, protocol, field("TopicArn").or_else(|| field("TargetArn")))
        }
        Target::Sts { form } => {
            let action = form.iter().find(|(name, _)| name == "Action").map(|(_, value)| value.as_str());
            let protocol = Protocol::Query { namespace: sts::NAMESPACE };
            call("sts", action.unwrap_or("(none)"), protocol, None)
        }
        Target::S3(request) => Call {
            action: request.action(),
            ..call("s3", request.operation, Protocol::RestXml, Some(request.resource()))
        },
        Target::ServiceQuotas { operation } => call("servicequotas", operation, Protocol::Json, None),
        Target::ControlPlane(request) => {
            let resource = request.operation.resource(scenario.region(), scenario.account());
            call("bedrock", request.operation.name(), Protocol::RestJson, resource)
        }
        Target::Lambda(request) => {
            // The list of event sources is granted for all functions or none.
            let resource = match request.operation {
                lambda::Operation::ListEventSourceMappings => None,
                _ => Some(place("lambda", format!("function:{}", request.operation.function()))),
            };
            call("lambda", request.operation.name(), Protocol::RestJson, resource)
        }
        Target::ApiGateway(request) => {
            // IAM's actions are the methods of HTTP, and its ARNs name no account.
            let resource = format!("arn:aws:apigateway:{}::{}", scenario.region(), request.resource());
            Call {
                action: "apigateway:GET".to_owned(),
                ..call("apigateway", request.name(), Protocol::RestJson, Some(resource))
            }
        }
        Target::Converse { model_id } => {
            let given = percent::decoded(model_id);
            let resource = bedrock::resource(&given, scenario.region(), scenario.account());
            Call {
                // Converse has no action of its own.
                action: "bedrock:InvokeModel".to_owned(),
                ..call("bedrock", "Converse", Protocol::RestJson, Some(resource))
            }
        }
        Target::Bedrock { path } => call("bedrock", path, Protocol::RestJson, None),
        Target::Elsewhere(_)
        | Target::Slack(_)
        | Target::SlackPage
        | Target::Own { .. }
        | Target::Unknown => return None,
    })
}

async fn aws(
    shared: &Shared,
    call: &Call,
    target: &Target,
    headers: &HeaderMap,
    body: &Bytes,
    place: usize,
) -> Answer {
    let request_id = uuid(&format!("{} request {place}", shared.scenario.name()));
    let failed = |failure: Failure| {
        if let Failure::Unsupported(message) = &failure {
            shared.recorder.refused(message.clone());
        }
        call.protocol.error(&failure.into_error(), &request_id)
    };
    if let Err(failure) = signed(call.protocol, headers) {
        return failed(failure);
    }
    match shared.access.ruling(&call.action) {
        Ruling::Allowed => {}
        Ruling::Denied => return call.protocol.error(&denied(&shared.scenario, call), &request_id),
        Ruling::Faulty(FaultKind::Throttled) => return call.protocol.error(&throttled(call), &request_id),
        Ruling::Faulty(FaultKind::InternalError) => {
            return call.protocol.error(&internal_error(call), &request_id);
        }
        Ruling::Faulty(FaultKind::Overloaded) => {
            return call.protocol.error(&overloaded(call), &request_id);
        }
        Ruling::Faulty(FaultKind::Hang) => {
            hang(shared).await;
            return call.protocol.error(&internal_error(call), &request_id);
        }
    }
    if let Target::Converse { model_id } = target {
        let answer = shared.bedrock.converse(model_id, body).await;
        note_unsupported_turn(shared, &answer);
        return answer;
    }
    match result(shared, target, headers, body) {
        Ok(result) => result.into_answer(call, &request_id),
        Err(failure) => failed(failure),
    }
}

/// Hands a request to another provider's API.
async fn elsewhere(shared: &Shared, api: Api, headers: &HeaderMap, body: &[u8], place: usize) -> Answer {
    let fault = shared.access.fault(&format!("{}:{}", api.provider(), api.operation()));
    if fault == Some(FaultKind::Hang) {
        hang(shared).await;
    }
    let id = uuid(&format!("{} request {place}", shared.scenario.name())).replace('-', "");
    let answer = api.answer(&shared.bedrock, fault, headers, body, &id).await;
    note_unsupported_turn(shared, &answer);
    answer
}

/// Waits until the emulator stops.
async fn hang(shared: &Shared) {
    let mut stopping = shared.stopping.clone();
    // An error means that the emulator is gone, which ends the waiting as well.
    let _stopped = stopping.wait_for(|stopping| *stopping).await;
}

/// What an operation gave, in the form of its protocol.
enum Output {
    Cbor(cbor::Cbor),
    Json(Value),
    Xml(String),
    Whole(Answer),
}

impl Output {
    fn into_answer(self, call: &Call, request_id: &str) -> Answer {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let id = header("x-amzn-requestid", request_id);
        match self {
            Self::Whole(answer) => answer,
            Self::Cbor(value) => Answer {
                status: 200,
                headers: vec![
                    header("content-type", "application/cbor"),
                    header("smithy-protocol", "rpc-v2-cbor"),
                    id,
                ],
                body: cbor::encoded(&value),
            },
            Self::Json(value) => {
                let kind = match call.protocol {
                    Protocol::Json => "application/x-amz-json-1.1",
                    _ => "application/json",
                };
                Answer {
                    status: 200,
                    headers: vec![header("content-type", kind), id],
                    body: value.to_string().into_bytes(),
                }
            }
            Self::Xml(inner) => {
                let operation = &call.operation;
                let namespace = match call.protocol {
                    Protocol::Query { namespace } => namespace,
                    _ => "",
                };
                let body = format!(
                    "<{operation}Response xmlns=\"{namespace}\">\
                     <{operation}Result>{inner}</{operation}Result><ResponseMetadata><RequestId>{request_id}\
                     </RequestId></ResponseMetadata></{operation}Response>"
                );
                Answer {
                    status: 200,
                    headers: vec![header("content-type", "text/xml"), id],
                    body: body.into_bytes(),
                }
            }
        }
    }
}

fn result(shared: &Shared, target: &Target, headers: &HeaderMap, body: &[u8]) -> Result<Output, Failure> {
    let Shared { scenario, paging, .. } = shared;
    let serialization = |reason: String| Failure::service(400, "SerializationException", reason);
    let json_body = || -> Result<Value, Failure> {
        serde_json::from_slice(body).map_err(|error| serialization(error.to_string()))
    };
    match target {
        Target::CloudWatch { operation } => {
            let protocol = headers.get("smithy-protocol").and_then(|value| value.to_str().ok());
            if protocol != Some("rpc-v2-cbor") {
                return Err(Failure::unsupported(format!("protocol {protocol:?} for CloudWatch")));
            }
            let input = cbor::decoded(body).map_err(serialization)?;
            cloudwatch::answer(scenario, paging, operation, input).map(Output::Cbor)
        }
        Target::Logs { operation } => {
            logs::answer(scenario, paging, &shared.insights, operation, json_body()?).map(Output::Json)
        }
        Target::Ssm { operation } => {
            let host = headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1");
            ssm::answer(scenario, &format!("http://{host}"), operation, json_body()?).map(Output::Json)
        }
        Target::ServiceQuotas { operation } => {
            let offer = shared.bedrock.offer();
            service_quotas::answer(scenario, paging, offer, operation, json_body()?).map(Output::Json)
        }
        Target::Sns { form } => shared.outbox.answer(scenario, form).map(Output::Xml),
        Target::Sts { form } => sts::answer(scenario, form).map(Output::Xml),
        Target::S3(request) => shared.buckets.answer(scenario, request, headers, body).map(Output::Whole),
        Target::ControlPlane(request) => {
            control_plane::answer(shared.bedrock.offer(), paging, request).map(Output::Json)
        }
        Target::Lambda(request) => lambda::answer(scenario, paging, request).map(Output::Json),
        Target::ApiGateway(request) => apigateway::answer(scenario, request).map(Output::Json),
        Target::Bedrock { path } => Err(Failure::unsupported(format!("Bedrock's {path}"))),
        Target::Converse { .. }
        | Target::Elsewhere(_)
        | Target::Slack(_)
        | Target::SlackPage
        | Target::Own { .. }
        | Target::Unknown => Err(Failure::unsupported("request")),
    }
}

/// The signature is not verified, but AWS answers nothing that bears none.
fn signed(protocol: Protocol, headers: &HeaderMap) -> Result<(), Failure> {
    let authorization =
        headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let complete = authorization.starts_with("AWS4-HMAC-SHA256 ")
        && ["Credential=", "SignedHeaders=", "Signature="].iter().all(|part| authorization.contains(part));
    if complete {
        return Ok(());
    }
    let code = match protocol {
        Protocol::Query { .. } | Protocol::RestXml => "MissingAuthenticationToken",
        Protocol::Cbor | Protocol::Json | Protocol::RestJson => "MissingAuthenticationTokenException",
    };
    Err(Failure::service(403, code, "Missing Authentication Token"))
}

/// Those who ask models word their own refusals; they belong into the same list as all others.
fn note_unsupported_turn(shared: &Shared, answer: &Answer) {
    if answer.status != 400 {
        return;
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let message = body.get("message").or_else(|| body.pointer("/error/message"));
    let message = message.and_then(Value::as_str).unwrap_or_default();
    if message.starts_with(crate::failure::UNSUPPORTED) {
        shared.recorder.refused(message.to_owned());
    }
}

/// Lists for tests that run in another process.
fn own(shared: &Shared, list: &str) -> Answer {
    let list = match list {
        "slack" => json!(shared.slack.messages()),
        "published" => json!(shared.outbox.published()),
        "objects" => json!(shared.buckets.objects()),
        "requests" => json!(shared.recorder.requests()),
        "unsupported" => json!(shared.recorder.unsupported()),
        _ => {
            return plain(404, "emulator: the lists are slack, published, objects, requests and unsupported");
        }
    };
    Answer {
        status: 200,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: list.to_string().into_bytes(),
    }
}

fn body_text(target: &Target, body: &[u8]) -> String {
    if matches!(target, Target::CloudWatch { .. })
        && let Ok(value) = cbor::decoded(body)
    {
        return value.to_string();
    }
    if matches!(target, Target::Slack(Route::Upload)) {
        return format!("({} bytes)", body.len());
    }
    String::from_utf8_lossy(body).into_owned()
}

fn plain(status: u16, text: &str) -> Answer {
    Answer {
        status,
        headers: vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())],
        body: text.as_bytes().to_vec(),
    }
}

fn html(page: String) -> Answer {
    Answer {
        status: 200,
        headers: vec![("content-type".to_owned(), "text/html; charset=utf-8".to_owned())],
        body: page.into_bytes(),
    }
}

fn response(answer: Answer) -> Response<Body> {
    let mut builder = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        builder = builder.header(name, value);
    }
    builder.body(Body::from(answer.body)).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer cannot be written as HTTP");
        let mut failed = Response::new(Body::from("emulator: an answer cannot be written as HTTP"));
        *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}
