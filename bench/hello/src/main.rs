//! A bare function on the same runtime crate: what `make bench` compares start and memory of the agent with.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    lambda_runtime::run(service_fn(async |_event: LambdaEvent<Value>| Ok::<_, Error>("hello"))).await
}
