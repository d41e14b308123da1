"""The gap: MiniStack 1.5.33 holds only calls of `$LATEST` to a function's reserved concurrency.

It is the function's: all of its versions and aliases share it (Developer Guide, "Configuring reserved concurrency").
"""

from ministack.services import lambda_svc

reserved = lambda_svc._reserved_concurrency


def reserved_for_all_versions(func, config):
    account, region = lambda_svc._account_region_from_function_config(config)
    function = lambda_svc._functions.get_scoped(account, region, config["FunctionName"])
    return reserved(function or func, config)


lambda_svc._reserved_concurrency = reserved_for_all_versions
