"""The gap: MiniStack 1.5.33 words a wrong template, and wrong parameters, otherwise than CloudFormation, and finds a
name that a template does not define only when it would need it.
"""

import json
import re

import yaml
from ministack.services.cloudformation import changesets, engine, handlers

NAMED = re.compile(r"\$\{([^!}][^}]*)\}")

parse_template = engine._parse_template
validate_template_support = engine.validate_template_support
resolve_parameters = engine._resolve_parameters


def parse(body):
    try:
        return parse_template(body)
    except json.JSONDecodeError as error:
        raise ValueError(f"JSON not well-formed. (line {error.lineno}, column {error.colno})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ValueError(f"YAML not well-formed. (line {mark.line + 1}, column {mark.column + 1})") from None
    except yaml.YAMLError as error:
        raise ValueError(f"YAML not well-formed. ({error})") from None
    except ValueError:
        raise ValueError("unsupported structure.") from None


def validate(template, conditions, params=None):
    resources = template.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise ValueError("Template format error: At least one Resources member must be defined.")
    validate_template_support(template, conditions, params=params)
    if template.get("Transform"):
        return
    known = {*resources, *(template.get("Parameters") or {})}
    for block in ("Resources", "Outputs"):
        missing = sorted(set(names(template.get(block) or {})) - known)
        if missing:
            raise ValueError(
                f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] in the {block} "
                "block of the template"
            )


def names(value):
    """Every name that a value refers to; AWS's own pseudo parameters left out."""
    if isinstance(value, list):
        for item in value:
            yield from names(item)
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key == "Ref" and isinstance(inner, str):
            found, rest = [inner], None
        elif key == "Fn::GetAtt":
            found, rest = [inner[0] if isinstance(inner, list) else str(inner).partition(".")[0]], None
        elif key == "Fn::Sub":
            text, own = (inner[0], inner[1]) if isinstance(inner, list) else (inner, {})
            found = [name.partition(".")[0] for name in NAMED.findall(str(text)) if name not in own]
            rest = own
        elif key == "DependsOn":
            found, rest = inner if isinstance(inner, list) else [inner], None
        else:
            found, rest = [], inner
        yield from (name for name in found if isinstance(name, str) and not name.startswith("AWS::"))
        yield from names(rest)


def parameters(template, provided, previous=None):
    defined = template.get("Parameters") or {}
    given = {entry["Key"] for entry in provided if "Key" in entry}
    unknown = sorted(given - set(defined))
    if unknown:
        raise ValueError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = [name for name, parameter in defined.items() if name not in given and "Default" not in parameter]
    if missing:
        raise ValueError(f"Parameters: [{', '.join(missing)}] must have values")
    for entry in provided:
        parameter = defined[entry["Key"]]
        allowed = [str(value) for value in parameter.get("AllowedValues") or []]
        if allowed and not entry.get("UsePreviousValue") and entry["Value"] not in allowed:
            reason = parameter.get("ConstraintDescription") or "must be one of AllowedValues"
            raise ValueError(f"Parameter '{entry['Key']}' {reason}")
    return resolve_parameters(template, provided, previous)


# They hold these functions by their own names.
for module in (engine, handlers, changesets):
    module._parse_template = parse
    module.validate_template_support = validate
    module._resolve_parameters = parameters
