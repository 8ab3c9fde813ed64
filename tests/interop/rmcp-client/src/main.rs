//! Owns one call of one tool with the Rust SDK: `rmcp-client URL TOOL ARGUMENTS`, the answer's text on stdout.
//! It probes for the modern era and falls back, as a client of today does. With MATRIX_BEARER in the environment it
//! sends that token.

use rmcp::model::{CallToolRequestParams, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [url, tool, arguments] = std::env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: rmcp-client URL TOOL ARGUMENTS")?;
    let lifecycle = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: None,
    };
    let mut config = StreamableHttpClientTransportConfig::with_uri(url);
    if let Ok(bearer) = std::env::var("MATRIX_BEARER") {
        config = config.auth_header(bearer);
    }
    let transport = StreamableHttpClientTransport::from_config(config);
    let client = ().serve_with_lifecycle(transport, lifecycle).await?;
    let tools = client.list_all_tools().await?;
    if !tools.iter().any(|listed| listed.name == tool) {
        return Err(format!("{tool} is not among {} tools", tools.len()).into());
    }
    let request =
        CallToolRequestParams::new(tool).with_arguments(serde_json::from_str(&arguments)?);
    let result = client.call_tool(request).await?;
    for part in &result.content {
        if let Some(text) = part.as_text() {
            println!("{}", text.text);
        }
    }
    client.cancel().await?;
    Ok(())
}
