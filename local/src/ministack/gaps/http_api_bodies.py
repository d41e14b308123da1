"""The gap: MiniStack 1.5.33 passes over the document of an `AWS::ApiGatewayV2::Api` (`Body`, what SAM's `HttpApi` events
make): CREATE_COMPLETE with no route, every call answered with 404. Its CORS settings it stores under names that it does
not read.

Routes, integrations, authorizers and CORS are made of the document, as an import does
(API Gateway Developer Guide, "Import HTTP API"). What has no counterpart here fails the resource by name.
"""

import json

from ministack.services import apigateway
from ministack.services.cloudformation import provisioners

API = "AWS::ApiGatewayV2::Api"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
ANY = "x-amazon-apigateway-any-method"
AUTHORIZER = "x-amazon-apigateway-authorizer"

operations = provisioners._RESOURCE_HANDLERS[API]
create_api, update_api, delete_api = operations["create"], operations["update"], operations["delete"]
imported = {}  # by API: what its document brought, as (store, id)


def refuse(what):
    raise ValueError(f"the local API Gateway does not support this and would answer differently from AWS: {what}")


def made(api_id, store, answer, key):
    status, _, body = answer
    record = json.loads(body)
    if status >= 400:
        raise ValueError(record.get("message", body))
    imported[api_id].append((store, record[key]))
    return record[key]


def resolved(document, value):
    """What a local reference names."""
    reference = value.get("$ref") if isinstance(value, dict) else None
    if not reference:
        return value
    for part in reference.removeprefix("#/").split("/"):
        document = document[part.replace("~1", "/").replace("~0", "~")]
    return document


def make_authorizer(api_id, name, extension):
    kind = str(extension.get("type", "")).lower()
    if kind not in ("jwt", "request"):
        refuse(f"the authorizer `{name}` of type `{kind}`")
    source = extension.get("identitySource", "$request.header.Authorization")
    sources = [part.strip() for part in source.split(",")] if isinstance(source, str) else source
    authorizer = {**extension, "name": name, "authorizerType": kind.upper(), "identitySource": sources}
    return made(
        api_id, apigateway._authorizers, apigateway._create_authorizer(api_id, authorizer), "authorizerId"
    )


def security_of(api_id, document):
    """The authorization of a route by the name of its security scheme."""
    known = {}
    for name, scheme in ((document.get("components") or {}).get("securitySchemes") or {}).items():
        if AUTHORIZER in scheme:
            extension = scheme[AUTHORIZER]
            authorizer = make_authorizer(api_id, name, extension)
            kind = "JWT" if str(extension["type"]).lower() == "jwt" else "CUSTOM"
            known[name] = {"authorizationType": kind, "authorizerId": authorizer}
        elif str(scheme.get("x-amazon-apigateway-authtype", "")).lower() == "awssigv4":
            known[name] = {"authorizationType": "AWS_IAM"}
    return known


def authorization(operation, document, known):
    for requirement in operation.get("security", document.get("security") or []):
        for name, scopes in requirement.items():
            if name not in known:
                refuse(f"the security scheme `{name}`")
            return {**known[name], "authorizationScopes": scopes or []}
    return {}


def make_integration(api_id, document, route_key, operation):
    integration = resolved(document, operation.get("x-amazon-apigateway-integration"))
    if not integration:
        raise ValueError(f"no integration is defined for the route `{route_key}`")
    kind = str(integration.get("type", "")).upper()
    if kind not in ("AWS_PROXY", "HTTP_PROXY") or integration.get("integrationSubtype"):
        refuse(f"{route_key}: an integration of type `{integration.get('integrationSubtype') or kind.lower()}`")
    if integration.get("connectionType") == "VPC_LINK":
        refuse(f"{route_key}: an integration through a VPC link")
    made_of = {
        **integration,
        "integrationType": kind,
        "integrationUri": integration.get("uri", ""),
        "integrationMethod": integration.get("httpMethod", "POST"),
        "payloadFormatVersion": str(integration.get("payloadFormatVersion", "1.0")),
    }
    answer = apigateway._create_integration(api_id, made_of)
    return made(api_id, apigateway._integrations, answer, "integrationId")


def make_routes(api_id, document):
    known = security_of(api_id, document)
    for path, item in (document.get("paths") or {}).items():
        for method, operation in item.items():
            if method not in (*METHODS, ANY):
                continue
            key = f"{'ANY' if method == ANY else method.upper()} {path}"
            if path.strip("/") == "$default":
                key = "$default"
            target = f"integrations/{make_integration(api_id, document, key, operation)}"
            route = {"routeKey": key, "target": target, **authorization(operation, document, known)}
            made(api_id, apigateway._routes, apigateway._create_route(api_id, route), "routeId")


def remove(api_id, records):
    for store, record in records:
        store.get(api_id, {}).pop(record, None)


def fill(api_id, document):
    """Makes everything new before the old goes, so that no request finds an API without routes."""
    if not isinstance(document, dict):
        return
    before, imported[api_id] = imported.get(api_id, []), []
    try:
        make_routes(api_id, document)
    except Exception:
        remove(api_id, imported[api_id])
        imported[api_id] = before
        raise
    remove(api_id, before)
    cors = document.get("x-amazon-apigateway-cors")
    if cors:
        apigateway._apis[api_id]["corsConfiguration"] = cors


def as_stored(properties):
    """The properties without the document, named by it, with CORS as it is read."""
    document = properties.get("Body")
    stored = {key: value for key, value in properties.items() if key != "Body"}
    if isinstance(document, dict) and (document.get("info") or {}).get("title"):
        stored.setdefault("Name", str(document["info"]["title"]))
    if stored.get("CorsConfiguration"):
        cors = stored["CorsConfiguration"]
        stored["CorsConfiguration"] = {key[0].lower() + key[1:]: value for key, value in cors.items()}
    return stored


def create(logical_id, properties, stack_name):
    api_id, attributes = create_api(logical_id, as_stored(properties), stack_name)
    try:
        fill(api_id, properties.get("Body"))
    except Exception:
        delete_api(api_id, properties)
        raise
    return api_id, attributes


def update(physical_id, old, new, stack_name, logical_id=None):
    api_id, attributes = update_api(physical_id, as_stored(old), as_stored(new), stack_name, logical_id)
    fill(api_id, new.get("Body"))
    return api_id, attributes


operations["create"], operations["update"] = create, update
