"""The gap: of the document of an `AWS::ApiGateway::RestApi` (`Body`, what SAM's `Api` events make) MiniStack 1.5.33 takes paths,
methods and functions, and passes over validators, gateway responses, CORS headers and mapping templates; each change of
it makes another API with another address.

The gateway takes such a document as it takes one by `PutRestApi`: what cannot work here, or would be refused by AWS, fails the
resource by name, and a deployment of the template keeps the document, which its stages serve.
"""

from ministack.services.cloudformation import provisioners

from . import gateway

API, DEPLOYMENT, METHOD = (f"AWS::ApiGateway::{kind}" for kind in ("RestApi", "Deployment", "Method"))


def refused(answer):
    if "refused" in answer:
        raise ValueError(answer["refused"])


def without_body(properties):
    document = properties.get("Body")
    if not isinstance(document, dict):
        return properties
    named = {key: value for key, value in properties.items() if key != "Body"}
    title = (document.get("info") or {}).get("title")
    if title:
        named.setdefault("Name", str(title))
    return named


def put_draft(api, properties):
    document = properties.get("Body")
    if isinstance(document, dict):
        strict = str(properties.get("FailOnWarnings", "")).lower() == "true"
        refused(gateway.call("PUT", f"rest-apis/{api}", {"document": document, "failOnWarnings": strict}))


def refuse_policy(properties):
    """Nothing here applies it: an API that AWS closes would be open."""
    if properties.get("Policy"):
        raise ValueError("the local API Gateway does not support the resource policy of an API (`Policy`)")


def create_api(create, delete):
    def created(logical_id, properties, stack_name):
        refuse_policy(properties)
        api, attributes = create(logical_id, without_body(properties), stack_name)
        try:
            put_draft(api, properties)
        except Exception:
            delete(api, properties)
            raise
        return api, attributes

    return created


def update_api(update):
    def updated(api, old, new, stack_name, logical_id=None):
        refuse_policy(new)
        updated = update(api, without_body(old), without_body(new), stack_name, logical_id)
        put_draft(updated[0], new)
        return updated

    return updated


def with_document(change, position):
    """A deployment, made or changed; its properties are the argument at `position`."""

    def changed(*arguments):
        deployment, attributes = change(*arguments)
        api = arguments[position].get("RestApiId", "")
        refused(gateway.call("PUT", f"rest-apis/{api}/deployments/{deployment}", {}))
        return deployment, attributes

    return changed


def with_checked_integration(change, position):
    """A method of the template's own, whose mapping templates would come out as they are."""

    def changed(*arguments):
        properties = arguments[position]
        integration = properties.get("Integration") or {}
        responses = integration.get("IntegrationResponses") or []
        asked = {
            "type": integration.get("Type", "AWS_PROXY"),
            "connectionType": integration.get("ConnectionType"),
            "requestTemplates": integration.get("RequestTemplates") or {},
            "responses": {
                str(number): {
                    "responseTemplates": response.get("ResponseTemplates") or {},
                    "responseParameters": response.get("ResponseParameters") or {},
                }
                for number, response in enumerate(responses)
            },
        }
        refused(gateway.call("POST", "integration", asked))
        return change(*arguments)

    return changed


apis, deployments, methods = (provisioners._RESOURCE_HANDLERS[kind] for kind in (API, DEPLOYMENT, METHOD))
apis["create"] = create_api(apis["create"], apis["delete"])
apis["update"] = update_api(apis["update"])
deployments["create"] = with_document(deployments["create"], 1)
methods["create"] = with_checked_integration(methods["create"], 1)
methods["update"] = with_checked_integration(methods["update"], 2)
