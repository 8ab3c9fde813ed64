//! Where a token's audience is compared: is it meant for us?

use serde_json::Value;

use super::Claims;
use crate::auth::denied::Reason;

/// Checks that one of `aud` is one of ours; a token for nobody is refused.
pub(in crate::auth) fn check(claims: &Claims, audiences: &[String]) -> Result<(), Reason> {
    let ours = |audience: &Value| {
        audience.as_str().is_some_and(|audience| audiences.iter().any(|ours| ours == audience))
    };
    let meant = match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().all(Value::is_string) && list.iter().any(ours),
        Some(one) => ours(one),
        None => false,
    };
    if meant { Ok(()) } else { Err(Reason::Audience) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::claims::claims_of;

    #[test]
    fn a_token_must_be_meant_for_us() {
        let ours = ["https://mcp.example/mcp".to_owned(), "api".to_owned()];
        for (aud, meant) in [
            (json!("https://mcp.example/mcp"), true),
            (json!(["other", "api"]), true),
            (json!("https://mcp.example/mcp/"), false),
            (json!("https://mcp.example"), false),
            (json!(""), false),
            (json!([]), false),
            (json!(["api", 1]), false),
            (json!({"api": true}), false),
            (json!(null), false),
        ] {
            let checked = check(&claims_of(&json!({"aud": aud})), &ours);
            assert_eq!(checked.is_ok(), meant, "{aud}");
        }
        assert_eq!(check(&Claims::new(), &ours), Err(Reason::Audience));
        assert!(check(&claims_of(&json!({"aud": ""})), &[]).is_err());
    }
}
