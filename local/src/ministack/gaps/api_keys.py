"""The gap: a stage is served by an API of the gateway's own (`stage_snapshots`), which no usage plan names.

A key that a plan lets into a stage of the API lets into what serves that stage.
"""

from ministack.services import apigateway_v1

SNAPSHOT = "-snapshot"

usage_plans_for_key = apigateway_v1._usage_plans_for_key


def of_the_api(key_id, api_id, stage_name):
    name = (apigateway_v1._rest_apis.get(api_id) or {}).get("name", "")
    served = name.removesuffix(f"-{stage_name}{SNAPSHOT}")
    return usage_plans_for_key(key_id, api_id if served == name else served, stage_name)


apigateway_v1._usage_plans_for_key = of_the_api
