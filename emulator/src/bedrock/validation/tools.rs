//! Rules for `toolConfig`: specifications, names and the choice among them.

use serde_json::{Map, Value};

use crate::bedrock::validation::content::{check_cache_point, check_tool_choice, only_member};
use crate::bedrock::validation::{
    Checked, check_identifier, constraint, known_members, list, present, wrong_type,
};

/// Checks the whole configuration.
pub(crate) fn check(config: &Map<String, Value>) -> Checked {
    known_members(config, "toolConfig", &["tools", "toolChoice"])?;
    let tools = list(config, "tools", "toolConfig.tools")?.map(Vec::as_slice).unwrap_or_default();
    if tools.is_empty() {
        let rule = "Member must have length greater than or equal to 1";
        return Err(constraint("[]", "toolConfig.tools", rule));
    }
    let mut names = Vec::new();
    for (index, tool) in tools.iter().enumerate() {
        let at = format!("toolConfig.tools.{index}");
        let (kind, value) = only_member(tool, &at, "Tool", &["toolSpec", "systemTool", "cachePoint"])?;
        match kind {
            "cachePoint" => check_cache_point(value, &at)?,
            "toolSpec" => {
                let name = check_spec(value, &format!("{at}.toolSpec"))?;
                if names.contains(&name) {
                    return Err(format!(
                        "Tool names must be unique. Found {name} twice at toolConfig.tools."
                    ));
                }
                names.push(name);
            }
            _ => return Err(format!("emulator: unsupported: {kind} at {at}")),
        }
    }
    if let Some(chosen) = check_tool_choice(config, "toolConfig.toolChoice")?
        && !names.iter().any(|name| name == chosen)
    {
        return Err(format!(
            "Tool '{chosen}' not found in provided tools at toolConfig.toolChoice.tool.name."
        ));
    }
    Ok(())
}

fn check_spec(value: &Value, at: &str) -> Result<String, String> {
    let spec = value.as_object().ok_or_else(|| wrong_type(at, "a json object"))?;
    known_members(spec, at, &["name", "description", "inputSchema", "strict"])?;
    let name = check_identifier(present(spec, "name"), &format!("{at}.name"), "_-")?;
    if let Some(description) = present(spec, "description")
        && description.as_str().is_none_or(|text| text.trim().is_empty())
    {
        let rule = "Member must have length greater than or equal to 1";
        return Err(constraint("", &format!("{at}.description"), rule));
    }
    let at = format!("{at}.inputSchema");
    let schema = present(spec, "inputSchema").unwrap_or(&Value::Null);
    let (_, schema) = only_member(schema, &at, "ToolInputSchema", &["json"])?;
    if !schema.is_object() {
        return Err(wrong_type(&format!("{at}.json"), "a json object"));
    }
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        let fault = "The value at {at}.json.type must be one of the following: object.";
        return Err(fault.replace("{at}", &at));
    }
    Ok(name)
}
