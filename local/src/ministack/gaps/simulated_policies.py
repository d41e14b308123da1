"""The gap: MiniStack 1.5.33 enforces no policy, but simulates that its account's own user may do nothing."""

from ministack.core.iam_evaluator import parse_policy_document
from ministack.services import iam

EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'

build_results = iam._build_simulate_results_real


def as_it_is(actions, resource, principal, account, policies):
    if principal.endswith(":root") and not policies:
        policies = [parse_policy_document(EVERYTHING)]
    return build_results(actions, resource, principal, account, policies)


iam._build_simulate_results_real = as_it_is
