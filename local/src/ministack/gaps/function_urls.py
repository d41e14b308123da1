"""The gap: the address of a function's URL is AWS's, where it does not exist: `https://ID.lambda-url.REGION.on.aws/`.

`Fn::GetAtt Url.FunctionUrl` gives the local one, as `addresses` does for APIs.
"""

from urllib.parse import urlsplit

from ministack.services.cloudformation import provisioners

from . import gateway

url_attributes = provisioners._lambda_url_attributes


def with_local_url(config):
    host = urlsplit(config["FunctionUrl"]).hostname
    name = host.partition(".")[0]
    return {**url_attributes(config), "FunctionUrl": f"{gateway.ENDPOINT}/_aws/lambda-url/{name}/"}


provisioners._lambda_url_attributes = with_local_url
